#include "gvt/scheduler.hpp"
#include "weft/detail/coro_strand.hpp"

#include <utility>

namespace weft::detail {

Strand::Strand() noexcept : Runnable(&Strand::run_ready), home_(gvt::current_scheduler()) {}

void Strand::begin_with(std::coroutine_handle<> first, CancelNode* cancel,
                        const char* name) noexcept {
  current_ = first;
  state_.cancel = cancel;
  state_.name = name;
}

void Strand::make_ready() noexcept { home_->make_ready(*this); }

void Strand::run_here() noexcept {
  // A coroutine may park the stack it runs on, and go on there with the stack's record as it was.
  const TaskState outer = std::exchange(current_task(), state_);
  if (home_ != nullptr && state_.id == 0) current_task().id = home_->next_task_id();
  suspended_ = false;
  do {
    current_.resume();
  } while (!suspended_);
  if (!ended_) {
    state_ = std::exchange(current_task(), outer);
    return;
  }
  drop_coroutine();
  TaskState& left = current_task();
  if (left.locals != nullptr) drop_locals(left);
  left = outer;
  ended();
}

void* take_frame(std::size_t bytes) {
  gvt::Scheduler* const here = gvt::current_scheduler();
  if (here != nullptr) return here->frames().take(bytes);
  return ::operator new(gvt::FramePool::rounded_up(bytes));
}

void give_back_frame(void* frame, std::size_t bytes) noexcept {
  gvt::Scheduler* const here = gvt::current_scheduler();
  if (here != nullptr) return here->frames().give_back(frame, bytes);
  ::operator delete(frame);
}

void external_wait_begins(const Strand& strand) noexcept { strand.home()->external_wait_begins(); }

void external_wait_ended(const Strand& strand) noexcept { strand.home()->external_wait_ended(); }

}  // namespace weft::detail
