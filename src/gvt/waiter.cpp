#include "weft/detail/waiter.hpp"

#include <algorithm>
#include <chrono>

#include "gvt/blocking_io.hpp"
#include "gvt/scheduler.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/notify/futex_call.hpp"
#include "weft/detail/armed_wait.hpp"
#include "weft/detail/task_state.hpp"

namespace weft::detail {

std::int64_t now_ns() noexcept {
  const gvt::BlockingIo* io = gvt::current_io();
  return io != nullptr ? io->now().ns : ksvc::MonotonicClock().now().ns;
}

std::int64_t deadline_after(std::int64_t delay_ns) noexcept {
  const std::int64_t now = now_ns();
  return delay_ns > kNever - now ? kNever : now + delay_ns;
}

Waiter::Waiter(const char* what, const void* object)
    : home_(gvt::current_scheduler()), what_(what), object_(object) {
  if (home_ == nullptr) return;
  home_->prepare_park();
  task_ = &home_->running();
}

void Waiter::wake() noexcept {
  gvt::Scheduler* const home = home_;
  if (home == nullptr) {
    awake_.store(1, std::memory_order_release);
    // The waiter may be gone by now; the kernel looks at the address alone.
    ksvc::futex_wake(awake_, ksvc::FutexScope::process);
  } else {
    home->wake(*task_);
  }
}

inline void Waiter::park() noexcept {
  if (home_ != nullptr) {
    home_->park_prepared(what_, object_);
  } else {
    block(nullptr, kNever);
  }
}

// An OS thread has no timers: it ends its own wait when a deadline has passed, its own or that of
// what may cancel it.
void Waiter::block(CancelNode* node, std::int64_t deadline_ns) noexcept {
  while (awake_.load(std::memory_order_acquire) == 0) {
    const std::int64_t node_deadline = node != nullptr ? node->deadline_ns() : kNever;
    const std::int64_t earlier = std::min(deadline_ns, node_deadline);
    auto left = std::chrono::nanoseconds::max();
    if (earlier != kNever && !claimed()) {
      left = std::chrono::nanoseconds(earlier - now_ns());
      if (left.count() <= 0) {
        if (deadline_ns == earlier && claim(Outcome::timed_out)) return;
        if (node_deadline == earlier) node->cancel(CancelReason::timed_out);
        continue;
      }
    }
    ksvc::futex_wait(awake_, 0, left, ksvc::FutexScope::process);
  }
}

Outcome Waiter::wait_uncancelled() {
  park();
  return outcome();
}

Outcome Waiter::wait(std::int64_t deadline_ns) {
  CancelNode* const node = home_ != nullptr ? home_->running().task.cancel : current_task().cancel;
  if (node == nullptr && deadline_ns == kNever) {
    park();
    return outcome();
  }
  ArmedWait armed(*this);
  if (home_ == nullptr) {
    if (armed.arm(node, deadline_ns)) block(node, deadline_ns);
    armed.disarm();
    return outcome();
  }
  // A timer is this worker's; being cancelled binds nobody to it.
  gvt::GreenThread& here = home_->running();
  const std::uint32_t timers = deadline_ns != kNever ? 1 : 0;
  here.bound += timers;
  if (armed.arm(node, deadline_ns)) home_->park_prepared(what_, object_);
  armed.disarm();
  here.bound -= timers;
  return outcome();
}

bool ArmedWait::arm(CancelNode* node, std::int64_t deadline_ns) noexcept {
  if (node != nullptr && !node->listen(*this)) {
    return !waiter_.claim(Outcome::cancelled);
  }
  node_ = node;
  gvt::Scheduler* const home = waiter_.home_;
  if (home != nullptr && deadline_ns != kNever) {
    home->timers().set(*this, {deadline_ns});
    armed_timer_ = true;
  }
  return true;
}

void ArmedWait::disarm() noexcept {
  if (node_ != nullptr) node_->ignore(*this);
  if (!armed_timer_) return;
  waiter_.home_->timers().clear(*this);
}

void ArmedWait::cancelled(CancelListener& self, CancelReason) noexcept {
  Waiter& waiter = static_cast<ArmedWait&>(self).waiter_;
  if (waiter.claim(Outcome::cancelled)) waiter.wake();
}

void ArmedWait::expired(Timer& self) {
  Waiter& waiter = static_cast<ArmedWait&>(self).waiter_;
  if (waiter.claim(Outcome::timed_out)) waiter.wake();
}

}  // namespace weft::detail
