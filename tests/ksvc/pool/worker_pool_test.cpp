// The contract of WorkerPool, asked of every implementation.
#include "ksvc/core/worker_pool.hpp"

#include <atomic>
#include <deque>

#include "ksvc/pool/pool_probe.hpp"

namespace weft::ksvc {
namespace {

using testing::eventually;
using testing::FunctionTask;
using testing::PoolOf;
using testing::Tally;

template <class Pool>
class WorkerPoolTest : public ::testing::Test {
 protected:
  PoolOf<Pool> made;
  Pool& pool = made.pool;
};

using EveryPool = ::testing::Types<InlineWorker, FixedPool, LazyPool>;
TYPED_TEST_SUITE(WorkerPoolTest, EveryPool, testing::PoolNames);

TYPED_TEST(WorkerPoolTest, every_accepted_task_runs_exactly_once) {
  constexpr int kSubmitters = 3;
  constexpr int kTasks = 2'000;
  Tally finished;
  std::deque<std::atomic<int>> runs(kSubmitters * kTasks);
  std::deque<FunctionTask> tasks;
  for (auto& count : runs) {
    tasks.emplace_back([&count, &finished] {
      count.fetch_add(1);
      finished.add();
    });
  }
  std::vector<std::thread> submitters;
  for (int submitter = 0; submitter < kSubmitters; ++submitter) {
    submitters.emplace_back([&, submitter] {
      for (int i = 0; i < kTasks; ++i) {
        auto& task = tasks[static_cast<std::size_t>(submitter * kTasks + i)];
        ASSERT_EQ(this->pool.submit(task), PoolAnswer::accepted);
      }
    });
  }
  for (auto& submitter : submitters) submitter.join();
  EXPECT_TRUE(finished.reaches(kSubmitters * kTasks));
  for (const auto& count : runs) EXPECT_EQ(count.load(), 1);
}

TYPED_TEST(WorkerPoolTest, a_task_may_free_itself) {
  struct Own : PoolTask {
    explicit Own(Tally& count) : PoolTask(&Own::end), ended(count) {}
    static void end(PoolTask& task) noexcept {
      auto* own = static_cast<Own*>(&task);
      Tally& ended = own->ended;
      delete own;
      ended.add();
    }
    Tally& ended;
  };
  Tally ended;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(this->pool.submit(*new Own(ended)), PoolAnswer::accepted);
  }
  EXPECT_TRUE(ended.reaches(100));
}

TYPED_TEST(WorkerPoolTest, a_task_finds_itself_on_a_thread_of_its_pool_and_of_no_other) {
  PoolOf<TypeParam> other;
  std::promise<std::pair<bool, bool>> found;
  FunctionTask task(
      [&] { found.set_value({this->pool.on_own_thread(), other.pool.on_own_thread()}); });
  EXPECT_FALSE(this->pool.on_own_thread());
  ASSERT_EQ(this->pool.submit(task), PoolAnswer::accepted);
  EXPECT_EQ(found.get_future().get(), std::pair(true, false));
  EXPECT_FALSE(this->pool.on_own_thread());
}

TYPED_TEST(WorkerPoolTest, a_task_may_submit_another) {
  std::promise<bool> ran;
  FunctionTask inner([&] { ran.set_value(this->pool.on_own_thread()); });
  FunctionTask outer([&] { EXPECT_EQ(this->pool.submit(inner), PoolAnswer::accepted); });
  ASSERT_EQ(this->pool.submit(outer), PoolAnswer::accepted);
  EXPECT_TRUE(ran.get_future().get());
}

TYPED_TEST(WorkerPoolTest, a_running_task_counts_as_busy) {
  std::promise<unsigned> busy;
  FunctionTask task([&] { busy.set_value(this->pool.busy()); });
  ASSERT_EQ(this->pool.submit(task), PoolAnswer::accepted);
  EXPECT_EQ(busy.get_future().get(), 1U);
  EXPECT_TRUE(eventually([&] { return this->pool.busy() == 0; }));
}

TYPED_TEST(WorkerPoolTest, stop_runs_what_was_accepted_and_accepts_nothing_more) {
  std::atomic<int> ran{0};
  std::deque<FunctionTask> tasks;
  for (int i = 0; i < 500; ++i) tasks.emplace_back([&] { ran.fetch_add(1); });
  for (FunctionTask& task : tasks) ASSERT_EQ(this->pool.submit(task), PoolAnswer::accepted);
  this->pool.stop();
  EXPECT_EQ(ran.load(), 500);
  EXPECT_EQ(this->pool.submit(tasks[0]), PoolAnswer::stopped);
  EXPECT_EQ(ran.load(), 500);
  EXPECT_EQ(this->pool.threads(), 0U);
  EXPECT_EQ(this->pool.busy(), 0U);
  EXPECT_EQ(this->pool.queued(), 0U);
  this->pool.stop();
}

TYPED_TEST(WorkerPoolTest, destruction_runs_what_was_accepted) {
  std::atomic<int> ran{0};
  std::deque<FunctionTask> tasks;
  for (int i = 0; i < 500; ++i) tasks.emplace_back([&] { ran.fetch_add(1); });
  {
    PoolOf<TypeParam> brief;
    for (FunctionTask& task : tasks) ASSERT_EQ(brief.pool.submit(task), PoolAnswer::accepted);
  }
  EXPECT_EQ(ran.load(), 500);
}

TYPED_TEST(WorkerPoolTest, what_a_stop_in_between_accepts_runs_and_what_it_refuses_does_not) {
  for (int round = 0; round < 20; ++round) {
    PoolOf<TypeParam> brief;
    std::atomic<int> ran{0};
    Tally accepted;
    std::deque<FunctionTask> tasks;
    for (int i = 0; i < 600; ++i) tasks.emplace_back([&] { ran.fetch_add(1); });
    std::vector<std::thread> submitters;
    for (int submitter = 0; submitter < 2; ++submitter) {
      submitters.emplace_back([&, submitter] {
        for (int i = 0; i < 300; ++i) {
          auto& task = tasks[static_cast<std::size_t>(submitter * 300 + i)];
          if (brief.pool.submit(task) == PoolAnswer::accepted) accepted.add();
        }
      });
    }
    EXPECT_TRUE(accepted.reaches(round * 10));
    brief.pool.stop();
    if (!std::is_same_v<TypeParam, InlineWorker>) {
      EXPECT_EQ(brief.pool.threads() + brief.pool.busy(), 0U);
    }
    for (auto& submitter : submitters) submitter.join();
    EXPECT_EQ(ran.load(), accepted.count());
  }
}

}  // namespace
}  // namespace weft::ksvc
