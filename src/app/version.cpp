#include <weft/version.hpp>

#include "weft_commit.hpp"

namespace weft {

std::string_view version() noexcept { return WEFT_VERSION; }

std::string_view commit() noexcept { return WEFT_COMMIT; }

}  // namespace weft
