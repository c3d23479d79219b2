#include "gvt/scheduler.hpp"

#include <cxxabi.h>

#include <new>
#include <utility>

#include "ksvc/core/assert.hpp"

namespace weft::gvt {

namespace {
thread_local Scheduler* t_scheduler = nullptr;

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

Scheduler::Scheduler(const SchedulerOptions& options, TimePoint now)
    : timers_(now), stacks_(options.stack_bytes), os_thread_(nullptr, {}) {}

Scheduler::~Scheduler() {
  if (t_scheduler == this) t_scheduler = nullptr;
}

GreenThread* Scheduler::take_green_thread() {
  const Stack stack = stacks_.take();
  char* place = stack.top() - sizeof(GreenThread);
  place -= reinterpret_cast<std::uintptr_t>(place) % 64;
  sanitizer::Fiber fiber;
  fiber.create(stack.bottom, stack.size);
  auto* thread = new (place) GreenThread(&Scheduler::resume, stack);
  thread->fiber = fiber;
  thread->context = fresh_context(place, &Scheduler::enter_loop);
  return thread;
}

[[gnu::always_inline]] inline void Scheduler::switch_to(GreenThread& from,
                                                        GreenThread& to) noexcept {
  from.exceptions = *thread_exceptions_;
  *thread_exceptions_ = to.exceptions;
  running_ = &to;
  sanitizer::before_switch(from.fiber, to.fiber, false);
  switch_context(from.context, to.context);
  sanitizer::after_switch(from.fiber, nullptr);
}

void Scheduler::leave_for(GreenThread& from, GreenThread& to) noexcept {
  *thread_exceptions_ = to.exceptions;
  running_ = &to;
  Context dropped;
  sanitizer::before_switch(from.fiber, to.fiber, true);
  switch_context(dropped, to.context);
  __builtin_unreachable();
}

void Scheduler::enter_loop() noexcept {
  Scheduler& self = *current_scheduler();
  GreenThread& here = *self.running_;
  sanitizer::after_switch(here.fiber, &self.os_thread_.fiber);
  self.loop();
  // Only the loop's own stack can get here: a stack that has parked ends in finish().
  self.leave_for(*self.loop_thread_, self.os_thread_);
}

void Scheduler::run_loop_until_it_returns() {
  WEFT_ASSERT(current_scheduler() == nullptr);
  set_current_scheduler(this);
  thread_exceptions_ = exceptions_of_this_thread();
  os_thread_.fiber.adopt_thread_stack();
  loop_thread_ = take_green_thread();
  switch_to(os_thread_, *loop_thread_);
  reclaim(*loop_thread_);
  if (spare_ != nullptr) reclaim(*std::exchange(spare_, nullptr));
  loop_thread_ = nullptr;
  running_ = nullptr;
  set_current_scheduler(nullptr);
}

bool Scheduler::run_one() {
  Runnable* task = ready_.pop();
  if (task == nullptr) return false;
  GreenThread* const stack = running_;
  task->run(*task);
  if (loop_thread_ != stack) [[unlikely]]
    finish(*stack);
  return true;
}

void Scheduler::resume(Runnable& green_thread) noexcept {
  Scheduler& self = *current_scheduler();
  --self.parked_;
  self.switch_to(*self.loop_thread_, static_cast<GreenThread&>(green_thread));
  if (self.finished_ != nullptr) {
    self.reclaim(*self.finished_);
    self.finished_ = nullptr;
  }
}

void Scheduler::prepare_park() {
  if (running_->observer != nullptr) running_->observer->before_park();
  if (running_ == loop_thread_ && spare_ == nullptr) spare_ = take_green_thread();
}

void Scheduler::park_prepared() noexcept {
  GreenThread& self = *running_;
  ++parked_;
  if (&self == loop_thread_) {
    WEFT_ASSERT(spare_ != nullptr);
    loop_thread_ = std::exchange(spare_, nullptr);
  }
  switch_to(self, *loop_thread_);
}

void Scheduler::yield() {
  prepare_park();
  make_ready(*running_);
  park_prepared();
}

void Scheduler::finish(GreenThread& done) noexcept {
  WEFT_ASSERT(&done == running_ && finished_ == nullptr);
  finished_ = &done;
  leave_for(done, *loop_thread_);
}

// Only ever called from another stack: neither a fiber nor a stack can take itself away.
void Scheduler::reclaim(GreenThread& done) noexcept {
  done.fiber.destroy();
  stacks_.give_back(done.stack);
}

}  // namespace weft::gvt
