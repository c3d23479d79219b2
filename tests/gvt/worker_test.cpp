// The worker's loop over every back end: posts, sleep, deadlines, stopping.
#include "gvt/worker.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gvt/worker_tasks.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"

namespace weft::gvt {
namespace {

struct TurnCounter final : TurnObserver {
  void turn_begins(bool settled) override {
    ++turns;
    settled_turns += settled ? 1 : 0;
  }
  int turns = 0;
  int settled_turns = 0;
};

template <class Backend>
class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Worker<Backend>::create({});
    if (!made) GTEST_SKIP() << Backend::name() << " is refused here: " << made.error().message();
    worker = std::move(made).value();
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ours = fds[0];
    peer = fds[1];
  }
  void TearDown() override {
    worker.reset();
    ::close(ours);
    ::close(peer);
  }

  void add(std::function<void()> body) {
    tasks_.push_back(std::make_unique<Task>(std::move(body)));
    worker->make_ready(*tasks_.back());
  }
  void park_for(std::chrono::milliseconds time) { park_until(worker->now() + time); }
  void park_until(TimePoint due) {
    struct WakeUp : Timer {
      explicit WakeUp(Worker<Backend>& owner)
          : Timer([](Timer& timer) {
              auto& self = static_cast<WakeUp&>(timer);
              self.worker.make_ready(self.sleeper);
            }),
            worker(owner),
            sleeper(owner.running()) {}
      Worker<Backend>& worker;
      GreenThread& sleeper;
    } wake_up(*worker);
    worker->timers().set(wake_up, due);
    worker->park();
  }

  std::unique_ptr<Worker<Backend>> worker;
  int ours = -1;
  int peer = -1;

 private:
  std::vector<std::unique_ptr<Task>> tasks_;
};

using EveryBackend = testing::Types<ksvc::BasicIoUring, ksvc::Epoll>;
TYPED_TEST_SUITE(WorkerTest, EveryBackend, BackendNames);

TYPED_TEST(WorkerTest, runs_what_is_ready_and_returns_when_it_is_stopped) {
  std::string order;
  this->add([&] { order += "1"; });
  this->add([&] {
    order += "2";
    this->worker->stop();
  });
  this->worker->run();
  EXPECT_EQ(order, "12");
  EXPECT_EQ(current_io(), nullptr);
  EXPECT_EQ(current_scheduler(), nullptr);
}

TYPED_TEST(WorkerTest, current_io_is_the_workers_own_while_it_runs) {
  this->add([&] {
    EXPECT_EQ(current_io(), &this->worker->io());
    this->worker->yield();
    EXPECT_EQ(current_io(), &this->worker->io());
    this->worker->stop();
  });
  this->worker->run();
}

TYPED_TEST(WorkerTest, what_is_still_parked_when_the_worker_stops_is_left_alone) {
  bool went_on = false;
  this->add([&] {
    this->worker->park();
    went_on = true;
  });
  this->add([&] { this->worker->stop(); });
  this->worker->run();
  EXPECT_FALSE(went_on);
}

TYPED_TEST(WorkerTest, posts_from_other_threads_wake_it_and_run_in_their_order) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 500;
  int ran = 0;
  std::vector<int> last(kThreads, -1);
  std::vector<std::unique_ptr<Task>> posts;
  for (int i = 0; i < kThreads * kPosts; ++i) {
    posts.push_back(std::make_unique<Task>([&, thread = i / kPosts, number = i % kPosts] {
      EXPECT_EQ(last[static_cast<std::size_t>(thread)], number - 1);
      last[static_cast<std::size_t>(thread)] = number;
      if (++ran == kThreads * kPosts) this->worker->stop();
    }));
  }
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const auto first = static_cast<std::size_t>(thread) * kPosts;
      for (std::size_t i = 0; i < kPosts; ++i) {
        this->worker->post(*posts[first + i]);
        std::this_thread::yield();
      }
    });
  }
  this->worker->run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran, kThreads * kPosts);
}

// Each post is answered before the next, so the worker goes to sleep in between again and again.
TYPED_TEST(WorkerTest, sleeping_worker_is_woken_by_every_single_post) {
  constexpr int kRounds = 2000;
  std::atomic<int> answered{0};
  Task ping([&] {
    answered.fetch_add(1);
    answered.notify_one();
  });
  Task end([&] { this->worker->stop(); });
  std::thread poster([&] {
    for (int round = 0; round < kRounds; ++round) {
      this->worker->post(ping);
      answered.wait(round);
    }
    this->worker->post(end);
  });
  this->worker->run();
  poster.join();
  EXPECT_EQ(answered.load(), kRounds);
}

// Wakes at once, but takes its time to come back.
class SlowNotifier : public ksvc::EventFdNotifier {
 public:
  explicit SlowNotifier(std::atomic<bool>& inside) noexcept : inside_(inside) {}

  void wake() noexcept {
    inside_ = true;
    EventFdNotifier::wake();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    inside_ = false;
  }

 private:
  std::atomic<bool>& inside_;
};

// What was woken may be the last thing the worker runs, and the worker goes when run() returns.
TYPED_TEST(WorkerTest, does_not_return_while_another_thread_is_still_waking_it) {
  using SlowlyWoken = Worker<TypeParam, ksvc::MonotonicClock, SlowNotifier>;
  std::atomic<bool> inside{false};
  auto backend = TypeParam::create({});
  ASSERT_TRUE(backend);
  auto slow = SlowlyWoken::assemble({}, std::move(backend).value(), {}, inside);
  std::thread waker;
  Task waits([&] {
    slow->prepare_park();
    waker = std::thread([&slow, &waiting = slow->running()] { slow->wake(waiting); });
    slow->park_prepared();
    slow->stop();
  });
  slow->make_ready(waits);
  slow->run();
  EXPECT_FALSE(inside);
  waker.join();
}

TYPED_TEST(WorkerTest, idle_worker_stays_in_its_wait) {
  TurnCounter counter;
  this->worker->observe_turns(&counter);
  this->add([&] {
    // A worker that polled would turn thousands of times; a handful is what the timers' levels
    // and interruptions account for.
    this->park_for(std::chrono::milliseconds(200));
    this->worker->stop();
  });
  this->worker->run();
  EXPECT_GE(counter.turns, 1);
  EXPECT_LE(counter.turns, 20);
  EXPECT_GE(counter.settled_turns, 1);
}

TYPED_TEST(WorkerTest, timer_never_fires_before_its_time_and_timers_fire_in_order) {
  std::string order;
  const TimePoint start = this->worker->now();
  for (const int ms : {30, 10, 20}) {
    this->add([&, ms] {
      const TimePoint due = start + std::chrono::milliseconds(ms);
      this->park_until(due);
      EXPECT_GE(this->worker->now(), due);
      order += std::to_string(ms) + " ";
      if (ms == 30) this->worker->stop();
    });
  }
  this->worker->run();
  EXPECT_EQ(order, "10 20 30 ");
}

TYPED_TEST(WorkerTest, parked_operation_returns_the_result_of_the_kernel) {
  std::int32_t got = 0;
  char memory[8] = {};
  this->add([&] {
    got = submit_and_park(this->worker->io(), ksvc::ReceiveInto{this->ours, memory, 8});
    this->worker->stop();
  });
  this->add([&] { ASSERT_EQ(::write(this->peer, "hello", 5), 5); });
  this->worker->run();
  EXPECT_EQ(got, 5);
  EXPECT_EQ(std::string(memory), "hello");
}

TYPED_TEST(WorkerTest, operation_past_its_deadline_is_cancelled_and_times_out) {
  std::int32_t got = 0;
  char memory[8] = {};
  this->add([&] {
    const TimePoint deadline = this->worker->now() + std::chrono::milliseconds(5);
    got = submit_and_park(this->worker->io(), ksvc::ReceiveInto{this->ours, memory, 8}, deadline);
    EXPECT_GE(this->worker->now(), deadline);
    // Nothing of it is left in the kernel that could take these bytes.
    EXPECT_EQ(::write(this->peer, "later", 5), 5);
    EXPECT_EQ(submit_and_park(this->worker->io(), ksvc::ReceiveInto{this->ours, memory, 8}), 5);
    this->worker->stop();
  });
  this->worker->run();
  EXPECT_EQ(got, -ETIMEDOUT);
  EXPECT_EQ(std::string(memory), "later");
}

TYPED_TEST(WorkerTest, operation_that_completes_before_its_deadline_returns_its_result) {
  std::int32_t got = 0;
  char memory[8] = {};
  this->add([&] {
    const TimePoint deadline = this->worker->now() + std::chrono::hours(1);
    got = submit_and_park(this->worker->io(), ksvc::ReceiveInto{this->ours, memory, 8}, deadline);
    this->worker->stop();
  });
  this->add([&] { ASSERT_EQ(::write(this->peer, "hello", 5), 5); });
  this->worker->run();
  EXPECT_EQ(got, 5);
}

// The deadline and the bytes come at about the same time, over and over, with the same record at
// the same place on the stack: a cancel that comes too late must not hit the next operation.
TYPED_TEST(WorkerTest, late_cancel_never_hits_the_operation_that_follows) {
  int timed_out = 0;
  int received = 0;
  this->add([&] {
    char byte = 0;
    for (int round = 0; round < 100; ++round) {
      const TimePoint deadline = this->worker->now() + std::chrono::milliseconds(1);
      const std::int32_t got =
          submit_and_park(this->worker->io(), ksvc::ReceiveInto{this->ours, &byte, 1}, deadline);
      ASSERT_TRUE(got == 1 || got == -ETIMEDOUT) << got;
      (got == 1 ? received : timed_out) += 1;
      if (got == 1) continue;
      ASSERT_EQ(submit_and_park(this->worker->io(), ksvc::ReceiveInto{this->ours, &byte, 1}), 1);
    }
    this->worker->stop();
  });
  this->add([&] {
    for (int round = 0; round < 100; ++round) {
      this->park_for(std::chrono::milliseconds(1));
      ASSERT_EQ(::write(this->peer, "x", 1), 1);
    }
  });
  this->worker->run();
  EXPECT_EQ(timed_out + received, 100);
}

TYPED_TEST(WorkerTest, tasks_that_always_yield_do_not_starve_io_and_timers) {
  bool done = false;
  std::int32_t got = 0;
  for (int i = 0; i < 3; ++i) {
    this->add([&] {
      // NOLINTNEXTLINE(bugprone-infinite-loop): another task sets it while this one yields.
      while (!done) this->worker->yield();
    });
  }
  this->add([&] {
    char memory[8];
    got = submit_and_park(this->worker->io(), ksvc::ReceiveInto{this->ours, memory, 8});
    this->park_for(std::chrono::milliseconds(1));
    done = true;
    this->worker->stop();
  });
  this->add([&] { ASSERT_EQ(::write(this->peer, "hello", 5), 5); });
  this->worker->run();
  EXPECT_EQ(got, 5);
}

TYPED_TEST(WorkerTest, close_submitted_right_before_the_end_is_carried_out) {
  const int given_away = ::dup(this->ours);
  ::close(this->ours);
  this->ours = -1;
  this->add([&] {
    this->worker->io().submit(ksvc::Close{given_away}, 0);
    this->worker->stop();
  });
  this->worker->run();
  char byte = 0;
  EXPECT_EQ(::recv(this->peer, &byte, 1, MSG_DONTWAIT), 0) << "the descriptor is still open";
}

}  // namespace
}  // namespace weft::gvt
