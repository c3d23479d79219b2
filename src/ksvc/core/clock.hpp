// Clock: what time it is, for deadlines.
//
// Contract. now() never goes back and is cheap enough to be asked once per loop turn. Nanoseconds
// since an arbitrary start; kNoDeadline is a time that never comes. wall() is the time of day,
// since the start of 1970 UTC; it may be set, so it is for telling people, never for deadlines.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>

namespace weft::ksvc {

struct TimePoint {
  std::int64_t ns = 0;

  friend constexpr auto operator<=>(TimePoint, TimePoint) = default;
  friend constexpr TimePoint operator+(TimePoint time, std::chrono::nanoseconds delay) {
    // Saturates, so that "very long" means "never" instead of a time in the past.
    if (delay.count() > INT64_MAX - time.ns) return {INT64_MAX};
    return {time.ns + delay.count()};
  }
  friend constexpr std::chrono::nanoseconds operator-(TimePoint later, TimePoint earlier) {
    return std::chrono::nanoseconds(later.ns - earlier.ns);
  }
};

inline constexpr TimePoint kNoDeadline{INT64_MAX};

template <class C>
concept Clock = requires(const C& clock) {
  { clock.now() } noexcept -> std::same_as<TimePoint>;
  { clock.wall() } noexcept -> std::same_as<TimePoint>;
};

}  // namespace weft::ksvc
