// SleepWord: where a worker without a back end of its own sleeps, and others wake it.
//
// The sleeper announces what it waits for, looks once more for what it may have missed, and sleeps.
// Whoever brings something makes it visible first and looks at the word after that, both with
// sequential consistency: one of the two sees the other, so no wake is lost, and only a wake of who
// does sleep enters the kernel. announce(), sleep() and awake() are the owner's; the rest may be
// called on any thread and in signal handlers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "ksvc/notify/futex_call.hpp"

namespace weft::ksvc {

enum class SleepsFor : std::uint32_t {
  nothing,      // awake
  completions,  // and for notifiers
  any_news,     // and for being told that requests were carried out
};

class SleepWord {
 public:
  void announce(SleepsFor what) noexcept {
    word_.store(static_cast<std::uint32_t>(what), std::memory_order_seq_cst);
  }
  // Returns at a wake, at a signal, or when the time is over.
  void sleep(SleepsFor what, std::chrono::nanoseconds at_most) noexcept {
    futex_wait(word_, static_cast<std::uint32_t>(what), at_most, FutexScope::process);
  }
  void awake() noexcept {
    word_.store(static_cast<std::uint32_t>(SleepsFor::nothing), std::memory_order_relaxed);
  }

  // Wakes who sleeps for `what`, or for more.
  void wake(SleepsFor what = SleepsFor::completions) noexcept {
    const std::uint32_t seen = word_.load(std::memory_order_seq_cst);
    if (seen < static_cast<std::uint32_t>(what)) return;
    constexpr auto kAwake = static_cast<std::uint32_t>(SleepsFor::nothing);
    if (word_.exchange(kAwake, std::memory_order_seq_cst) == kAwake) return;
    futex_wake(word_, FutexScope::process);
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace weft::ksvc
