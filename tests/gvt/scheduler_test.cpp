#include "gvt/scheduler.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace weft::gvt {
namespace {

// Runs what is ready until nothing is; no I/O, no time.
class PlainScheduler : public Scheduler {
 public:
  PlainScheduler() : Scheduler({}, TimePoint{0}) {}

  void add(std::function<void()> body) {
    tasks_.push_back(std::make_unique<Task>(std::move(body)));
    make_ready(*tasks_.back());
  }
  void run() {
    begin_loop();
    EXPECT_FALSE(resume_loop());
    end_loop();
  }

 private:
  struct Task : Runnable {
    explicit Task(std::function<void()> to_do) : Runnable(&Task::run_it), body(std::move(to_do)) {}
    static void run_it(Runnable& self) { static_cast<Task&>(self).body(); }
    std::function<void()> body;
  };

  void loop() override {
    while (run_one()) {
    }
  }

  std::vector<std::unique_ptr<Task>> tasks_;
};

TEST(Scheduler, tasks_that_do_not_park_share_one_stack) {
  PlainScheduler scheduler;
  std::set<GreenThread*> stacks;
  int ran = 0;
  for (int i = 0; i < 1000; ++i) {
    scheduler.add([&] {
      stacks.insert(&scheduler.running());
      ++ran;
    });
  }
  scheduler.run();
  EXPECT_EQ(ran, 1000);
  EXPECT_EQ(stacks.size(), 1U);
  EXPECT_EQ(scheduler.parked(), 0U);
}

TEST(Scheduler, tasks_that_park_one_after_the_other_go_round_on_few_stacks) {
  PlainScheduler scheduler;
  std::set<GreenThread*> stacks;
  std::function<void(int)> next = [&](int left) {
    stacks.insert(&scheduler.running());
    scheduler.yield();
    if (left > 0) scheduler.add([&next, left] { next(left - 1); });
  };
  scheduler.add([&] { next(500); });
  scheduler.run();
  EXPECT_LE(stacks.size(), 3U);
}

TEST(Scheduler, ready_tasks_run_in_the_order_they_became_ready) {
  PlainScheduler scheduler;
  std::string order;
  for (char name = 'a'; name <= 'f'; ++name) scheduler.add([&order, name] { order += name; });
  scheduler.run();
  EXPECT_EQ(order, "abcdef");
}

TEST(Scheduler, yield_lets_everything_that_is_ready_go_first) {
  PlainScheduler scheduler;
  std::string order;
  for (char name = 'a'; name <= 'c'; ++name) {
    scheduler.add([&, name] {
      for (int i = 0; i < 3; ++i) {
        order += name;
        scheduler.yield();
      }
    });
  }
  scheduler.run();
  EXPECT_EQ(order, "abcabcabc");
}

TEST(Scheduler, parked_task_goes_on_where_it_was_when_another_makes_it_ready) {
  PlainScheduler scheduler;
  std::string order;
  GreenThread* sleeper = nullptr;
  scheduler.add([&] {
    const std::string kept = "kept";
    sleeper = &scheduler.running();
    order += "1";
    scheduler.park();
    order += "4" + kept;
  });
  scheduler.add([&] {
    EXPECT_EQ(scheduler.parked(), 1U);
    order += "2";
    scheduler.make_ready(*sleeper);
    order += "3";
  });
  scheduler.run();
  EXPECT_EQ(order, "1234kept");
  EXPECT_EQ(scheduler.parked(), 0U);
}

TEST(Scheduler, task_made_ready_before_it_parks_is_not_lost) {
  PlainScheduler scheduler;
  bool went_on = false;
  scheduler.add([&] {
    scheduler.make_ready(scheduler.running());
    scheduler.park();
    went_on = true;
  });
  scheduler.run();
  EXPECT_TRUE(went_on);
}

TEST(Scheduler, two_tasks_hand_the_thread_to_each_other) {
  PlainScheduler scheduler;
  GreenThread* waiting = nullptr;
  std::string order;
  const auto player = [&](char name) {
    for (int i = 0; i < 1000; ++i) {
      if (i < 3) order += name;
      if (waiting != nullptr) scheduler.make_ready(*std::exchange(waiting, nullptr));
      waiting = &scheduler.running();
      scheduler.park();
    }
    if (waiting != nullptr) scheduler.make_ready(*std::exchange(waiting, nullptr));
  };
  scheduler.add([&] { player('a'); });
  scheduler.add([&] { player('b'); });
  scheduler.run();
  EXPECT_EQ(order, "ababab");
  EXPECT_EQ(scheduler.parked(), 0U);
}

[[gnu::noinline]] int park_at_every_depth(PlainScheduler& scheduler, int depth) {
  volatile char frame[64] = {static_cast<char>(depth)};
  if (depth == 0) return 0;
  scheduler.yield();
  const int below = park_at_every_depth(scheduler, depth - 1);
  scheduler.yield();
  EXPECT_EQ(frame[0], static_cast<char>(depth));
  return below + 1;
}

TEST(Scheduler, parks_at_every_depth_of_nested_calls) {
  PlainScheduler scheduler;
  int done = 0;
  for (int i = 0; i < 10; ++i) {
    scheduler.add([&] { done += park_at_every_depth(scheduler, 60); });
  }
  scheduler.run();
  EXPECT_EQ(done, 600);
}

TEST(Scheduler, thousands_park_at_once_and_all_go_on) {
  const std::size_t kTasks = sanitizer::kEnabled ? 500 : 5000;
  PlainScheduler scheduler;
  std::vector<GreenThread*> sleepers;
  std::size_t went_on = 0;
  for (std::size_t i = 0; i < kTasks; ++i) {
    scheduler.add([&] {
      sleepers.push_back(&scheduler.running());
      scheduler.park();
      ++went_on;
    });
  }
  scheduler.add([&] {
    EXPECT_EQ(scheduler.parked(), kTasks);
    EXPECT_EQ(std::set<GreenThread*>(sleepers.begin(), sleepers.end()).size(), kTasks);
    for (GreenThread* sleeper : sleepers) scheduler.make_ready(*sleeper);
  });
  scheduler.run();
  EXPECT_EQ(went_on, kTasks);
  EXPECT_EQ(scheduler.parked(), 0U);
}

TEST(Scheduler, park_observer_is_told_before_each_park) {
  struct Counter final : ParkObserver {
    void before_park() override { ++parks; }
    int parks = 0;
  };
  PlainScheduler scheduler;
  Counter counter;
  scheduler.add([&] {
    scheduler.running().observer = &counter;
    for (int i = 1; i <= 3; ++i) {
      EXPECT_EQ(counter.parks, i - 1);
      scheduler.yield();
      EXPECT_EQ(counter.parks, i);
    }
    scheduler.running().observer = nullptr;
    scheduler.yield();
    EXPECT_EQ(counter.parks, 3);
  });
  scheduler.add([&] { scheduler.yield(); });
  scheduler.run();
  EXPECT_EQ(counter.parks, 3);
}

TEST(Scheduler, current_scheduler_is_set_only_while_it_runs) {
  EXPECT_EQ(current_scheduler(), nullptr);
  {
    PlainScheduler scheduler;
    scheduler.add([&] {
      EXPECT_EQ(current_scheduler(), &scheduler);
      scheduler.yield();
      EXPECT_EQ(current_scheduler(), &scheduler);
    });
    scheduler.run();
  }
  EXPECT_EQ(current_scheduler(), nullptr);
}

TEST(Scheduler, live_tasks_that_all_ended_are_told_once) {
  struct Telling final : public Scheduler {
    Telling() : Scheduler({}, TimePoint{0}) {}
    void loop() override {}
    void all_tasks_ended() noexcept override { ++told; }
    int told = 0;
  } scheduler;
  scheduler.task_started();
  scheduler.task_started();
  scheduler.task_ended();
  EXPECT_EQ(scheduler.told, 0);
  scheduler.task_ended();
  EXPECT_EQ(scheduler.told, 1);
}

TEST(SchedulerExceptions, exception_thrown_after_a_park_is_caught_in_the_frame_that_parked) {
  PlainScheduler scheduler;
  int caught = 0;
  for (int i = 0; i < 20; ++i) {
    scheduler.add([&, i] {
      try {
        scheduler.yield();
        throw std::runtime_error(std::to_string(i));
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), std::to_string(i));
        ++caught;
      }
      EXPECT_EQ(std::current_exception(), nullptr);
    });
  }
  scheduler.run();
  EXPECT_EQ(caught, 20);
}

TEST(SchedulerExceptions, park_inside_a_catch_block_keeps_what_a_bare_throw_throws_again) {
  PlainScheduler scheduler;
  int rethrown = 0;
  for (int i = 0; i < 20; ++i) {
    scheduler.add([&, i] {
      try {
        try {
          throw std::runtime_error(std::to_string(i));
        } catch (const std::runtime_error&) {
          for (int parks = 0; parks <= i % 4; ++parks) {
            scheduler.yield();
            EXPECT_NE(std::current_exception(), nullptr);
          }
          throw;
        }
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), std::to_string(i));
        ++rethrown;
      }
    });
  }
  scheduler.run();
  EXPECT_EQ(rethrown, 20);
}

TEST(SchedulerExceptions, handlers_interleaved_with_a_parked_catch_block_see_none_of_it) {
  PlainScheduler scheduler;
  GreenThread* sleeper = nullptr;
  scheduler.add([&] {
    try {
      throw std::runtime_error("outer");
    } catch (const std::runtime_error&) {
      try {
        throw std::logic_error("inner");
      } catch (const std::logic_error& inner) {
        sleeper = &scheduler.running();
        scheduler.park();
        EXPECT_STREQ(inner.what(), "inner");
      }
      EXPECT_THROW(throw, std::runtime_error);
    }
    EXPECT_EQ(std::current_exception(), nullptr);
  });
  scheduler.add([&] {
    EXPECT_EQ(std::current_exception(), nullptr);
    try {
      throw 42;
    } catch (int number) {
      scheduler.make_ready(*sleeper);
      scheduler.yield();
      EXPECT_EQ(number, 42);
      EXPECT_THROW(throw, int);
    }
  });
  scheduler.run();
}

TEST(SchedulerExceptions, uncaught_exceptions_counts_those_of_its_own_stack) {
  struct ParksWhenUnwound {
    explicit ParksWhenUnwound(PlainScheduler& owner) : scheduler(owner) {}
    ~ParksWhenUnwound() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      scheduler.yield();
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
    PlainScheduler& scheduler;
  };
  PlainScheduler scheduler;
  int caught = 0;
  for (int i = 0; i < 5; ++i) {
    scheduler.add([&] {
      EXPECT_EQ(std::uncaught_exceptions(), 0);
      try {
        const ParksWhenUnwound unwound(scheduler);
        throw std::runtime_error("unwinds");
      } catch (const std::runtime_error&) {
        ++caught;
      }
      EXPECT_EQ(std::uncaught_exceptions(), 0);
    });
    scheduler.add([] { EXPECT_EQ(std::uncaught_exceptions(), 0); });
  }
  scheduler.run();
  EXPECT_EQ(caught, 5);
  EXPECT_EQ(std::uncaught_exceptions(), 0);
}

TEST(SchedulerExceptions, exception_being_handled_by_the_caller_of_run_is_still_there_after_it) {
  PlainScheduler scheduler;
  scheduler.add([&] {
    EXPECT_EQ(std::current_exception(), nullptr);
    scheduler.yield();
  });
  try {
    throw std::runtime_error("around");
  } catch (const std::runtime_error&) {
    scheduler.run();
    EXPECT_THROW(throw, std::runtime_error);
  }
}

}  // namespace
}  // namespace weft::gvt
