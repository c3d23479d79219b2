// MonotonicClock: the kernel's clocks, read through the vDSO. Any thread.
#pragma once

#include <ctime>

#include "ksvc/core/clock.hpp"

namespace weft::ksvc {

class MonotonicClock {
 public:
  TimePoint now() const noexcept { return read(CLOCK_MONOTONIC); }
  TimePoint wall() const noexcept { return read(CLOCK_REALTIME); }

 private:
  static TimePoint read(clockid_t clock) noexcept {
    timespec time{};
    ::clock_gettime(clock, &time);
    return {static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec};
  }
};

static_assert(Clock<MonotonicClock>);

}  // namespace weft::ksvc
