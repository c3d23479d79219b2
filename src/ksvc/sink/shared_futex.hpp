// SharedFutex: sleeping on a word in memory that processes share, and waking who sleeps there.
//
// Both keep errno. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>

#include "ksvc/notify/futex_call.hpp"

namespace weft::ksvc {

struct SharedFutex {
  static void wake(const std::atomic<std::uint32_t>& word) noexcept {
    futex_wake(word, FutexScope::shared);
  }
  static void wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::chrono::nanoseconds at_most) noexcept {
    futex_wait(word, expected, at_most, FutexScope::shared);
  }
};

// How one end of a completion ring wakes the other, which sleeps and has set `word` to say so.
template <class W>
concept RingWake = requires(W& wake, const std::atomic<std::uint32_t>& word) {
  { wake(word) } noexcept -> std::same_as<void>;
};

// The other end waits on the word itself.
struct WakeByFutex {
  void operator()(const std::atomic<std::uint32_t>& word) const noexcept {
    SharedFutex::wake(word);
  }
};
static_assert(RingWake<WakeByFutex>);

// The other end is a loop with a notifier, or a gate in front of one, and looks at the ring when it
// was woken.
template <class Notifier>
struct WakeByNotifier {
  void operator()(const std::atomic<std::uint32_t>&) const noexcept { notifier->wake(); }

  Notifier* notifier;
};

}  // namespace weft::ksvc
