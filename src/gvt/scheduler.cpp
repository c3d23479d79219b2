#include "gvt/scheduler.hpp"

#include <cxxabi.h>
#include <sched.h>

#include <cerrno>
#include <new>
#include <utility>

#include "gvt/no_park.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::gvt {

namespace {
thread_local Scheduler* t_scheduler = nullptr;
thread_local unsigned t_no_parks = 0;

ExceptionState* exceptions_of_this_thread() noexcept {
  return reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}
}  // namespace

[[gnu::noinline]] Scheduler* current_scheduler() noexcept {
  __asm__ volatile("");  // keeps callers from being specialised on a result seen before
  return t_scheduler;
}

[[gnu::noinline]] void set_current_scheduler(Scheduler* scheduler) noexcept {
  t_scheduler = scheduler;
}

[[gnu::noinline]] NoPark::NoPark() noexcept { ++t_no_parks; }

[[gnu::noinline]] NoPark::~NoPark() { --t_no_parks; }

Scheduler::Scheduler(const SchedulerOptions& options, TimePoint now)
    : turn_time_(now),
      timers_(now),
      stack_bytes_(options.stack_bytes),
      stacks_(options.stack_bytes),
      os_thread_(nullptr, {}) {}

Scheduler::~Scheduler() {
  if (t_scheduler == this) t_scheduler = nullptr;
}

void Scheduler::post(Runnable&) noexcept {
  WEFT_ASSERT(false && "this scheduler has no way in for other threads");
}

GreenThread* Scheduler::take_green_thread(void (*entry)()) {
  return make_green_thread(stacks_.take(), entry);
}

bool Scheduler::describes(const void* fault_address, OverflowedStack& overflowed) const noexcept {
  if (running_ == nullptr || !is_in_guard(running_->stack, fault_address)) return false;
  if (running_->task.name != nullptr) overflowed.name = running_->task.name;
  overflowed.id = running_->task.id;
  overflowed.stack_bytes = running_->stack.size;
  return true;
}

GreenThread* Scheduler::record_of(const Stack& stack) noexcept {
  char* place = stack.top() - sizeof(GreenThread);
  place -= reinterpret_cast<std::uintptr_t>(place) % 64;
  return reinterpret_cast<GreenThread*>(place);
}

// The stacks that are nobody's: the loop's while it calls nothing, and its spare one.
bool Scheduler::counts(const GreenThread& thread) const noexcept {
  if (&thread == spare_ || &thread == finished_) return false;
  if (&thread == running_) return thread.task.id != 0;
  return thread.parked_on.load(std::memory_order_relaxed) == this;
}

// Movable green threads that wait here: their stacks may be another scheduler's.
void Scheduler::list_movable(GreenThread& thread) noexcept {
  thread.next_movable = movable_;
  thread.previous_movable = &movable_;
  if (movable_ != nullptr) movable_->previous_movable = &thread.next_movable;
  movable_ = &thread;
}

void Scheduler::unlist_movable(GreenThread& thread) noexcept {
  if (thread.previous_movable == nullptr) return;
  *thread.previous_movable = thread.next_movable;
  if (thread.next_movable != nullptr) {
    thread.next_movable->previous_movable = thread.previous_movable;
  }
  thread.previous_movable = nullptr;
}

GreenThread* Scheduler::make_green_thread(const Stack& stack, void (*entry)()) {
  GreenThread* const place = record_of(stack);
  sanitizer::Fiber fiber;
  fiber.create(stack.bottom, stack.size);
  auto* thread = new (place) GreenThread(&Scheduler::resume, stack);
  thread->fiber = fiber;
  thread->context = fresh_context(place, entry);
  return thread;
}

[[gnu::always_inline]] inline void Scheduler::switch_to(GreenThread& from,
                                                        GreenThread& to) noexcept {
  from.exceptions = *thread_exceptions_;
  *thread_exceptions_ = to.exceptions;
  from.saved_errno = *thread_errno_;
  *thread_errno_ = to.saved_errno;
  running_ = &to;
  sanitizer::before_switch(from.fiber, to.fiber, false);
  switch_context(from.context, to.context);
  sanitizer::after_switch(from.fiber, nullptr);
}

void Scheduler::leave_for(GreenThread& from, GreenThread& to) noexcept {
  *thread_exceptions_ = to.exceptions;
  *thread_errno_ = to.saved_errno;
  running_ = &to;
  sanitizer::before_switch(from.fiber, to.fiber, true);
  // Where it was is of no interest, but must be stored where nothing goes before the stack does:
  // under AddressSanitizer a local variable may already be gone.
  switch_context(from.context, to.context);
  __builtin_unreachable();
}

void Scheduler::enter_loop() noexcept {
  Scheduler& self = *current_scheduler();
  GreenThread& here = *self.running_;
  sanitizer::after_switch(here.fiber, &self.os_thread_.fiber);
  self.reclaim_finished();
  self.loop();
  // Only the loop's own stack can get here: a stack that has parked ends in finish().
  self.leave_for(*self.loop_thread_, self.os_thread_);
}

void Scheduler::begin_loop() {
  WEFT_ASSERT(current_scheduler() == nullptr);
  loop_thread_ = take_green_thread(&Scheduler::enter_loop);
  set_current_scheduler(this);
  thread_exceptions_ = exceptions_of_this_thread();
  thread_errno_ = &errno;
  os_thread_.fiber.adopt_thread_stack();
  os_thread_watch_.emplace(static_cast<const OverflowReporter&>(*this));
  running_ = &os_thread_;
  resumed_ = loop_thread_;
}

bool Scheduler::resume_loop() noexcept {
  WEFT_ASSERT(running_ == &os_thread_ && resumed_ != nullptr);
  switch_to(os_thread_, *std::exchange(resumed_, nullptr));
  return resumed_ != nullptr;
}

void Scheduler::end_loop() {
  WEFT_ASSERT(running_ == &os_thread_ && resumed_ == nullptr);
  reclaim(*loop_thread_);
  if (spare_ != nullptr) reclaim(*std::exchange(spare_, nullptr));
  loop_thread_ = nullptr;
  running_ = nullptr;
  os_thread_watch_.reset();
  set_current_scheduler(nullptr);
}

void Scheduler::visit_os_thread() noexcept {
  GreenThread& here = *running_;
  WEFT_ASSERT(&here != &os_thread_ && !here.task.movable);
  const NoPark until_resumed;
  resumed_ = &here;
  switch_to(here, os_thread_);
}

bool Scheduler::run_one() {
  Runnable* task = ready_.pop();
  if (task == nullptr) return false;
  GreenThread* const stack = running_;
  task->run(*task);
  // Who came here may be on another scheduler than this call began on.
  Scheduler& here = *current_scheduler();
  here.task_left(*stack);
  if (here.loop_thread_ != stack) [[unlikely]]
    here.finish(*stack);
  return true;
}

inline void Scheduler::task_left(GreenThread& stack) noexcept {
  if (stack.task.locals != nullptr) [[unlikely]]
    detail::drop_locals(stack.task);
  stack.task = {};
}

void Scheduler::make_ready_on_own_stack(Runnable& task, std::size_t stack_bytes) {
  GreenThread* thread = make_green_thread(stacks_.take(stack_bytes), &Scheduler::enter_task);
  thread->first = &task;
  thread->waiting.what = "its first turn";
  thread->parked_on.store(this, std::memory_order_relaxed);
  ++parked_;
  make_ready(*thread);
}

void Scheduler::start_task(Runnable& task, const detail::StartOptions& options) {
  if (options.stack_bytes > stack_bytes_) {
    // What throws has started nothing; what does not is run by this thread, later.
    make_ready_on_own_stack(task, options.stack_bytes);
    return task_started();
  }
  // Before anyone else may run it to its end.
  task_started();
  if (options.movable && group_ != nullptr) {
    share(task);
  } else {
    make_ready(task);
  }
}

void Scheduler::wake(Runnable& task) noexcept {
  Scheduler* const caller = current_scheduler();
  if (caller == this) {
    may_move(task) && group_ != nullptr ? share(task) : make_ready(task);
  } else if (caller != nullptr && caller->group_ != nullptr && caller->group_ == group_) {
    post(task);
  } else {
    // What is posted may be the last thing that this scheduler runs, before post() has returned.
    visitors_.fetch_add(1, std::memory_order_relaxed);
    post(task);
    visitors_.fetch_sub(1, std::memory_order_release);
  }
}

void Scheduler::wait_for_visitors() const noexcept {
  while (visitors_.load(std::memory_order_acquire) != 0) ::sched_yield();
}

bool Scheduler::may_move(const Runnable& task) noexcept {
  if (task.run != &Scheduler::resume) return false;
  const auto& thread = static_cast<const GreenThread&>(task);
  return thread.task.movable && !thread.task.stays && thread.bound == 0;
}

// A parked green thread is counted where it will be resumed.
void Scheduler::share(Runnable& task) noexcept {
  if (task.run == &Scheduler::resume) {
    --parked_;
    unlist_movable(static_cast<GreenThread&>(task));
  }
  shared_.push(task);
  group_->work_is_there();
}

void Scheduler::adopt(Runnable& task) noexcept {
  if (task.run == &Scheduler::resume) ++parked_;
  make_ready(task);
}

void Scheduler::take_in_as_member(RunQueue& arrived) noexcept {
  while (Runnable* task = arrived.pop()) may_move(*task) ? share(*task) : make_ready(*task);
  if (take_own_shared() || has_ready()) return;
  if (Runnable* other = group_->take_from_others(index_)) adopt(*other);
}

void Scheduler::enter_task() noexcept {
  Scheduler& begun_on = *current_scheduler();
  GreenThread& here = *begun_on.running_;
  sanitizer::after_switch(here.fiber, nullptr);
  begun_on.reclaim_finished();
  here.first->run(*here.first);
  Scheduler& self = *current_scheduler();
  self.task_left(here);
  self.finish(here);
}

void Scheduler::resume(Runnable& green_thread) noexcept {
  Scheduler& self = *current_scheduler();
  self.switch_to(*self.loop_thread_, self.unparked(green_thread));
  self.reclaim_finished();
}

inline GreenThread& Scheduler::unparked(Runnable& green_thread) noexcept {
  auto& thread = static_cast<GreenThread&>(green_thread);
  --parked_;
  thread.parked_on.store(nullptr, std::memory_order_relaxed);
  if (thread.task.movable) [[unlikely]]
    unlist_movable(thread);
  return thread;
}

// Where a stack that gives the thread away goes: straight to the green thread whose turn is next,
// and to the loop for everything else.
inline GreenThread& Scheduler::next_stack() noexcept {
  Runnable* const next = ready_.first();
  if (next == nullptr || next->run != &Scheduler::resume || tasks_left_ == 0) return *loop_thread_;
  --tasks_left_;
  return unparked(*ready_.pop());
}

void Scheduler::prepare_park() {
  WEFT_ASSERT(t_no_parks == 0 && "nothing parks while a NoPark stands");
  if (running_->observer != nullptr) running_->observer->before_park();
  keep_spare_stack();
}

void Scheduler::park_prepared(const char* what, const void* object) noexcept {
  GreenThread& self = *running_;
  ++parked_;
  self.waiting = {what, object, turn_time_};
  if (self.task.id == 0) self.task.id = next_task_id();
  if (self.task.movable) [[unlikely]] {
    list_movable(self);
  } else {
    self.parked_on.store(this, std::memory_order_relaxed);
  }
  if (&self == loop_thread_) {
    WEFT_ASSERT(spare_ != nullptr);
    loop_thread_ = std::exchange(spare_, nullptr);
  }
  GreenThread& next = next_stack();
  if (&next == &self) return;
  switch_to(self, next);
  // One that may move has perhaps come back on another scheduler.
  Scheduler& here = self.task.movable ? *current_scheduler() : *this;
  here.reclaim_finished();
}

void Scheduler::yield() {
  Runnable* const next = ready_.first();
  const bool is_straight = next != nullptr && next->run == &Scheduler::resume && tasks_left_ > 0 &&
                           running_ != loop_thread_ && running_->observer == nullptr;
  if (is_straight) return yield_to_next();
  prepare_park();
  make_ready(*running_);
  park_prepared("its turn");
}

// The same as for whatever parks, without what a green thread that is ready at once has no use for.
inline void Scheduler::yield_to_next() noexcept {
  WEFT_ASSERT(t_no_parks == 0 && "nothing parks while a NoPark stands");
  GreenThread& self = *running_;
  if (self.task.id == 0) self.task.id = next_task_id();
  self.task.movable ? list_movable(self) : self.parked_on.store(this, std::memory_order_relaxed);
  ++parked_;
  make_ready(self);
  switch_to(self, next_stack());
  Scheduler& here = self.task.movable ? *current_scheduler() : *this;
  here.reclaim_finished();
}

void Scheduler::finish(GreenThread& done) noexcept {
  WEFT_ASSERT(&done == running_ && finished_ == nullptr);
  finished_ = &done;
  leave_for(done, next_stack());
}

// Every way onto a stack ends in this, since whoever left may have ended there.
inline void Scheduler::reclaim_finished() noexcept {
  if (finished_ != nullptr) [[unlikely]]
    reclaim(*std::exchange(finished_, nullptr));
}

// Only ever called from another stack: neither a fiber nor a stack can take itself away.
void Scheduler::reclaim(GreenThread& done) noexcept {
  done.fiber.destroy();
  stacks_.give_back(done.stack);
}

}  // namespace weft::gvt
