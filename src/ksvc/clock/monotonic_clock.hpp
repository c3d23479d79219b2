// MonotonicClock: the kernel's CLOCK_MONOTONIC, read through the vDSO.
#pragma once

#include <ctime>

#include "ksvc/core/clock.hpp"

namespace weft::ksvc {

class MonotonicClock {
 public:
  TimePoint now() const noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return {static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec};
  }
};

static_assert(Clock<MonotonicClock>);

}  // namespace weft::ksvc
