// Which weft this program is linked with.
//
// Both strings are constants of the library: they live as long as the program, and any thread may
// read them.
#pragma once

#include <string_view>

namespace weft {

// The release, as "MAJOR.MINOR.PATCH".
[[nodiscard]] std::string_view version() noexcept;

// The abbreviated git commit that the library was built from, or "unknown".
[[nodiscard]] std::string_view commit() noexcept;

}  // namespace weft
