#include <time.h>

#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>

#include "gvt/blocking_io.hpp"
#include "gvt/worker.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/instance/named_instances.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "weft/green.hpp"

namespace weft {

namespace {

gvt::BlockingIo& io_of_this_worker() {
  gvt::BlockingIo* io = gvt::current_io();
  WEFT_ASSERT(io != nullptr && "weft::spawn and weft::yield need a worker: see weft::run");
  return *io;
}

struct SleepTimer : gvt::Timer {
  explicit SleepTimer(gvt::Scheduler& owner)
      : Timer(&SleepTimer::wake), scheduler(owner), sleeper(owner.running()) {}

  static void wake(gvt::Timer& timer) {
    auto& self = static_cast<SleepTimer&>(timer);
    self.scheduler.make_ready(self.sleeper);
  }

  gvt::Scheduler& scheduler;
  gvt::GreenThread& sleeper;
};

// Fails, with nothing run, when there can be no such back end.
template <class Traits>
Result<void> run_on(std::function<void()>& main, const RunOptions& options) {
  gvt::WorkerOptions worker_options;
  worker_options.scheduler.stack_bytes = options.stack_bytes;
  auto worker = gvt::WorkerOf<Traits>::create(worker_options);
  if (!worker) return worker.error();
  gvt::WorkerOf<Traits>& owner = *worker.value();
  owner.stop_when_all_tasks_ended();
  owner.task_started();
  owner.make_ready(*new detail::SpawnedTask<std::function<void()>>(std::move(main)));
  owner.run();
  return {};
}

}  // namespace

void sleep(std::chrono::nanoseconds duration) {
  gvt::BlockingIo* io = gvt::current_io();
  if (io == nullptr) {
    if (duration.count() > 0) {
      timespec left{duration.count() / 1'000'000'000, duration.count() % 1'000'000'000};
      while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
      }
    }
    return;
  }
  gvt::Scheduler& scheduler = io->scheduler();
  if (duration.count() <= 0) return scheduler.yield();
  scheduler.prepare_park();
  SleepTimer timer(scheduler);
  scheduler.timers().set(timer, io->now() + duration);
  scheduler.park_prepared();
}

void yield() { io_of_this_worker().scheduler().yield(); }

namespace detail {

void start(Runnable& task) {
  gvt::Scheduler& scheduler = io_of_this_worker().scheduler();
  scheduler.task_started();
  scheduler.make_ready(task);
}

void task_ended() noexcept { gvt::current_scheduler()->task_ended(); }

}  // namespace detail

void run(std::function<void()> main, const RunOptions& options) {
  WEFT_ASSERT(gvt::current_io() == nullptr && "weft::run cannot be nested");
  std::optional<ksvc::BackendKind> wanted;
  if (options.backend == RunOptions::Backend::io_uring) wanted = ksvc::BackendKind::io_uring;
  if (options.backend == RunOptions::Backend::epoll) wanted = ksvc::BackendKind::epoll;
  auto choice = ksvc::choose_backend(ksvc::probe_kernel_features(), wanted);
  if (choice && choice.kind == ksvc::BackendKind::io_uring) {
    const auto ran = run_on<ksvc::RuntimeTraits>(main, options);
    if (ran) return;
    choice = ksvc::without_io_uring(choice, ran.error().os_errno);
  }
  if (!choice) throw std::runtime_error(choice.reason);
  if (const auto ran = run_on<ksvc::RuntimeEpollTraits>(main, options); !ran) {
    throw std::runtime_error("cannot set up epoll: " + ran.error().message());
  }
}

}  // namespace weft
