// Scheduler: runs ready Runnables on the hot stack, and turns a stack that parks into a green
// thread.
//
// Invariants.
// - Exactly one stack is the loop's: `loop_thread_`. The loop calls each Runnable as a plain
//   function. If that call parks, its stack, the loop's frames below included, becomes a green
//   thread, and loop() starts anew on another stack. When the green thread's call has returned, its
//   stack is dropped and the frames of the old loop with it, so nothing between loop() and
//   run_one() may own anything.
// - Everything happens on the owner's OS thread; only the inbox of a worker is for others.
#pragma once

#include <cstddef>

#include "gvt/green_thread.hpp"
#include "gvt/timer_wheel.hpp"

namespace weft::gvt {

struct SchedulerOptions {
  std::size_t stack_bytes = 64 * 1024;
};

class Scheduler {
 public:
  Scheduler(const SchedulerOptions& options, TimePoint now);
  virtual ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void make_ready(Runnable& task) noexcept { ready_.push(task); }
  // Gets everything that a park needs, and tells the observer; only this may throw, and it comes
  // before the caller registers with whatever is to wake it.
  void prepare_park();
  // Gives the thread away until make_ready() is called with the running() of the caller, who has
  // prepared.
  void park_prepared() noexcept;
  void park() {
    prepare_park();
    park_prepared();
  }
  // Lets everything that is ready now go first; the kernel is looked at once per turn.
  void yield();

  // The stack we are on, as the record to hand to make_ready().
  GreenThread& running() noexcept { return *running_; }
  TimerWheel& timers() noexcept { return timers_; }
  std::size_t parked() const noexcept { return parked_; }

  // Counts the green threads that were spawned and have not ended, for whoever waits for all.
  void task_started() noexcept { ++live_tasks_; }
  void task_ended() noexcept {
    if (--live_tasks_ == 0) all_tasks_ended();
  }

 protected:
  virtual void all_tasks_ended() noexcept {}

  // The endless loop of the worker; entered anew, on another stack, whenever one parks. Returns
  // when the worker is to stop.
  virtual void loop() = 0;

  // Runs loop() on a stack of the pool, from the OS thread's own stack, until it returns.
  void run_loop_until_it_returns();
  bool run_one();
  bool has_ready() const noexcept { return !ready_.empty(); }
  RunQueue& ready() noexcept { return ready_; }

 private:
  static void enter_loop() noexcept;
  static void resume(Runnable& green_thread) noexcept;

  GreenThread* take_green_thread();
  void switch_to(GreenThread& from, GreenThread& to) noexcept;
  [[noreturn]] void leave_for(GreenThread& from, GreenThread& to) noexcept;
  [[noreturn]] void finish(GreenThread& done) noexcept;
  void reclaim(GreenThread& done) noexcept;

  RunQueue ready_;
  GreenThread* running_ = nullptr;
  GreenThread* loop_thread_ = nullptr;
  GreenThread* spare_ = nullptr;     // the stack that the loop goes on with when its own parks
  GreenThread* finished_ = nullptr;  // has left its stack for good, which is not yet given back
  ExceptionState* thread_exceptions_ = nullptr;
  std::size_t parked_ = 0;
  std::size_t live_tasks_ = 0;
  TimerWheel timers_;
  StackPool stacks_;
  GreenThread os_thread_;
};

// The scheduler of this OS thread; null outside a worker. Never inlined: a compiler may keep the
// address of a thread-local across a switch.
Scheduler* current_scheduler() noexcept;
void set_current_scheduler(Scheduler* scheduler) noexcept;

}  // namespace weft::gvt
