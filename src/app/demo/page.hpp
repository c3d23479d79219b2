// The demonstration's one page: HTML with its style and script inside, nothing loaded from outside.
//
// A constant of the program; safe from any thread.
#pragma once

#include <string_view>

namespace weft::demo {

std::string_view page() noexcept;

}  // namespace weft::demo
