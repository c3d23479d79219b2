// What a deadlock is not: a worker that has been woken and has not got round to it.
#include "gvt/deadlock_watch.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "gvt/worker.hpp"
#include "gvt/worker_group.hpp"
#include "ksvc/backend/epoll.hpp"
#include "weft/green.hpp"

namespace weft::gvt {
namespace {

// Its wakes take longer to arrive than a deadlock takes to be seen.
class LateNotifier : public ksvc::EventFdNotifier {
 public:
  ~LateNotifier() {
    if (waker_.joinable()) waker_.join();
  }
  void wake() noexcept {
    if (waker_.joinable()) waker_.join();
    waker_ = std::thread([this] {
      std::this_thread::sleep_for(3 * DeadlockWatch::kMoment);
      EventFdNotifier::wake();
    });
  }

 private:
  std::thread waker_;
};

using Late = Worker<ksvc::Epoll, ksvc::MonotonicClock, LateNotifier>;
using Prompt = Worker<ksvc::Epoll>;

struct Report : Runnable {
  Report() noexcept : Runnable(&Report::note) {}
  static void note(Runnable& self) {
    static_cast<Report&>(self).noted = true;
    current_scheduler()->task_ended();
  }
  std::atomic<bool> noted{false};
};

template <class Function>
void start_on(Scheduler& worker, Function function) {
  auto* task = new detail::SpawnedTask<Function>(std::move(function));
  task->let_go();
  task->start_on(worker, {});
}

TEST(DeadlockWatch, a_worker_that_has_been_woken_and_does_not_run_yet_is_not_stuck) {
  WorkerGroup group(2);
  Report report;
  DeadlockWatch watch(2, report);
  std::atomic<Scheduler*> late{nullptr};
  std::atomic<Runnable*> parked{nullptr};
  WorkerOptions options;
  options.deadlock_watch = &watch;
  std::thread other([&] {
    auto backend = ksvc::Epoll::create({});
    auto worker = Late::assemble(options, std::move(backend).value(), {});
    group.join(*worker, 1);
    worker->stop_when_all_tasks_ended();
    start_on(*worker, [&] {
      worker->prepare_park();
      parked = &worker->running();
      worker->park_prepared();
    });
    late = worker.get();
    ASSERT_EQ(group.start_together(0), 0);
    worker->run();
    group.end_together();
  });
  auto worker = Prompt::create(options).value();
  group.join(*worker, 0);
  worker->stop_when_all_tasks_ended();
  start_on(*worker, [&] {
    while (parked == nullptr || !late.load()->sleeps()) sleep(std::chrono::milliseconds(1));
    late.load()->wake(*parked);
  });
  ASSERT_EQ(group.start_together(0), 0);
  worker->run();
  group.end_together();
  other.join();
  EXPECT_FALSE(report.noted);
}

}  // namespace
}  // namespace weft::gvt
