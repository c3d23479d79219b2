// Worker: one OS thread's loop over one back end, with everything that loop needs.
//
// Made, run and destroyed on its own OS thread; other threads reach it through post() alone.
// A turn: run what is ready, enter the kernel once, pass on completions, fire timers, empty the
// inbox.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <utility>

#include "gvt/blocking_io.hpp"
#include "gvt/deadlock_watch.hpp"
#include "gvt/inbox.hpp"
#include "gvt/schedule_policy.hpp"
#include "gvt/scheduler.hpp"
#include "gvt/stall_detector.hpp"
#include "gvt/turn_meter.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"
#include "weft/result.hpp"

namespace weft::gvt {

struct WorkerOptions {
  ksvc::BackendOptions backend;
  SchedulerOptions scheduler;
  Services* services = nullptr;             // null: what blocks is done in place
  StallDetector* stall_detector = nullptr;  // null: nobody watches
  DeadlockWatch* deadlock_watch = nullptr;  // null: nobody watches
  SchedulePolicy* schedule = nullptr;       // null: first ready, first run
  TurnMeter* turn_meter = nullptr;          // null: turns are not measured
  unsigned number = 0;                      // what it is called in reports, where no group says so
};

// Told once per turn, after completions were passed on. `settled` as the back end says it.
class TurnObserver {
 public:
  virtual void turn_begins(bool settled) = 0;

 protected:
  ~TurnObserver() = default;
};

template <ksvc::IoBackend Backend, ksvc::Clock Clock = ksvc::MonotonicClock,
          ksvc::WatchedBy<Backend> Notifier = ksvc::EventFdNotifier>
class Worker final : public Scheduler, private BlockingIo {
 public:
  using BackendType = Backend;

  static Result<std::unique_ptr<Worker>> create(const WorkerOptions& options) {
    auto backend = Backend::create(options.backend);
    if (!backend) return backend.error();
    return assemble(options, std::move(backend).value(), Clock());
  }
  // Of a back end and a clock made elsewhere; the arguments behind them make the notifier.
  template <class... NotifierArguments>
  static std::unique_ptr<Worker> assemble(const WorkerOptions& options,
                                          std::unique_ptr<Backend> backend, Clock clock,
                                          NotifierArguments&&... notifier) {
    return std::unique_ptr<Worker>(new Worker(options, std::move(backend), std::move(clock),
                                              std::forward<NotifierArguments>(notifier)...));
  }

  // Runs until stop(). What is still parked then is left where it is, without unwinding.
  void run();
  // The same in steps, for what the OS thread does besides: begin(), resume() until it says false,
  // end(). It says true when something on the loop visits the OS thread: see visit_os_thread().
  void begin();
  bool resume() noexcept { return resume_loop(); }
  void end();
  // Owner's thread: the loop returns at the end of this turn.
  void stop() noexcept { stopping_ = true; }
  // The loop returns when the last spawned green thread has ended.
  void stop_when_all_tasks_ended() noexcept { stops_when_done_ = true; }
  // Any thread: runs `task` on the worker.
  void post(Runnable& task) noexcept override { inbox_.post(task); }
  void ring() noexcept override { inbox_.ring(); }
  bool sleeps() const noexcept override { return inbox_.sleeps(); }

  Backend& backend() noexcept { return *backend_; }
  TimePoint now() const noexcept override { return clock_.now(); }
  // The time of day, for telling people.
  TimePoint wall_time() const noexcept { return clock_.wall(); }
  void observe_turns(TurnObserver* observer) noexcept { observer_ = observer; }
  // The next turn does not wait for completions: something else is due.
  void keep_awake() noexcept { awake_ = true; }
  BlockingIo& io() noexcept { return *this; }

 private:
  template <class... NotifierArguments>
  Worker(const WorkerOptions& options, std::unique_ptr<Backend> backend, Clock clock,
         NotifierArguments&&... notifier)
      : Scheduler(options.scheduler, clock.now()),
        services_(options.services),
        deadlock_watch_(options.deadlock_watch),
        stall_detector_(options.stall_detector),
        schedule_(options.schedule),
        turn_meter_(options.turn_meter),
        number_(options.number),
        clock_(std::move(clock)),
        backend_(std::move(backend)),
        inbox_(std::forward<NotifierArguments>(notifier)...),
        wake_target_(&Worker::woken) {
    wake_target_.worker = this;
  }

  struct WakeTarget : ksvc::CompletionTarget {
    using CompletionTarget::CompletionTarget;
    Worker* worker = nullptr;
  };

  static void woken(ksvc::CompletionTarget& target, unsigned, const ksvc::Completion& completion) {
    Worker& worker = *static_cast<WakeTarget&>(target).worker;
    worker.inbox_.notifier().acknowledge();
    if (!completion.more) worker.watch_notifier();
  }

  void watch_notifier() { inbox_.notifier().watch(*backend_, wake_target_.corr_id()); }

  void loop() override;
  void turn();
  void sleep();
  bool announce_sleep() noexcept {
    if (!inbox_.announce_sleep()) return false;
    if (group() == nullptr || group()->announce_sleep(index())) return true;
    inbox_.awake();
    return false;
  }
  void wake_up() noexcept {
    inbox_.awake();
    if (group() != nullptr) group()->awake(index());
  }
  void all_tasks_ended() noexcept override {
    if (stops_when_done_) stop();
  }

  void submit(const ksvc::Accept& op, ksvc::CorrelationId id) override { backend_->submit(op, id); }
  void submit(const ksvc::ReceiveInto& op, ksvc::CorrelationId id) override {
    backend_->submit(op, id);
  }
  void submit(const ksvc::Send& op, ksvc::CorrelationId id) override { backend_->submit(op, id); }
  void submit(const ksvc::Connect& op, ksvc::CorrelationId id) override {
    backend_->submit(op, id);
  }
  void submit(const ksvc::PollReadable& op, ksvc::CorrelationId id) override {
    backend_->submit(op, id);
  }
  void submit(const ksvc::Cancel& op, ksvc::CorrelationId id) override { backend_->submit(op, id); }
  void submit(const ksvc::Close& op, ksvc::CorrelationId id) override { backend_->submit(op, id); }
  void submit(const ksvc::SystemCall& op, ksvc::CorrelationId id) override {
    if constexpr (ksvc::Submits<Backend, ksvc::SystemCall>) {
      backend_->submit(op, id);
    } else {
      WEFT_ASSERT(false && "this back end performs no system calls");
    }
  }
  bool performs([[maybe_unused]] const ksvc::SystemCall& call) const noexcept override {
    if constexpr (ksvc::Submits<Backend, ksvc::SystemCall>) {
      return Backend::performs(call);
    } else {
      return false;
    }
  }
  // What a ring knows of a descriptor ends with each operation.
  bool remembers_descriptors() const noexcept override {
    return !ksvc::Submits<Backend, ksvc::SystemCall>;
  }
  Scheduler& scheduler() noexcept override { return *this; }
  Services* services() noexcept override { return services_; }

  Services* services_;
  DeadlockWatch* deadlock_watch_;
  StallDetector* stall_detector_;
  SchedulePolicy* schedule_;
  TurnMeter* turn_meter_;
  unsigned number_;
  std::optional<StallWatch> stall_watch_;  // while it runs
  Pulse* pulse_ = nullptr;
  Clock clock_;
  std::unique_ptr<Backend> backend_;
  ksvc::DirectWakeSink sink_;
  Inbox<Notifier> inbox_;
  WakeTarget wake_target_;
  TurnObserver* observer_ = nullptr;
  bool awake_ = false;
  bool stopping_ = false;
  bool stops_when_done_ = false;
};

// The worker that a set of traits stands for: the sink of one is always DirectWakeSink.
template <class Traits>
  requires std::same_as<typename Traits::Sink, ksvc::DirectWakeSink>
using WorkerOf =
    Worker<typename Traits::Backend, typename Traits::Clock, typename Traits::Notifier>;

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::run() {
  begin();
  while (resume()) {
    // Nobody is at home: who visits goes on at once.
  }
  end();
}

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::begin() {
  set_current_io(this);
  watch_notifier();
  if (stall_detector_ != nullptr) {
    const unsigned number = group() != nullptr ? index() : number_;
    pulse_ = &stall_watch_.emplace(*stall_detector_, number).pulse();
    // What was started before the loop runs before its first turn.
    pulse_->turn_begins();
  }
  begin_loop();
}

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::end() {
  end_loop();
  wait_for_visitors();
  pulse_ = nullptr;
  // What the last tasks submitted, the closing of their descriptors above all, is carried out too.
  backend_->submit_and_wait(0, ksvc::kNoDeadline);
  stall_watch_.reset();
  set_current_io(nullptr);
}

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::loop() {
  while (!stopping_) {
    if (tasks_left_ == 0 || (!has_ready() && !take_own_shared())) {
      turn();
    } else {
      // Counted outside this frame, which a task that parks leaves for a new one.
      --tasks_left_;
      run_one();
    }
  }
}

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::turn() {
  if (turn_meter_ != nullptr) [[unlikely]]
    turn_meter_->turn_ends(clock_.now());
  const bool idle = !has_ready() && !awake_ && announce_sleep();
  awake_ = false;
  if (idle) {
    sleep();
  } else {
    backend_->submit_and_wait(0, ksvc::kNoDeadline);
  }
  if (pulse_ != nullptr) pulse_->turn_begins();
  set_turn_time(clock_.now());
  const unsigned drained = backend_->drain(sink_);
  if (turn_meter_ != nullptr) [[unlikely]]
    turn_meter_->turn_begins(turn_time(), drained);
  if (observer_ != nullptr) observer_->turn_begins(backend_->settled());
  timers().advance(turn_time());
  take_in(inbox_);
  tasks_left_ = schedule_ == nullptr ? kTasksPerTurn : schedule_->choose(ready());
}

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::sleep() {
  TimePoint deadline = timers().next_due();
  const bool expects_nothing = deadline == ksvc::kNoDeadline && external_waits() == 0;
  const bool watched = deadlock_watch_ != nullptr && expects_nothing;
  const bool all_sleep = watched && deadlock_watch_->sleeps(index());
  if (all_sleep) deadline = clock_.now() + DeadlockWatch::kMoment;
  if (pulse_ != nullptr) pulse_->wait_begins();
  backend_->submit_and_wait(1, deadline);
  wake_up();
  if (!watched) return;
  // Another one may have been woken long ago, and not have got a processor yet.
  const bool looked_again = all_sleep && clock_.now() >= deadline &&
                            (group() == nullptr || group()->others_sleep(index()));
  Runnable* report = deadlock_watch_->wakes(index(), looked_again);
  if (report == nullptr) return;
  task_started();
  make_ready(*report);
}

}  // namespace weft::gvt
