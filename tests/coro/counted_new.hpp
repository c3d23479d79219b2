// What has been allocated with `new` on the calling thread, in number and bytes, since it began.
#pragma once

#include <cstddef>

namespace weft {

std::size_t allocations_here() noexcept;
std::size_t bytes_here() noexcept;

}  // namespace weft
