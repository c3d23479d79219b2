// Pulse: a word that a worker moves on at every turn of its loop, so that another thread can see
// whether it does.
//
// The worker writes, with plain stores; anyone reads. Who watches sleeps while all its workers
// wait, and the first to go back to work wakes it.
#pragma once

#include <atomic>
#include <cstdint>

#include "ksvc/notify/futex_call.hpp"

namespace weft::gvt {

class alignas(64) Pulse {
 public:
  // `watcher_sleeps` is 1 while the watcher sleeps on it.
  explicit Pulse(std::atomic<std::uint32_t>& watcher_sleeps) noexcept
      : watcher_sleeps_(watcher_sleeps) {}
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  // The worker's thread: it is at work, and has got to its loop.
  void turn_begins() noexcept {
    const std::uint64_t before = word_.load(std::memory_order_relaxed);
    word_.store((before | kAtWork) + kTurn, std::memory_order_release);
    // The watcher says that it is going to sleep long before it does: no fence is needed here.
    if ((before & kAtWork) == 0 && watcher_sleeps_.load(std::memory_order_relaxed) != 0)
      wake_watcher();
  }
  // The worker's thread: it enters the kernel to wait, for as long as that takes.
  void wait_begins() noexcept {
    const std::uint64_t before = word_.load(std::memory_order_relaxed);
    word_.store(before & ~kAtWork, std::memory_order_release);
  }

  // Another word than before: it has been in its loop since.
  std::uint64_t word() const noexcept { return word_.load(std::memory_order_acquire); }
  static bool at_work(std::uint64_t word) noexcept { return (word & kAtWork) != 0; }

 private:
  static constexpr std::uint64_t kAtWork = 1;
  static constexpr std::uint64_t kTurn = 2;

  [[gnu::cold]] [[gnu::noinline]] void wake_watcher() noexcept {
    if (watcher_sleeps_.exchange(0) != 0)
      ksvc::futex_wake(watcher_sleeps_, ksvc::FutexScope::process);
  }

  std::atomic<std::uint64_t> word_{0};
  std::atomic<std::uint32_t>& watcher_sleeps_;
};

}  // namespace weft::gvt
