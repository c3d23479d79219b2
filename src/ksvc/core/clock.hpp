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
  // Saturates, so that "very long" means "never" instead of a time in the past. The unit is that of
  // the delay until it is known to fit: the longest of milliseconds are too many nanoseconds.
  template <std::integral Count, class Unit>
  friend constexpr TimePoint operator+(TimePoint time, std::chrono::duration<Count, Unit> delay) {
    using Delay = std::chrono::duration<std::int64_t, Unit>;
    using std::chrono::nanoseconds;
    if (delay > std::chrono::duration_cast<Delay>(nanoseconds::max())) return {INT64_MAX};
    if (delay < std::chrono::duration_cast<Delay>(nanoseconds::min())) return {INT64_MIN};
    const std::int64_t ns = nanoseconds(delay).count();
    if (ns > 0 && time.ns > INT64_MAX - ns) return {INT64_MAX};
    if (ns < 0 && time.ns < INT64_MIN - ns) return {INT64_MIN};
    return {time.ns + ns};
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
