#include "weft/detail/spawned_task.hpp"

#include <sched.h>

#include <cstdio>
#include <cstdlib>

#include "gvt/scheduler.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/cancel.hpp"

namespace weft::detail {

void stop_for_empty_handle() noexcept {
  WEFT_ASSERT(false && "this JoinHandle was joined, detached or moved from");
  std::abort();
}

void SpawnedTaskBase::start(const StartOptions& options) {
  gvt::Scheduler* const scheduler = gvt::current_scheduler();
  WEFT_ASSERT(scheduler != nullptr && "weft::spawn needs a worker: see weft::run");
  start_on(*scheduler, options);
}

void SpawnedTaskBase::start_on(gvt::Scheduler& scheduler, const StartOptions& options) {
  name_ = options.name;
  movable_ = options.movable;
  scheduler.start_task(*this, options);
}

void SpawnedTaskBase::run_task(Runnable& runnable) noexcept {
  auto& self = static_cast<SpawnedTaskBase&>(runnable);
  gvt::Scheduler& begun_on = *gvt::current_scheduler();
  TaskState& state = begun_on.running().task;
  // Without a handle there is nobody who could cancel it any more.
  if (self.state_.load(std::memory_order_acquire) != kLetGo ||
      self.cancel_.reason() != CancelReason::none) {
    state.cancel = &self.cancel_;
  }
  state.name = self.name_;
  state.movable = self.movable_;
  state.id = begun_on.next_task_id();
  try {
    self.body_(self);
  } catch (...) {
    self.fail();
  }
  // Its stack and what belongs to it are where they were, whichever scheduler this is now.
  if (state.locals != nullptr) [[unlikely]]
    drop_locals(state);
  // Before the end, after which the node that cancels is the handle's.
  gvt::Scheduler& here = state.movable ? *gvt::current_scheduler() : begun_on;
  state = {};
  self.end();
  here.task_ended();
}

void SpawnedTaskBase::fail() noexcept {
  failure_ = std::current_exception();
  try {
    throw;
  } catch (const Cancelled&) {
    // It did as it was asked.
  } catch (...) {
    failed_ = true;
  }
}

void SpawnedTaskBase::end() noexcept {
  const std::uintptr_t before = state_.exchange(kEnding, std::memory_order_acq_rel);
  if (before == kLetGo) {
    require_seen();
    return delete_(*this);
  }
  // A waiter that has given up meanwhile stays until the end is told, so it can be asked here.
  auto* const waiter = reinterpret_cast<Waiter*>(before);
  const bool claimed = before != kRunning && waiter->claim(Outcome::woken);
  // From here on this is the handle's.
  state_.store(kEnded, std::memory_order_release);
  if (claimed) waiter->wake();
}

// The run's thread is between two instructions of end().
void SpawnedTaskBase::await_ended() const noexcept {
  while (!ended()) ::sched_yield();
}

Outcome SpawnedTaskBase::wait(std::int64_t deadline_ns) {
  if (ended()) return Outcome::woken;
  Waiter waiter("the end of a green thread", this);
  if (!add_waiter(waiter)) return Outcome::woken;
  const Outcome outcome = waiter.wait(deadline_ns);
  if (outcome != Outcome::woken) drop_waiter(waiter);
  return outcome;
}

bool SpawnedTaskBase::add_waiter(Waiter& waiter) noexcept {
  std::uintptr_t state = kRunning;
  const auto address = reinterpret_cast<std::uintptr_t>(&waiter);
  if (state_.compare_exchange_strong(state, address, std::memory_order_acq_rel)) return true;
  WEFT_ASSERT((state == kEnding || state == kEnded) && "one may wait for a green thread at a time");
  await_ended();
  return false;
}

void SpawnedTaskBase::drop_waiter(Waiter& waiter) noexcept {
  auto state = reinterpret_cast<std::uintptr_t>(&waiter);
  if (!state_.compare_exchange_strong(state, kRunning, std::memory_order_acq_rel)) await_ended();
}

void SpawnedTaskBase::rethrow_failure() {
  failed_ = false;
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void SpawnedTaskBase::let_go() noexcept {
  std::uintptr_t state = kRunning;
  if (!ended() && state_.compare_exchange_strong(state, kLetGo, std::memory_order_acq_rel)) return;
  await_ended();
  require_seen();
  delete_(*this);
}

void SpawnedTaskBase::require_seen() noexcept {
  if (!failed_) return;
  std::fputs("weft: an exception left a green thread that nobody joined:\n", stderr);
  // Ends the process with the exception's own text.
  try {
    std::rethrow_exception(failure_);
  } catch (...) {
    std::terminate();
  }
}

}  // namespace weft::detail
