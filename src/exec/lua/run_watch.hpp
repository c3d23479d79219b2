// RunWatch: ends scripts that compute for too long, one for each thread that runs some.
//
// A timer of the thread's own CPU time looks now and then whether the same stretch of a script is
// still running, by a signal (SIGVTALRM) that the thread gets itself; so a thread that is idle is
// never woken, and a script that runs pays nothing but two stores. The watched say which state
// runs; the signal's handler calls expire() and tell(), which must be fit for that.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weft {

namespace detail {
class CancelNode;
}

namespace exec::lua {

class Vm;

class RunWatch {
 public:
  // This thread's; made when it is first asked for, and kept for other threads when it ends. Null
  // where the system gives no timer.
  static RunWatch* of_this_thread() noexcept;

  // Zero: no limit. `task`: what ends it when it is cancelled, and outlives end(); null: nothing.
  void begin(Vm& vm, std::chrono::milliseconds limit,
             const weft::detail::CancelNode* task) noexcept {
    task_.store(task, std::memory_order_relaxed);
    limit_ns_ = std::chrono::nanoseconds(limit).count();
    stretch_.store(stretch_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    running_.store(&vm, std::memory_order_release);
  }
  void end() noexcept { running_.store(nullptr, std::memory_order_release); }

  // Of the signal's handler.
  void look() noexcept;

 private:
  friend struct ThreadWatch;

  bool arm() noexcept;

  std::atomic<Vm*> running_{nullptr};
  std::atomic<std::uint64_t> stretch_{0};
  std::atomic<std::int64_t> limit_ns_{0};
  std::atomic<const weft::detail::CancelNode*> task_{nullptr};
  // The handler's.
  std::uint64_t seen_ = 0;
  std::int64_t seen_at_ns_ = 0;
  bool told_ = false;

  void* timer_ = nullptr;
  RunWatch* next_ = nullptr;
};

}  // namespace exec::lua

}  // namespace weft
