// Waiter: one wait of a green thread, a coroutine or an OS thread, as whoever may end it sees it.
//
// The protocol.
// 1. Make the waiter. That prepares the park: it may throw, and tells the park observer. So it
//    comes before the waiter is put anywhere.
// 2. Put it where those who may end the wait find it.
// 3. wait(). Whoever wants to end it calls claim(), from any thread; of all who do, one gets true,
//    and that one calls wake(), once, and looks at the waiter no more.
// 4. wait() returns the outcome that was claimed. When that is timed_out or cancelled, the caller
//    takes the waiter out of where it put it; whoever finds it there until then cannot claim it.
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/detail/runnable.hpp"

namespace weft::gvt {
class Scheduler;
}

namespace weft::detail {

class CancelNode;

// How a wait ended (cancelled: the node of the caller's task has the reason); what is above `woken`
// is for the users of a waiter to give a meaning.
enum class Outcome : std::uint32_t { none, timed_out, cancelled, woken };

// Nanoseconds on the clock of the caller's worker, or on the monotonic clock outside workers.
inline constexpr std::int64_t kNever = INT64_MAX;
std::int64_t now_ns() noexcept;
// Saturates.
std::int64_t deadline_after(std::int64_t delay_ns) noexcept;

class Waiter {
 public:
  // Of the caller, who waits for `what` (a string that lives for ever), at `object`.
  explicit Waiter(const char* what, const void* object = nullptr);
  // Of something that is not on a stack: `task` is made ready on `home`.
  Waiter(Runnable& task, gvt::Scheduler& home) noexcept : task_(&task), home_(&home) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  bool claim(Outcome outcome) noexcept {
    Outcome none = Outcome::none;
    return outcome_.compare_exchange_strong(none, outcome, std::memory_order_acq_rel,
                                            std::memory_order_acquire);
  }
  void wake() noexcept;
  // Whether someone has claimed it: a wake is on its way.
  bool claimed() const noexcept { return outcome() != Outcome::none; }
  Outcome outcome() const noexcept { return outcome_.load(std::memory_order_acquire); }

  // Parks (or blocks, outside a worker) until woken, until the caller is cancelled, or until the
  // deadline.
  Outcome wait(std::int64_t deadline_ns = kNever);
  // The same, whatever becomes of the caller.
  Outcome wait_uncancelled();

 private:
  friend class ArmedWait;

  void park() noexcept;
  void block(CancelNode* node, std::int64_t deadline_ns) noexcept;

  Runnable* task_ = nullptr;  // null: an OS thread
  gvt::Scheduler* home_ = nullptr;
  std::atomic<Outcome> outcome_{Outcome::none};
  std::atomic<std::uint32_t> awake_{0};  // what an OS thread sleeps on
  const char* what_ = nullptr;
  const void* object_ = nullptr;
};

}  // namespace weft::detail
