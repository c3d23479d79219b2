#include "gvt/scheduler.hpp"
#include "weft/detail/coro_root.hpp"

namespace weft::detail {

void spawned_coroutine_ended(gvt::Scheduler& home) noexcept { home.task_ended(); }

void WaitedStrand::run_and_wait() {
  if (home() == nullptr) return run_here();
  // Nothing is begun before all that could fail has been done.
  Waiter waiter("the end of a coroutine", this);
  waiter_ = &waiter;
  make_ready();
  waiter.wait_uncancelled();
}

void WaitedStrand::ended() noexcept {
  if (waiter_ != nullptr && waiter_->claim(Outcome::woken)) waiter_->wake();
}

}  // namespace weft::detail
