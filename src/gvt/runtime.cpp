#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "gvt/blocking_io.hpp"
#include "gvt/services.hpp"
#include "gvt/stall_detector.hpp"
#include "gvt/topology.hpp"
#include "gvt/worker_group.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/instance/named_instances.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "weft/green.hpp"
#include "weft/inspect.hpp"

namespace weft {

namespace {

// Prints who waits for what, once all have come to wait for each other.
struct DeadlockReport : detail::SpawnedTaskBase {
  explicit DeadlockReport(bool ends_process)
      : SpawnedTaskBase(&DeadlockReport::print, &DeadlockReport::keep), aborts(ends_process) {}

  static void print(SpawnedTaskBase& self) {
    std::string text =
        "weft: deadlock: every green thread waits, and nothing is left to end it. If an OS thread "
        "that is no worker will, set RunOptions::on_deadlock to wait\n";
    for (const GreenThreadInfo& thread : snapshot()) {
      if (thread.state == GreenThreadInfo::State::waiting) text += describe(thread);
    }
    std::fputs(text.c_str(), stderr);
    if (static_cast<DeadlockReport&>(self).aborts) std::abort();
  }
  static void keep(SpawnedTaskBase&) noexcept {}

  bool aborts;
};

// One weft::run() on one topology.
template <class Topology>
class Program {
 public:
  Program(const Topology& topology, const RunOptions& options, unsigned workers,
          gvt::Services& services, gvt::StallDetector* stall_detector)
      : topology_(topology),
        options_(options),
        workers_(workers),
        services_(services),
        stall_detector_(stall_detector),
        group_(workers) {}

  Result<void> run(std::function<void()>& main) {
    std::vector<std::thread> others;
    Result<void> ran;
    try {
      for (unsigned i = 1; i < workers_; ++i)
        others.emplace_back([this, i] { static_cast<void>(run_one(i, nullptr)); });
    } catch (const std::system_error& error) {
      ran = Error::from_errno(error.code().value());
      // In the place of those that there will not be.
      group_.do_without(workers_ - static_cast<unsigned>(others.size()), error.code().value());
    }
    if (ran) ran = run_one(0, &main);
    for (std::thread& other : others) other.join();
    if (failure_ != nullptr) std::rethrow_exception(std::move(failure_));
    return ran;
  }

 private:
  Result<void> run_one(unsigned index, std::function<void()>* main) {
    gvt::WorkerOptions worker_options;
    worker_options.scheduler.stack_bytes = options_.stack_bytes;
    worker_options.services = &services_;
    if (options_.on_deadlock != RunOptions::OnDeadlock::wait) {
      worker_options.deadlock_watch = &watch_;
    }
    worker_options.stall_detector = stall_detector_;
    auto made = topology_.make_worker(worker_options);
    if (made && workers_ > 1) group_.join(*made.value(), index);
    const int failed = made ? 0 : made.error().os_errno;
    if (const int of_one = workers_ > 1 ? group_.start_together(failed) : failed; of_one != 0) {
      return Error::from_errno(of_one);
    }
    auto& worker = *made.value();
    worker.stop_when_all_tasks_ended();
    if (main != nullptr) {
      auto watched = [this, body = std::move(*main)] {
        try {
          body();
        } catch (...) {
          failure_ = std::current_exception();
        }
      };
      auto* first = new detail::SpawnedTask<decltype(watched)>(std::move(watched));
      first->let_go();
      first->start_on(worker, {.name = "main"});
    }
    worker.run();
    if (workers_ > 1) group_.end_together();
    return {};
  }

  const Topology& topology_;
  const RunOptions& options_;
  unsigned workers_;
  gvt::Services& services_;
  gvt::StallDetector* stall_detector_;
  gvt::WorkerGroup group_;
  std::exception_ptr failure_;  // what left main
  DeadlockReport report_{options_.on_deadlock == RunOptions::OnDeadlock::abort};
  gvt::DeadlockWatch watch_{workers_, report_};
};

// Fails, with nothing run, when there can be no such back end.
template <template <class> class Topology, class Traits>
Result<void> run_as(std::function<void()>& main, const RunOptions& options,
                    gvt::Services& services) {
  auto topology = Topology<Traits>::start();
  if (!topology) return topology.error();
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned workers =
      std::min(options.workers == 0 ? cores : options.workers, gvt::WorkerGroup::kMostWorkers);
  std::optional<gvt::StallDetector> stall_detector;
  if (options.stall_after.count() > 0) {
    stall_detector.emplace(gvt::StallOptions{.threshold = options.stall_after});
  }
  return Program(*topology, options, workers, services, stall_detector ? &*stall_detector : nullptr)
      .run(main);
}

template <class Traits>
Result<void> run_on(std::function<void()>& main, const RunOptions& options,
                    gvt::Services& services) {
  return options.topology == RunOptions::Topology::one_reactor
             ? run_as<gvt::OneReactor, Traits>(main, options, services)
             : run_as<gvt::PerWorkerReactor, Traits>(main, options, services);
}

}  // namespace

void sleep(std::chrono::nanoseconds duration) {
  check_cancelled();
  if (duration.count() <= 0) {
    if (gvt::current_io() != nullptr) yield();
    return;
  }
  const std::int64_t deadline = detail::deadline_after(duration.count());
  detail::Waiter waiter("time to pass");
  if (waiter.wait(deadline) == detail::Outcome::cancelled) check_cancelled();
}

void yield() {
  gvt::Scheduler* const scheduler = gvt::current_scheduler();
  WEFT_ASSERT(scheduler != nullptr && "weft::yield needs a worker: see weft::run");
  scheduler->yield();
}

void run(std::function<void()> main, const RunOptions& options) {
  WEFT_ASSERT(gvt::current_io() == nullptr && "weft::run cannot be nested");
  std::optional<ksvc::BackendKind> wanted;
  if (options.backend == RunOptions::Backend::automatic) wanted = ksvc::wish_of_environment();
  if (options.backend == RunOptions::Backend::io_uring) wanted = ksvc::BackendKind::io_uring;
  if (options.backend == RunOptions::Backend::epoll) wanted = ksvc::BackendKind::epoll;
  const ksvc::KernelFeatures features = ksvc::probe_kernel_features();
  gvt::Services services(features, {});
  auto choice = ksvc::choose_backend(features, wanted);
  if (choice && choice.kind == ksvc::BackendKind::io_uring) {
    const auto ran = run_on<ksvc::RuntimeTraits>(main, options, services);
    if (ran) return;
    choice = ksvc::without_io_uring(choice, ran.error().os_errno);
  }
  if (!choice) throw std::runtime_error(choice.reason);
  if (const auto ran = run_on<ksvc::RuntimeEpollTraits>(main, options, services); !ran) {
    throw std::runtime_error("cannot set up epoll: " + ran.error().message());
  }
}

}  // namespace weft
