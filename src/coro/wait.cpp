#include "gvt/scheduler.hpp"
#include "weft/detail/coro_wait.hpp"

namespace weft::detail {

bool SleepAwaiter::suspend(Strand& strand, std::coroutine_handle<> caller) noexcept {
  on_worker_ = strand.home() != nullptr;
  if (!on_worker_ || weft::cancelled()) return false;
  if (duration_.count() <= 0) {
    strand.make_ready();
  } else if (!wait_.emplace(strand).arm(deadline_after(duration_.count()))) {
    return false;
  }
  strand.suspend_at(caller);
  return true;
}

void SleepAwaiter::await_resume() {
  if (!on_worker_) return weft::sleep(duration_);
  if (!wait_.has_value() || wait_->finish() == Outcome::cancelled) check_cancelled();
}

bool EndWait::suspend(SpawnedTaskBase& task, Strand& strand, std::coroutine_handle<> caller,
                      bool cancellable) noexcept {
  if (task.ended()) return false;
  wait_.emplace(strand);
  if (!task.add_waiter(wait_->waiter())) {
    wait_.reset();
    return false;
  }
  task_ = &task;
  const bool waits = !cancellable || wait_->arm();
  if (waits) strand.suspend_at(caller);
  return waits;
}

Outcome EndWait::finish() noexcept {
  if (!wait_.has_value()) return Outcome::woken;
  const Outcome outcome = wait_->finish();
  if (outcome != Outcome::woken) task_->drop_waiter(wait_->waiter());
  return outcome;
}

}  // namespace weft::detail
