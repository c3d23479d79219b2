#include "gvt/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace weft::gvt {

namespace {
constexpr std::int64_t kNoTick = INT64_MAX;
}

void TimerWheel::set(Timer& timer, TimePoint due) noexcept {
  clear(timer);
  const std::int64_t whole = due.ns / kTickNs;
  const std::int64_t wanted =
      due == ksvc::kNoDeadline ? kNoTick : whole + (due.ns % kTickNs > 0 ? 1 : 0);
  timer.due_tick = std::max(wanted, tick_ + 1);
  link(timer);
}

void TimerWheel::clear(Timer& timer) noexcept {
  if (!timer.is_set()) return;
  *timer.previous = timer.next;
  if (timer.next != nullptr) timer.next->previous = timer.previous;
  timer.previous = nullptr;
  timer.next = nullptr;
  // The slot's bit may stay set over an empty slot: next_event_tick() is then early, never late.
}

void TimerWheel::link(Timer& timer) noexcept {
  const std::int64_t distance = timer.due_tick - tick_;
  int level = 0;
  while (level < kLevels - 1 && distance >= (std::int64_t{1} << (kSlotBits * (level + 1)))) {
    ++level;
  }
  // Further than the wheel reaches: into its last slot, from where it is linked again.
  const std::int64_t reach = (std::int64_t{1} << (kSlotBits * kLevels)) - 1;
  const std::int64_t tick = distance > reach ? tick_ + reach : timer.due_tick;
  const auto slot = static_cast<unsigned>(tick >> (kSlotBits * level)) % kSlots;
  Level& home = levels_[static_cast<std::size_t>(level)];
  Timer*& head = home.slots[slot];
  timer.next = head;
  timer.previous = &head;
  if (head != nullptr) head->previous = &timer.next;
  head = &timer;
  home.occupied |= std::uint64_t{1} << slot;
}

Timer* TimerWheel::take_slot(int level, unsigned slot) noexcept {
  Level& home = levels_[static_cast<std::size_t>(level)];
  Timer* list = home.slots[slot];
  home.slots[slot] = nullptr;
  home.occupied &= ~(std::uint64_t{1} << slot);
  return list;
}

std::int64_t TimerWheel::next_event_tick() const noexcept {
  std::int64_t earliest = kNoTick;
  for (int level = 0; level < kLevels; ++level) {
    const std::uint64_t occupied = levels_[static_cast<std::size_t>(level)].occupied;
    if (occupied == 0) continue;
    const int shift = kSlotBits * level;
    const std::int64_t position = tick_ >> shift;
    // Slots are looked at from the one after ours; our own comes last, a whole round away.
    const auto start = static_cast<int>((position + 1) % kSlots);
    const int ahead = std::countr_zero(std::rotr(occupied, start));
    earliest = std::min(earliest, (position + 1 + ahead) << shift);
  }
  return earliest;
}

TimePoint TimerWheel::next_due() const noexcept {
  const std::int64_t tick = next_event_tick();
  return tick == kNoTick ? ksvc::kNoDeadline : TimePoint{tick * kTickNs};
}

void TimerWheel::turn_to(std::int64_t target) noexcept {
  for (;;) {
    const std::int64_t event = next_event_tick();
    if (event > target) break;
    tick_ = event;
    // From the coarsest level down, so that what moves down is in place when its level is looked
    // at.
    for (int level = kLevels - 1; level >= 0; --level) {
      const int shift = kSlotBits * level;
      if ((tick_ & ((std::int64_t{1} << shift) - 1)) != 0) continue;
      Timer* list = take_slot(level, static_cast<unsigned>(tick_ >> shift) % kSlots);
      // The list hangs on a local head, so that a Fire may clear any other timer in it.
      if (list != nullptr) list->previous = &list;
      while (list != nullptr) {
        Timer& timer = *list;
        clear(timer);
        if (timer.due_tick <= tick_) {
          timer.fire(timer);
        } else {
          link(timer);
        }
      }
    }
  }
  tick_ = target;
}

}  // namespace weft::gvt
