// JoinHandle: what a green thread comes to, and who may wait for it.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "on_every_backend.hpp"
#include "weft/cancel.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class JoinOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, JoinOn, every_backend(), backend_name);

TEST_P(JoinOn, gives_the_result_before_and_after_the_end) {
  run_here([] {
    auto early = spawn([] {
      sleep(milliseconds(1));
      return 1;
    });
    EXPECT_FALSE(early.ended());
    EXPECT_EQ(early.join(), 1);
    EXPECT_FALSE(early.joinable());
    auto late = spawn([] { return std::make_unique<std::string>("moved"); });
    yield();
    EXPECT_TRUE(late.ended());
    EXPECT_EQ(*late.join(), "moved");
    const auto deep = spawn([] { return spawn([] { return 5; }); }).join().join();
    EXPECT_EQ(deep, 5);
  });
}

TEST_P(JoinOn, throws_what_the_function_threw) {
  run_here([] {
    auto task = spawn([]() -> int { throw std::runtime_error("thrown inside"); });
    try {
      task.join();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "thrown inside");
    }
    EXPECT_FALSE(task.joinable());
    auto timed = spawn([] { throw 7; });
    EXPECT_THROW((void)timed.join_for(hours(1)), int);
  });
}

TEST_P(JoinOn, join_for_gives_up_and_can_be_repeated) {
  run_here([] {
    bool go = false;
    auto task = spawn([&] {
      while (!go) sleep(milliseconds(1));
      return 9;
    });
    EXPECT_EQ(task.join_for(milliseconds(1)).error().code, ErrorCode::timed_out);
    EXPECT_EQ(task.join_for(milliseconds(0)).error().code, ErrorCode::timed_out);
    EXPECT_TRUE(task.joinable());
    go = true;
    EXPECT_EQ(task.join_for(hours(1)).value(), 9);
    EXPECT_FALSE(task.joinable());
  });
}

TEST_P(JoinOn, cancelled_task_throws_cancelled_out_of_join_and_other_handles_are_untouched) {
  run_here([] {
    auto left = spawn([] { sleep(hours(1)); });
    auto right = spawn([] {
      sleep(milliseconds(1));
      return 2;
    });
    left.cancel();  // before it has begun
    EXPECT_THROW(left.join(), Cancelled);
    EXPECT_EQ(right.join(), 2);
  });
}

TEST_P(JoinOn, task_that_takes_no_notice_of_cancel_gives_its_result) {
  run_here([] {
    auto task = spawn([] {
      try {
        sleep(hours(1));
      } catch (const Cancelled&) {
      }
      return 4;
    });
    yield();
    task.cancel();
    task.cancel();
    EXPECT_EQ(task.join(), 4);
  });
}

TEST_P(JoinOn, cancelled_joiner_keeps_its_handle) {
  run_here([] {
    bool go = false;
    auto task = spawn([&] {
      while (!go) yield();
      return 3;
    });
    CancelSource source;
    auto joiner = spawn([&] {
      const auto ended = with_cancel(source.token(), [&] { task.join(); });
      EXPECT_EQ(ended.error().code, ErrorCode::cancelled);
    });
    yield();
    source.cancel();
    joiner.join();
    EXPECT_TRUE(task.joinable());
    go = true;
    EXPECT_EQ(task.join(), 3);
  });
}

TEST_P(JoinOn, end_that_meets_a_cancelled_joiner_is_still_there_for_the_next) {
  for (const bool cancel_first : {false, true}) {
    run_here([cancel_first] {
      Semaphore go(0);
      auto task = spawn([&] {
        go.acquire();
        return 3;
      });
      CancelSource source;
      auto joiner = spawn([&] {
        const auto got = with_cancel(source.token(), [&] { return task.join(); });
        EXPECT_EQ(got.ok(), !cancel_first);
      });
      yield();
      if (cancel_first) source.cancel();
      go.release();
      yield();
      source.cancel();
      joiner.join();
      if (cancel_first) {
        EXPECT_EQ(task.join(), 3);
      }
    });
  }
}

TEST_P(JoinOn, dropped_handle_leaves_the_green_thread_on_its_own) {
  bool ended = false;
  run_here([&] {
    {
      const auto dropped = spawn([&] {
        sleep(milliseconds(1));
        ended = true;
      });
    }
    auto replaced = spawn([] { yield(); });
    replaced = spawn([] {});
    replaced.detach();
    replaced.detach();
    EXPECT_FALSE(replaced.joinable());
  });
  EXPECT_TRUE(ended);
}

TEST_P(JoinOn, what_the_function_holds_goes_at_its_end_not_with_the_handle) {
  run_here([] {
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watcher = owned;
    auto task = spawn([owned = std::move(owned)] {});
    yield();
    EXPECT_TRUE(watcher.expired());
    task.join();
  });
}

TEST_P(JoinOn, dropped_handle_of_a_cancelled_task_is_no_failure) {
  run_here([] {
    auto task = spawn([] { sleep(hours(1)); });
    yield();
    task.cancel();
  });
}

TEST_P(JoinOn, thousands_are_joined_in_any_order) {
  const int kTasks = gvt::sanitizer::kEnabled ? 200 : 3000;
  long sum = 0;
  run_here([&] {
    std::vector<JoinHandle<int>> all;
    for (int i = 0; i < kTasks; ++i) {
      all.push_back(spawn([i] {
        for (int j = 0; j < i % 4; ++j) yield();
        return i;
      }));
    }
    while (!all.empty()) {
      std::swap(all[all.size() * 7 / 11], all.back());
      sum += all.back().join();
      all.pop_back();
    }
  });
  EXPECT_EQ(sum, long{kTasks} * (kTasks - 1) / 2);
}

TEST_P(JoinOn, own_stack_size_is_had) {
  run_here([] {
    auto deep = spawn({.name = "deep", .stack_bytes = 1 << 20}, [] {
      volatile char frame[700 * 1024] = {};
      frame[0] = 1;
      yield();
      return static_cast<int>(frame[0] + frame[sizeof frame - 1]);
    });
    EXPECT_EQ(deep.join(), 1);
  });
}

// The task ends on its worker while the joiner, an OS thread, begins to wait.
TEST(JoinStress, os_thread_joins_what_a_worker_runs) {
  const int kTasks = gvt::sanitizer::kEnabled ? 200 : 2000;
  Mutex mutex;
  CondVar changed;
  std::vector<JoinHandle<int>> handles;
  std::jthread joiner([&] {
    for (int i = 0; i < kTasks; ++i) {
      JoinHandle<int> handle;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !handles.empty(); });
        handle = std::move(handles.back());
        handles.pop_back();
      }
      if (i % 3 == 0) handle.cancel();
      if (i % 5 == 0) continue;
      try {
        EXPECT_GE(handle.join(), 0);
      } catch (const Cancelled&) {
        EXPECT_EQ(i % 3, 0);
      }
    }
  });
  run([&] {
    for (int i = 0; i < kTasks; ++i) {
      auto handle = spawn([i] {
        if (i % 2 == 0) sleep(std::chrono::microseconds(i % 20));
        return i;
      });
      const std::lock_guard lock(mutex);
      handles.push_back(std::move(handle));
      changed.notify_one();
      if (i % 8 == 0) yield();
    }
  });
}

TEST(JoinDeathTest, handle_that_stands_for_nothing_stops_the_process_and_says_so) {
  JoinHandle<void> none;
  EXPECT_DEATH(none.join(), "joined, detached or moved from");
  EXPECT_DEATH((void)none.ended(), "joined, detached or moved from");
  EXPECT_DEATH(none.cancel(), "joined, detached or moved from");
}

TEST(JoinDeathTest, exception_that_nobody_can_see_any_more_ends_the_process) {
  const auto drop_after_the_end = [] {
    run(
        [] {
          auto task = spawn([] { throw std::runtime_error("unseen"); });
          yield();
        },
        {.backend = RunOptions::Backend::epoll});
  };
  EXPECT_EXIT(drop_after_the_end(), testing::KilledBySignal(SIGABRT), "unseen");
}

TEST(JoinDeathTest, second_joiner_stops_the_process_and_says_so) {
  const auto join_twice = [] {
    run(
        [] {
          auto task = spawn([] { sleep(hours(1)); });
          spawn([&] { task.join(); });
          yield();
          task.join();
        },
        {.backend = RunOptions::Backend::epoll});
  };
  EXPECT_DEATH(join_twice(), "one may wait for a green thread at a time");
}

}  // namespace
}  // namespace weft
