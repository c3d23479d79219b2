// The kinds of waits that a storm has: on descriptors, channels, time, one another, and on what all
// its drivers share.
#pragma once

#include <span>

#include "storm_wait.hpp"

namespace weft::test {

using StormKind = void (*)(StormWait& wait, StormShared& shared, Random& random);

std::span<const StormKind> storm_kinds() noexcept;

}  // namespace weft::test
