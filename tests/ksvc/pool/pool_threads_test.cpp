// What the pools that have threads promise about them.
#include "ksvc/pool/pool_threads.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <deque>

#include "ksvc/pool/pool_probe.hpp"

namespace weft::ksvc {
namespace {

using testing::eventually;
using testing::FunctionTask;
using testing::Gate;
using testing::PoolOf;
using testing::Tally;

template <class Pool>
class ThreadedPoolTest : public ::testing::Test {};

using ThreadedPools = ::testing::Types<FixedPool, LazyPool>;
TYPED_TEST_SUITE(ThreadedPoolTest, ThreadedPools, testing::PoolNames);

TYPED_TEST(ThreadedPoolTest, a_full_queue_says_so_and_leaves_the_task_to_its_owner) {
  PoolOf<TypeParam> made(3, 1);
  Gate gate(1);
  Tally ran;
  std::deque<FunctionTask> tasks;
  for (int i = 0; i < 4; ++i) tasks.emplace_back([&] { ran.add(); });
  ASSERT_EQ(made.pool.submit(gate.task(0)), PoolAnswer::accepted);
  ASSERT_TRUE(gate.entered(1));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(made.pool.submit(tasks[static_cast<std::size_t>(i)]), PoolAnswer::accepted);
  EXPECT_EQ(made.pool.queued(), 3U);
  EXPECT_EQ(made.pool.submit(tasks[3]), PoolAnswer::full);
  EXPECT_EQ(made.pool.queued(), 3U);
  gate.open();
  EXPECT_TRUE(ran.reaches(3));
  EXPECT_EQ(made.pool.submit(tasks[3]), PoolAnswer::accepted) << "full passes";
  made.pool.stop();
  EXPECT_EQ(ran.count(), 4);
}

TYPED_TEST(ThreadedPoolTest, one_thread_runs_tasks_in_the_order_of_submission) {
  PoolOf<TypeParam> made(1000, 1);
  std::vector<int> order;
  std::deque<FunctionTask> tasks;
  for (int i = 0; i < 300; ++i) tasks.emplace_back([&order, i] { order.push_back(i); });
  for (FunctionTask& task : tasks) ASSERT_EQ(made.pool.submit(task), PoolAnswer::accepted);
  made.pool.stop();
  ASSERT_EQ(order.size(), 300U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TYPED_TEST(ThreadedPoolTest, as_many_tasks_run_at_once_as_there_are_threads) {
  PoolOf<TypeParam> made(100, 3);
  std::barrier together(3);
  std::deque<FunctionTask> tasks;
  for (int i = 0; i < 3; ++i) tasks.emplace_back([&] { together.arrive_and_wait(); });
  for (FunctionTask& task : tasks) ASSERT_EQ(made.pool.submit(task), PoolAnswer::accepted);
  made.pool.stop();
}

// A task that a thread on its way to sleep overlooks would be run only on account of the next one.
TYPED_TEST(ThreadedPoolTest, a_task_that_comes_as_the_thread_goes_to_sleep_is_run) {
  PoolOf<TypeParam> made(100, 1);
  constexpr int kTasks = 20'000;
  std::atomic<int> ran{0};
  FunctionTask task([&] { ran.fetch_add(1); });
  for (int i = 0; i < kTasks; ++i) {
    ASSERT_EQ(made.pool.submit(task), PoolAnswer::accepted);
    // Busy, so that the next one comes at once; politely, so that a single processor does, too.
    const auto come_to = [&] { return ran.load() == i + 1; };
    for (int look = 0; look < 2'000 && !come_to(); ++look) {
    }
    ASSERT_TRUE(come_to() || eventually(come_to)) << "task " << i << " was overlooked";
    // The next one meets the thread a little later on its way each time.
    for (int wait = i % 512; wait > 0; --wait) ASSERT_TRUE(come_to());
  }
}

TYPED_TEST(ThreadedPoolTest, threads_are_named_have_low_priority_and_take_no_signals) {
  PoolOf<TypeParam> made(100, 1);
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  struct Found {
    char name[16] = {};
    int nice = 0;
    int scheduler = -1;
    sigset_t blocked{};
  };
  std::promise<Found> promise;
  FunctionTask task([&] {
    Found found;
    ::pthread_getname_np(::pthread_self(), found.name, sizeof found.name);
    found.nice = ::getpriority(PRIO_PROCESS, 0);
    found.scheduler = ::sched_getscheduler(0);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &found.blocked);
    promise.set_value(found);
  });
  ASSERT_EQ(made.pool.submit(task), PoolAnswer::accepted);
  const Found found = promise.get_future().get();
  EXPECT_EQ(std::string(found.name).rfind("weft-", 0), 0U) << found.name;
  EXPECT_GE(found.nice, 15);
  EXPECT_EQ(found.scheduler, SCHED_BATCH);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGRTMIN}) {
    EXPECT_TRUE(sigismember(&found.blocked, signal)) << signal;
  }
  EXPECT_FALSE(sigismember(&found.blocked, SIGSEGV)) << "faults are for the thread that has them";
  sigset_t after;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
  EXPECT_EQ(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

TEST(FixedPool, has_all_its_threads_from_the_start_half_as_many_as_processors) {
  FixedPool pool;
  EXPECT_EQ(pool.threads(), std::clamp(std::thread::hardware_concurrency() / 2, 1U, 8U));
}

TEST(LazyPool, makes_a_thread_for_each_task_that_blocks_up_to_the_most) {
  LazyPool pool({.most_threads = 4, .queue_capacity = 100});
  EXPECT_EQ(pool.threads(), 1U);
  Gate gate(6);
  for (int i = 0; i < 6; ++i) ASSERT_EQ(pool.submit(gate.task(i)), PoolAnswer::accepted);
  EXPECT_TRUE(gate.entered(4));
  EXPECT_EQ(pool.threads(), 4U);
  EXPECT_EQ(pool.busy(), 4U);
  EXPECT_EQ(pool.queued(), 2U);
  EXPECT_EQ(pool.grown(), 3U);
  gate.open();
  pool.stop();
  EXPECT_EQ(pool.shrunk(), 0U) << "a stop is no shrinking";
}

TEST(LazyPool, tasks_that_wait_for_one_another_all_get_a_thread) {
  constexpr int kTasks = 8;
  LazyPool pool({.most_threads = kTasks, .queue_capacity = 100});
  std::vector<std::promise<void>> done(kTasks + 1);
  std::deque<FunctionTask> tasks;
  for (std::size_t i = 0; i < kTasks; ++i) {
    tasks.emplace_back([&done, i] {
      done[i + 1].get_future().wait();
      done[i].set_value();
    });
  }
  for (FunctionTask& task : tasks) ASSERT_EQ(pool.submit(task), PoolAnswer::accepted);
  done[kTasks].set_value();
  done[0].get_future().wait();
}

TEST(LazyPool, does_not_grow_for_tasks_that_come_one_at_a_time) {
  LazyPool pool({.most_threads = 4, .queue_capacity = 100});
  Tally ran;
  FunctionTask task([&] { ran.add(); });
  // Its thread is idle before the first task comes and after each.
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(eventually([&] { return pool.idle() == 1; }));
    ASSERT_EQ(pool.submit(task), PoolAnswer::accepted);
    ASSERT_TRUE(ran.reaches(i + 1));
  }
  EXPECT_EQ(pool.grown(), 0U);
}

TEST(LazyPool, shrinks_to_one_thread_when_idle_and_grows_again) {
  LazyPool pool({.most_threads = 4, .idle_time = std::chrono::milliseconds(1)});
  for (std::uint64_t round = 1; round <= 3; ++round) {
    Gate gate(4);
    for (int i = 0; i < 4; ++i) ASSERT_EQ(pool.submit(gate.task(i)), PoolAnswer::accepted);
    ASSERT_TRUE(gate.entered(4));
    EXPECT_EQ(pool.threads(), 4U);
    gate.open();
    ASSERT_TRUE(gate.left(4));
    ASSERT_TRUE(eventually([&] { return pool.threads() == 1 && pool.shrunk() == pool.grown(); }));
    // More, when one that was called was let go first: a busy machine can be slower than the idle
    // time.
    EXPECT_GE(pool.grown(), round * 3);
  }
}

TEST(LazyPool, no_task_is_lost_while_threads_come_and_go_all_the_time) {
  LazyPool pool({.most_threads = 4, .idle_time = std::chrono::nanoseconds(0)});
  constexpr int kSubmitters = 2;
  constexpr int kTasks = 1'500;
  std::atomic<int> ran{0};
  std::vector<std::thread> submitters;
  for (int submitter = 0; submitter < kSubmitters; ++submitter) {
    submitters.emplace_back([&] {
      Tally own;
      std::deque<FunctionTask> tasks;
      // One at a time: a task that nobody sees is not run on account of the next one.
      for (int i = 0; i < kTasks; ++i) {
        tasks.emplace_back([&] {
          ran.fetch_add(1);
          own.add();
        });
        ASSERT_EQ(pool.submit(tasks.back()), PoolAnswer::accepted);
        ASSERT_TRUE(own.reaches(i + 1)) << "a task was lost";
      }
    });
  }
  for (auto& submitter : submitters) submitter.join();
  pool.stop();
  EXPECT_EQ(ran.load(), kSubmitters * kTasks);
}

}  // namespace
}  // namespace weft::ksvc
