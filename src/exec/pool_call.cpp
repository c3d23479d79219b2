#include "exec/pool_call.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "exec/workshop.hpp"
#include "http/error_answer.hpp"
#include "http/site.hpp"
#include "weft/cancel.hpp"
#include "weft/detail/task_state.hpp"

namespace weft::exec {

std::chrono::nanoseconds thread_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

PoolCall::PoolCall(Workshop& workshop, Lane& lane, http::Exchange& exchange, const PoolWork& work)
    : Runnable(&PoolCall::came_round),
      PoolTask(&PoolCall::run_on_pool),
      workshop_(workshop),
      lane_(lane),
      exchange_(exchange),
      work_(work),
      bodies_(exchange),
      waiter_(*this, *gvt::current_scheduler()),
      armed_(waiter_) {
  set_way({lane.gate(), &lane.executor().gate, &workshop.pool_gate()});
}

PoolCall& PoolCall::make(Workshop& workshop, Lane& lane, http::Exchange& exchange,
                         const PoolWork& work) {
  workshop.need_pool();
  return *new PoolCall(workshop, lane, exchange, work);
}

bool PoolCall::has_ended(http::ToldOfAnswer told, detail::CancelNode* node) noexcept {
  told_ = told;
  cancel_.emplace(node);
  bodies_.stand_in_front();
  entered_ns_ = detail::now_ns();
  workshop_.enter(*this);
  if (waiter_.claimed()) return false;
  // It stands in a line.
  const std::int64_t deadline =
      detail::deadline_after(std::chrono::nanoseconds(lane_.queue_time()).count());
  if (!armed_.arm(node, deadline)) end();
  return ended_;
}

void PoolCall::run_on_pool(ksvc::PoolTask& task) noexcept { static_cast<PoolCall&>(task).run(); }

void PoolCall::run() noexcept {
  // Nobody waits any more for what this would begin.
  if (cancel_->reason() == detail::CancelReason::none) {
    begun_ns_ = detail::now_ns();
    detail::TaskState& task = detail::current_task();
    const detail::TaskState outer = task;
    task = {};
    task.cancel = &*cancel_;
    task.name = work_.name;
    const bool measured = work_.has_run != nullptr;
    const auto before = measured ? thread_time() : std::chrono::nanoseconds(0);
    try {
      work_.run(work_.object, exchange_);
    } catch (...) {
      failure_ = std::current_exception();
    }
    if (task.locals != nullptr) detail::drop_locals(task);
    task = outer;
    if (measured) report_.processor_time = thread_time() - before;
  }
  Workshop& workshop = workshop_;  // from the wake on this may be gone
  waiter_.wake();
  workshop.has_come_round();
}

void PoolCall::came_round(detail::Runnable& self) noexcept {
  auto& call = static_cast<PoolCall&>(self);
  call.end();
  call.told_.tell(call.told_.object);
}

// It has run, or it will not.
void PoolCall::end() noexcept {
  const bool admitted = waiter_.outcome() == detail::Outcome::woken;
  admitted ? workshop_.leave(*this) : workshop_.withdraw(*this);
  bodies_.stand_back();
  ended_ = true;
  if (begun_ns_ != 0 && work_.has_run != nullptr) {
    report_.refused = bodies_.refused();
    work_.has_run(work_.object, exchange_, report_);
  }
  for (QueueFigures* const figures : {&lane_.figures(), &lane_.executor().figures}) {
    if (begun_ns_ != 0) {
      figures->count_begun(begun_ns_ - entered_ns_);
    } else if (waiter_.outcome() == detail::Outcome::timed_out) {
      figures->count_rejected();
    } else {
      figures->count_dropped();
    }
  }
}

void PoolCall::fill(Context& /*context*/) {
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (begun_ns_ != 0) return;
  if (waiter_.outcome() == detail::Outcome::timed_out) return answer_busy();
  throw Cancelled(cancel_->reason());
}

void PoolCall::answer_busy() {
  http::Response& response = exchange_.response();
  // A client that waits as long again comes behind what is running now.
  const auto wait = std::chrono::ceil<std::chrono::seconds>(lane_.queue_time()).count();
  http::answer_error(exchange_.site().error_wording, response, 503,
                     "Too many requests wait for this\n");
  response.add_field("Retry-After", std::to_string(std::max<std::int64_t>(wait, 1)));
}

void PoolCall::request_ended() noexcept {
  armed_.disarm();
  delete this;
}

}  // namespace weft::exec
