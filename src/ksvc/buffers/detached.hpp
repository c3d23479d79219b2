// The block number of a lease that was detached from its provider's numbered blocks.
#pragma once

#include <cstdint>

namespace weft::ksvc {

inline constexpr std::uint16_t kDetachedBlock = 0xFFFF;

}  // namespace weft::ksvc
