#include "gvt/scheduler.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/detail/coro_promise.hpp"
#include "weft/detail/coro_scope.hpp"

#include <cstdlib>

namespace weft::detail {

void stop_for_empty_task() noexcept {
  WEFT_ASSERT(false && "this Task stands for no coroutine: it was awaited, or moved from");
  std::abort();
}

void stop_for_task_under_way() noexcept {
  WEFT_ASSERT(false && "a coroutine is dropped while it waits, or by itself");
  std::abort();
}

void stop_for_no_worker() noexcept {
  WEFT_ASSERT(false && "coroutines run beside each other on a worker: see weft::run");
  std::abort();
}

CoroDeadline::CoroDeadline(Strand& strand, std::int64_t deadline_ns) noexcept
    : Timer(&CoroDeadline::expired),
      home_(strand.home()),
      node_(current_task().cancel, deadline_ns),
      ambient_(&node_) {
  if (home_ != nullptr && deadline_ns != kNever) home_->timers().set(*this, {deadline_ns});
}

CoroDeadline::~CoroDeadline() {
  if (is_set()) home_->timers().clear(*this);
}

void CoroDeadline::expired(Timer& self) {
  static_cast<CoroDeadline&>(self).node_.cancel(CancelReason::timed_out);
}

}  // namespace weft::detail
