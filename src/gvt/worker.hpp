// Worker: one OS thread's loop over one back end, with everything that loop needs.
//
// Made, run and destroyed on its own OS thread; other threads reach it through post() alone.
// A turn: run what is ready, enter the kernel once, pass on completions, fire timers, empty the
// inbox.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include "gvt/blocking_io.hpp"
#include "gvt/inbox.hpp"
#include "gvt/scheduler.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"
#include "weft/result.hpp"

namespace weft::gvt {

struct WorkerOptions {
  ksvc::BackendOptions backend;
  SchedulerOptions scheduler;
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
  // Owner's thread: the loop returns at the end of this turn.
  void stop() noexcept { stopping_ = true; }
  // The loop returns when the last spawned green thread has ended.
  void stop_when_all_tasks_ended() noexcept { stops_when_done_ = true; }
  // Any thread: runs `task` on the worker.
  void post(Runnable& task) noexcept { inbox_.post(task); }

  Backend& backend() noexcept { return *backend_; }
  // The time at which this turn began: cheap, and late by at most one turn.
  TimePoint turn_time() const noexcept { return turn_time_; }
  TimePoint now() const noexcept override { return clock_.now(); }
  // The time of day, for telling people.
  TimePoint wall_time() const noexcept { return clock_.wall(); }
  void observe_turns(TurnObserver* observer) noexcept { observer_ = observer; }
  // The next turn does not wait for completions: something else is due.
  void keep_awake() noexcept { awake_ = true; }
  BlockingIo& io() noexcept { return *this; }

 private:
  // Ready tasks run per turn before the kernel is asked again, so that neither starves the other.
  static constexpr int kTasksPerTurn = 1024;

  template <class... NotifierArguments>
  Worker(const WorkerOptions& options, std::unique_ptr<Backend> backend, Clock clock,
         NotifierArguments&&... notifier)
      : Scheduler(options.scheduler, clock.now()),
        clock_(std::move(clock)),
        backend_(std::move(backend)),
        inbox_(std::forward<NotifierArguments>(notifier)...),
        wake_target_(&Worker::woken),
        turn_time_(clock_.now()) {
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
  void submit(const ksvc::Cancel& op, ksvc::CorrelationId id) override { backend_->submit(op, id); }
  void submit(const ksvc::Close& op, ksvc::CorrelationId id) override { backend_->submit(op, id); }
  Scheduler& scheduler() noexcept override { return *this; }

  Clock clock_;
  std::unique_ptr<Backend> backend_;
  ksvc::DirectWakeSink sink_;
  Inbox<Notifier> inbox_;
  WakeTarget wake_target_;
  TimePoint turn_time_;
  TurnObserver* observer_ = nullptr;
  int tasks_left_ = kTasksPerTurn;
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
  set_current_io(this);
  watch_notifier();
  run_loop_until_it_returns();
  // What the last tasks submitted, the closing of their descriptors above all, is carried out too.
  backend_->submit_and_wait(0, ksvc::kNoDeadline);
  set_current_io(nullptr);
}

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::loop() {
  while (!stopping_) {
    if (tasks_left_ == 0 || !has_ready()) {
      turn();
      tasks_left_ = kTasksPerTurn;
    } else {
      // Counted outside this frame, which a task that parks leaves for a new one.
      --tasks_left_;
      run_one();
    }
  }
}

template <ksvc::IoBackend Backend, ksvc::Clock Clock, ksvc::WatchedBy<Backend> Notifier>
void Worker<Backend, Clock, Notifier>::turn() {
  const bool idle = !has_ready() && !awake_ && inbox_.announce_sleep();
  awake_ = false;
  backend_->submit_and_wait(idle ? 1 : 0, idle ? timers().next_due() : ksvc::kNoDeadline);
  if (idle) inbox_.awake();
  turn_time_ = clock_.now();
  backend_->drain(sink_);
  if (observer_ != nullptr) observer_->turn_begins(backend_->settled());
  timers().advance(turn_time_);
  inbox_.take_all(ready());
}

}  // namespace weft::gvt
