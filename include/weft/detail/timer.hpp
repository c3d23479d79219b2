// Timer: something that is due at a time, linked into a worker's timers without an allocation.
//
// It must stay put while it is set. Its worker's thread only.
#pragma once

#include <cstdint>

namespace weft::detail {

struct Timer {
  using Fire = void (*)(Timer& self);

  explicit Timer(Fire fire_function) noexcept : fire(fire_function) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool is_set() const noexcept { return previous != nullptr; }

  Timer* next = nullptr;
  Timer** previous = nullptr;  // what points to us
  std::int64_t due_tick = 0;
  Fire fire;
};

}  // namespace weft::detail
