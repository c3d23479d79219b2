// TimerWheel: many timers, each set and cleared in constant time, due to the millisecond.
//
// Six levels of 64 slots. A timer is never early; it may be late by the rounding up to the next
// millisecond and by the turn of the loop. Timers are intrusive: the owner keeps them in place
// while they are set. Owner's thread only.
#pragma once

#include <array>
#include <cstdint>

#include "ksvc/core/clock.hpp"
#include "weft/detail/timer.hpp"

namespace weft::gvt {

using ksvc::TimePoint;

using detail::Timer;

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint now) noexcept : tick_(floor_tick(now)) {}

  // Sets the timer, or moves it when it is set already.
  void set(Timer& timer, TimePoint due) noexcept;
  void clear(Timer& timer) noexcept;
  // Fires everything due; a fired timer is no longer set and may be set again by its own Fire.
  void advance(TimePoint now) noexcept {
    if (floor_tick(now) > tick_) turn_to(floor_tick(now));
  }
  // When a set timer fires, at the earliest.
  static TimePoint due(const Timer& timer) noexcept {
    if (timer.due_tick > INT64_MAX / kTickNs) return ksvc::kNoDeadline;
    return {timer.due_tick * kTickNs};
  }
  // No timer is due before this time; kNoDeadline when none is set.
  TimePoint next_due() const noexcept;

 private:
  static constexpr int kLevels = 6;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr std::int64_t kTickNs = 1'000'000;

  static std::int64_t floor_tick(TimePoint time) noexcept { return time.ns / kTickNs; }

  struct Level {
    std::uint64_t occupied = 0;
    std::array<Timer*, kSlots> slots{};
  };

  void link(Timer& timer) noexcept;
  void turn_to(std::int64_t tick) noexcept;
  std::int64_t next_event_tick() const noexcept;
  Timer* take_slot(int level, unsigned slot) noexcept;

  std::int64_t tick_;
  std::array<Level, kLevels> levels_{};
};

}  // namespace weft::gvt
