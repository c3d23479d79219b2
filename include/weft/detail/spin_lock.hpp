// SpinLock: a lock around a handful of instructions that never park, wait or call user code.
//
// Any thread. Who finds it taken spins a little, then lets the operating system run the holder,
// which may have been preempted.
#pragma once

#include <atomic>

namespace weft::detail {

class SpinLock {
 public:
  void lock() noexcept {
    if (taken_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      wait_for_it();
  }
  void unlock() noexcept { taken_.store(false, std::memory_order_release); }

 private:
  void wait_for_it() noexcept;

  std::atomic<bool> taken_{false};
};

// Holds a lock from here to the end of the block.
class SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~SpinGuard() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace weft::detail
