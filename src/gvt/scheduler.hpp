// Scheduler: runs ready Runnables on the hot stack, and turns a stack that parks into a green
// thread.
//
// Invariants.
// - Exactly one stack is the loop's: `loop_thread_`. The loop calls each Runnable as a plain
//   function. If that call parks, its stack, the loop's frames below included, becomes a green
//   thread, and loop() starts anew on another stack. When the green thread's call has returned, its
//   stack is dropped and the frames of the old loop with it, so nothing between loop() and
//   run_one() may own anything.
// - The OS thread's own stack and the loop take turns: who is on the loop may visit the OS thread,
//   which then goes on where it had resumed the loop. So what can only run on a real thread's stack
//   shares the thread with all of this.
// - Everything happens on the owner's OS thread; for others are post(), wake(), ring() and what is
//   shared with the members of a group: green threads that are ready, have nothing of this
//   scheduler's in hand, and were spawned to run on any worker.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "gvt/frame_pool.hpp"
#include "gvt/green_thread.hpp"
#include "gvt/sanitizer.hpp"
#include "gvt/shared_queue.hpp"
#include "gvt/stack_overflow.hpp"
#include "gvt/timer_wheel.hpp"
#include "gvt/worker_group.hpp"
#include "weft/detail/spawned_task.hpp"

namespace weft::gvt {

struct SchedulerOptions {
  std::size_t stack_bytes = 64 * 1024;
};

class Scheduler : private OverflowReporter {
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
  // prepared. `what` and `object` are for whoever looks at it meanwhile.
  void park_prepared(const char* what = "to be made ready", const void* object = nullptr) noexcept;
  void park() {
    prepare_park();
    park_prepared();
  }
  // The first half of prepare_park(), for who must not fail later: from here to the first park
  // nothing is missing for one.
  void keep_spare_stack() {
    if (running_ == loop_thread_ && spare_ == nullptr) {
      spare_ = take_green_thread(&Scheduler::enter_loop);
    }
  }
  // Lets everything that is ready now go first; the kernel is looked at once per turn.
  void yield();

  // Makes `task` ready on a stack of its own, of at least this size, instead of the loop's. Throws
  // std::bad_alloc.
  void make_ready_on_own_stack(Runnable& task, std::size_t stack_bytes);
  // Makes a spawned function ready, and counts it.
  void start_task(Runnable& task, const detail::StartOptions& options);
  // Any thread: runs `task` on this scheduler's thread.
  virtual void post(Runnable& task) noexcept;
  // Any thread: what parked here goes on.
  void wake(Runnable& task) noexcept;

  // Gives the OS thread's own stack the thread, in the midst of the caller: what has called
  // resume_loop() returns from it, and the caller goes on at the next. Meanwhile the OS thread may
  // do what any Runnable may, but nothing parks. Not for what may move to another scheduler.
  void visit_os_thread() noexcept;

  // The stack we are on, as the record to hand to make_ready().
  GreenThread& running() noexcept { return *running_; }
  TimerWheel& timers() noexcept { return timers_; }
  FramePool& frames() noexcept { return frames_; }
  std::size_t parked() const noexcept { return parked_; }
  // The time at which this turn began: cheap, and late by at most one turn.
  TimePoint turn_time() const noexcept { return turn_time_; }
  std::uint64_t next_task_id() noexcept { return ++last_task_id_; }

  // Around a wait for something outside the program's own green threads: the kernel, the pool.
  void external_wait_begins() noexcept { ++external_waits_; }
  void external_wait_ended() noexcept { --external_waits_; }
  std::size_t external_waits() const noexcept { return external_waits_; }

  // Counts the green threads that were spawned and have not ended, for whoever waits for all.
  void task_started() noexcept {
    group_ != nullptr ? group_->task_started() : static_cast<void>(++live_tasks_);
  }
  void task_ended() noexcept {
    if (group_ != nullptr) return group_->task_ended();
    if (--live_tasks_ == 0) all_tasks_ended();
  }
  virtual void all_tasks_ended() noexcept {}

  // Of the group, before the loop runs.
  void belong_to(WorkerGroup& group, unsigned index) noexcept {
    group_ = &group;
    index_ = index;
  }
  WorkerGroup* group() const noexcept { return group_; }
  unsigned index() const noexcept { return index_; }
  // Calls visit(green_thread, ready) for each function that has begun on a stack of this scheduler
  // and not ended; `ready`: it will be run and waits for nothing. Allocates.
  template <class Visit>
  void for_each_green_thread(Visit&& visit);
  // Any thread: ends the sleep of this scheduler's thread.
  virtual void ring() noexcept {}
  // Any thread: whether it sleeps, and has not been told to end that.
  virtual bool sleeps() const noexcept { return false; }
  // Any thread: something ready that may run elsewhere, or null.
  bool shares_something() const noexcept { return !shared_.empty(); }
  Runnable* take_shared() noexcept { return shared_.pop(); }

 protected:
  // Ready tasks run per turn before the kernel is asked again, so that neither starves the other.
  static constexpr int kTasksPerTurn = 1024;
  int tasks_left_ = kTasksPerTurn;

  // The endless loop of the worker; entered anew, on another stack, whenever one parks. Returns
  // when the worker is to stop.
  virtual void loop() = 0;

  // Around the loop, on the OS thread's own stack: begin_loop() once, resume_loop() until it says
  // false, end_loop() once. loop() runs on a stack of the pool.
  void begin_loop();
  // Goes on with the loop where it was left: true when something on it visits the OS thread, false
  // when loop() has returned.
  bool resume_loop() noexcept;
  void end_loop();
  // Whoever woke something from outside has let go of this scheduler, which may then go.
  void wait_for_visitors() const noexcept;
  bool run_one();
  bool has_ready() const noexcept { return !ready_.empty(); }
  RunQueue& ready() noexcept { return ready_; }
  // Queues the next of what any member may run and is still here.
  bool take_own_shared() noexcept {
    if (group_ == nullptr) return false;
    Runnable* own = take_shared();
    if (own != nullptr) adopt(*own);
    return own != nullptr;
  }
  // Queues what the inbox brought, and, for a member of a group, one thing of those that any may
  // run: its own, or one of another member when it has nothing else to do.
  template <class Inbox>
  void take_in(Inbox& inbox) noexcept {
    if (group_ == nullptr) return inbox.take_all(ready_);
    RunQueue arrived;
    inbox.take_all(arrived);
    take_in_as_member(arrived);
  }
  void set_turn_time(TimePoint now) noexcept { turn_time_ = now; }

 private:
  static void enter_loop() noexcept;
  static void enter_task() noexcept;
  static void resume(Runnable& green_thread) noexcept;

  bool describes(const void* fault_address, OverflowedStack& stack) const noexcept override;
  GreenThread* take_green_thread(void (*entry)());
  GreenThread* make_green_thread(const Stack& stack, void (*entry)());
  void task_left(GreenThread& stack) noexcept;
  // The record that stands at the top of a stack.
  static GreenThread* record_of(const Stack& stack) noexcept;
  bool counts(const GreenThread& thread) const noexcept;
  void list_movable(GreenThread& thread) noexcept;
  static void unlist_movable(GreenThread& thread) noexcept;
  static bool may_move(const Runnable& task) noexcept;
  void share(Runnable& task) noexcept;
  void adopt(Runnable& task) noexcept;
  void take_in_as_member(RunQueue& arrived) noexcept;
  void switch_to(GreenThread& from, GreenThread& to) noexcept;
  [[noreturn]] void leave_for(GreenThread& from, GreenThread& to) noexcept;
  [[noreturn]] void finish(GreenThread& done) noexcept;
  void reclaim(GreenThread& done) noexcept;
  void reclaim_finished() noexcept;
  GreenThread& unparked(Runnable& green_thread) noexcept;
  GreenThread& next_stack() noexcept;
  void yield_to_next() noexcept;

  RunQueue ready_;
  GreenThread* running_ = nullptr;
  GreenThread* loop_thread_ = nullptr;
  GreenThread* spare_ = nullptr;     // the stack that the loop goes on with when its own parks
  GreenThread* finished_ = nullptr;  // has left its stack for good, which is not yet given back
  ExceptionState* thread_exceptions_ = nullptr;
  int* thread_errno_ = nullptr;
  TimePoint turn_time_;
  std::uint64_t last_task_id_ = 0;
  std::size_t parked_ = 0;
  std::size_t live_tasks_ = 0;
  std::size_t external_waits_ = 0;
  WorkerGroup* group_ = nullptr;
  unsigned index_ = 0;
  SharedQueue shared_;
  // Threads inside wake() that do not end together with this one.
  alignas(64) std::atomic<std::uint32_t> visitors_{0};
  alignas(64) GreenThread* movable_ = nullptr;  // those that wait here
  TimerWheel timers_;
  FramePool frames_;
  std::size_t stack_bytes_;
  StackPools stacks_;
  GreenThread os_thread_;
  GreenThread* resumed_ = nullptr;  // where the loop goes on; null: nowhere, it has returned
  // What stands on the OS thread while the loop does.
  struct OsThreadWatch {
    explicit OsThreadWatch(const OverflowReporter& reporter) noexcept : overflow(reporter) {}
    OverflowWatch overflow;
    sanitizer::KnownThreadStack known;
  };
  std::optional<OsThreadWatch> os_thread_watch_;
};

template <class Visit>
void Scheduler::for_each_green_thread(Visit&& visit) {
  std::vector<const Runnable*> ready;
  for (const Runnable* task = ready_.first(); task != nullptr; task = task->next) {
    if (task->run == &Scheduler::resume) ready.push_back(task);
  }
  std::sort(ready.begin(), ready.end());
  const auto is_ready = [&ready](const GreenThread& thread) {
    return std::binary_search(ready.begin(), ready.end(), &thread);
  };
  stacks_.for_each_in_use([&](const Stack& stack) {
    const GreenThread& thread = *record_of(stack);
    if (counts(thread)) visit(thread, is_ready(thread));
  });
  for (const GreenThread* thread = movable_; thread != nullptr; thread = thread->next_movable) {
    visit(*thread, is_ready(*thread));
  }
}

// The scheduler of this OS thread; null outside a worker. Never inlined: a compiler may keep the
// address of a thread-local across a switch.
Scheduler* current_scheduler() noexcept;
void set_current_scheduler(Scheduler* scheduler) noexcept;

}  // namespace weft::gvt
