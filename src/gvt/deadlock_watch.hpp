// DeadlockWatch: notices when all workers of a program sleep and none of them expects anything: no
// timer, no operation of the kernel's, no pool thread. Then what is parked waits for each other.
//
// It costs nothing but when a worker goes to sleep like that. The last one to do so sleeps for a
// moment only, and when nothing has moved by then, it reports, once. Who could still wake them is
// an OS thread that is no worker: a program that has such threads leaves this off.
// Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "weft/detail/runnable.hpp"

namespace weft::gvt {

class DeadlockWatch {
 public:
  static constexpr std::chrono::milliseconds kMoment{100};

  // `report` is run as a task on the worker that noticed.
  DeadlockWatch(unsigned workers, detail::Runnable& report) noexcept
      : all_(workers == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << workers) - 1),
        report_(report) {}

  // A worker that expects nothing goes to sleep. True when all do: it should look again soon.
  bool sleeps(unsigned index) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << index;
    const bool last = (stuck_.fetch_or(bit, std::memory_order_acq_rel) | bit) == all_;
    return last && !reported_.load(std::memory_order_relaxed);
  }
  // It is awake again. What to run, if it looked again, no other had been woken, and all still
  // slept; otherwise null.
  detail::Runnable* wakes(unsigned index, bool looked_again) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << index;
    const bool all_slept = stuck_.fetch_and(~bit, std::memory_order_acq_rel) == all_;
    if (!looked_again || !all_slept) return nullptr;
    return reported_.exchange(true, std::memory_order_relaxed) ? nullptr : &report_;
  }

 private:
  std::uint64_t all_;
  detail::Runnable& report_;
  std::atomic<std::uint64_t> stuck_ = 0;  // a bit per worker
  std::atomic<bool> reported_ = false;
};

}  // namespace weft::gvt
