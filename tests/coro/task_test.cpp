// Task: what a coroutine gives, throws and owns, and how it is started.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "on_every_runtime.hpp"
#include "some_tasks.hpp"
#include "weft/local.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

class TaskOn : public OnEveryRuntime {};
INSTANTIATE_TEST_SUITE_P(EveryRuntime, TaskOn, every_runtime(), runtime_name);

TEST_P(TaskOn, waiting_for_one_gives_its_result) {
  run_here([] { EXPECT_EQ(coro::wait(number_later(7)), 7); });
}

TEST_P(TaskOn, does_nothing_before_it_is_started) {
  run_here([] {
    bool began = false;
    const auto mark = [](bool& flag) -> Task<> {
      flag = true;
      co_return;
    };
    {
      const Task<> never = mark(began);
      EXPECT_TRUE(static_cast<bool>(never));
    }
    EXPECT_FALSE(began);
    Task<> task = mark(began);
    EXPECT_FALSE(began);
    coro::wait(std::move(task));
    EXPECT_TRUE(began);
    EXPECT_FALSE(static_cast<bool>(task));
  });
}

TEST_P(TaskOn, awaits_others_that_wait_or_not) {
  run_here([] {
    const auto add = []() -> Task<int> {
      const int first = co_await number(1);
      const int second = co_await number_later(2);
      co_return first + second + co_await number(3) * co_await number_later(4);
    };
    EXPECT_EQ(coro::wait(add()), 15);
  });
}

TEST_P(TaskOn, gives_values_that_only_move_and_results) {
  run_here([] {
    const auto own = []() -> Task<std::unique_ptr<int>> {
      co_await coro::yield();
      co_return std::make_unique<int>(5);
    };
    const auto refuse = []() -> Task<Result<int>> { co_return Error{ErrorCode::not_found, 0}; };
    const auto both = [&]() -> Task<int> {
      auto owned = co_await own();
      const Result<int> refused = co_await refuse();
      EXPECT_EQ(refused.error().code, ErrorCode::not_found);
      co_return *owned;
    };
    EXPECT_EQ(coro::wait(both()), 5);
  });
}

TEST_P(TaskOn, throws_through_whoever_awaits_it) {
  run_here([] {
    bool destroyed = false;
    struct Mark {
      bool& flag;
      ~Mark() { flag = true; }
    };
    const auto outer = [&]() -> Task<> {
      const Mark mark{destroyed};
      co_await fail("inside");
    };
    EXPECT_EQ(text_of<std::runtime_error>([&] { coro::wait(outer()); }), "inside");
    EXPECT_TRUE(destroyed);
    const auto catches = [&]() -> Task<int> {
      try {
        co_await outer();
      } catch (const std::runtime_error&) {
        co_return 1;
      }
      co_return 2;
    };
    EXPECT_EQ(coro::wait(catches()), 1);
  });
}

TEST_P(TaskOn, a_hundred_thousand_awaited_in_a_row_need_no_stack) {
  run_here([] {
    const auto count = []() -> Task<int> {
      int sum = 0;
      for (int i = 0; i < 100'000; ++i) sum += co_await number(1);
      co_return sum;
    };
    EXPECT_EQ(coro::wait(count()), 100'000);
  });
}

struct Nested {
  static Task<int> depth(int levels) {
    if (levels == 0) {
      co_await coro::yield();
      co_return 0;
    }
    co_return co_await depth(levels - 1) + 1;
  }
};

TEST_P(TaskOn, ten_thousand_that_await_each_other_need_no_stack) {
  run_here([] { EXPECT_EQ(coro::wait(Nested::depth(10'000)), 10'000); });
}

TEST_P(TaskOn, spawned_one_runs_beside_and_is_joined) {
  run_here([] {
    std::string order;
    auto handle = coro::spawn([](std::string& into) -> Task<int> {
      into += "begins ";
      co_await coro::yield();
      into += "ends ";
      co_return 3;
    }(order));
    order += "spawned ";
    EXPECT_EQ(handle.join(), 3);
    EXPECT_EQ(order, "spawned begins ends ");
    auto failing = coro::spawn(fail("alone"));
    EXPECT_EQ(text_of<std::runtime_error>([&] { failing.join(); }), "alone");
  });
}

TEST_P(TaskOn, spawned_one_that_nobody_joins_keeps_the_program_running) {
  bool ended = false;
  run_here([&] {
    coro::spawn([](bool& flag) -> Task<> {
      co_await coro::sleep(milliseconds(2));
      flag = true;
    }(ended));
  });
  EXPECT_TRUE(ended);
}

TEST_P(TaskOn, what_a_spawned_one_holds_goes_before_it_counts_as_ended) {
  run_here([] {
    auto held = std::make_shared<int>(1);
    auto handle = coro::spawn([](std::shared_ptr<int> mine) -> Task<int> {
      co_await coro::yield();
      co_return *mine;
    }(held));
    EXPECT_EQ(held.use_count(), 2);
    while (!handle.ended()) yield();
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(handle.join(), 1);
  });
}

TEST_P(TaskOn, joins_green_threads_and_coroutines) {
  run_here([] {
    const auto join_both = []() -> Task<std::string> {
      auto green = weft::spawn([] {
        sleep(microseconds(10));
        return std::string("green ");
      });
      auto other = coro::spawn([]() -> Task<std::string> {
        co_await coro::sleep(microseconds(10));
        co_return "coroutine";
      }());
      std::string text = co_await coro::join(green);
      text += co_await coro::join(other);
      co_return text;
    };
    EXPECT_EQ(coro::wait(join_both()), "green coroutine");
  });
}

TEST_P(TaskOn, a_cancelled_join_leaves_the_handle_as_it_was) {
  run_here([] {
    auto slow = weft::spawn([] { sleep(hours(10)); });
    const auto join_it = [&]() -> Task<> { co_await coro::join(slow); };
    const auto limited = [&]() -> Task<Result<void>> {
      co_return co_await coro::with_timeout(milliseconds(1), join_it());
    };
    EXPECT_EQ(coro::wait(limited()).error().code, ErrorCode::timed_out);
    EXPECT_TRUE(slow.joinable());
    EXPECT_FALSE(slow.ended());
    slow.cancel();
    EXPECT_THROW(slow.join(), Cancelled);
  });
}

TEST_P(TaskOn, runs_green_threads_and_waits_for_them) {
  run_here([] {
    const auto call = []() -> Task<int> {
      const int got = co_await coro::green([] {
        sleep(microseconds(10));
        return coro::wait(number_later(20));
      });
      bool thrown = false;
      try {
        co_await coro::green([] { throw std::runtime_error("green"); });
      } catch (const std::runtime_error&) {
        thrown = true;
      }
      EXPECT_TRUE(thrown);
      co_return got + 1;
    };
    EXPECT_EQ(coro::wait(call()), 21);
  });
}

TEST_P(TaskOn, cancelling_it_cancels_the_green_thread_that_it_awaits) {
  run_here([] {
    bool cancelled_inside = false;
    const auto call = [&]() -> Task<> {
      co_await coro::green([&] {
        try {
          sleep(hours(10));
        } catch (const Cancelled&) {
          cancelled_inside = true;
          throw;
        }
      });
    };
    auto handle = coro::spawn(call());
    yield();
    yield();
    handle.cancel();
    EXPECT_THROW(handle.join(), Cancelled);
    EXPECT_TRUE(cancelled_inside);
  });
}

TEST_P(TaskOn, blocking_calls_run_elsewhere) {
  run_here([] {
    const auto here = std::this_thread::get_id();
    const auto call = [&]() -> Task<bool> {
      const auto there = co_await coro::blocking([] { return std::this_thread::get_id(); });
      EXPECT_EQ(std::this_thread::get_id(), here);
      bool thrown = false;
      try {
        co_await coro::blocking([] { throw std::runtime_error("on the pool"); });
      } catch (const std::runtime_error&) {
        thrown = true;
      }
      co_return thrown&& there != here;
    };
    EXPECT_TRUE(coro::wait(call()));
  });
}

TEST_P(TaskOn, a_blocking_call_of_a_cancelled_one_is_not_made) {
  run_here([] {
    bool called = false;
    auto handle = coro::spawn([](bool& flag) -> Task<> {
      co_await coro::yield();
      co_await coro::blocking([&flag] { flag = true; });
    }(called));
    handle.cancel();
    EXPECT_THROW(handle.join(), Cancelled);
    EXPECT_FALSE(called);
  });
}

TEST_P(TaskOn, parks_the_stack_it_runs_on_when_it_makes_a_green_call) {
  run_here([] {
    Mutex mutex;
    int inside = 0;
    const auto locks = [&]() -> Task<> {
      for (int i = 0; i < 20; ++i) {
        const std::lock_guard guard(mutex);
        EXPECT_EQ(++inside, 1);
        sleep(microseconds(1));
        co_await coro::yield();
        sleep(microseconds(1));
        EXPECT_EQ(--inside, 0);
      }
    };
    const auto both = [&]() -> Task<> { co_await coro::all(locks(), locks(), locks()); };
    coro::wait(both());
  });
}

TEST_P(TaskOn, a_mutex_held_across_an_await_is_waited_for) {
  run_here([] {
    Mutex mutex;
    std::string order;
    auto holder = coro::spawn([](Mutex& held, std::string& into) -> Task<> {
      const std::lock_guard guard(held);
      co_await coro::sleep(milliseconds(1));
      into += "holder ";
    }(mutex, order));
    yield();
    mutex.lock();
    order += "other";
    mutex.unlock();
    holder.join();
    EXPECT_EQ(order, "holder other");
  });
}

// ---- What belongs to it

TEST_P(TaskOn, has_locals_of_its_own_which_those_it_awaits_share) {
  static GreenLocal<int> local;
  run_here([] {
    local.get() = 1;
    const auto inner = []() -> Task<> {
      EXPECT_EQ(local.get(), 10);
      co_await coro::yield();
      local.get() += 1;
    };
    const auto outer = [&]() -> Task<int> {
      EXPECT_EQ(local.get(), 0);
      local.get() = 10;
      co_await coro::yield();
      co_await inner();
      sleep(microseconds(1));
      co_return local.get();
    };
    auto other = coro::spawn(outer());
    EXPECT_EQ(coro::wait(outer()), 11);
    EXPECT_EQ(other.join(), 11);
    EXPECT_EQ(local.get(), 1);
  });
}

TEST_P(TaskOn, locals_go_when_it_ends) {
  struct Counted {
    explicit Counted(int& alive) noexcept : count(alive) { ++count; }
    Counted(Counted&& other) noexcept : count(other.count) { ++count; }
    ~Counted() { --count; }
    int& count;
  };
  static int alive = 0;
  static GreenLocal<Counted> local([] { return Counted(alive); });
  run_here([] {
    auto handle = coro::spawn([]() -> Task<> {
      static_cast<void>(local.get());
      co_await coro::yield();
      EXPECT_EQ(alive, 1);
    }());
    handle.join();
    EXPECT_EQ(alive, 0);
  });
}

TEST_P(TaskOn, leaves_the_stack_it_ran_on_without_its_cancellation) {
  run_here([] {
    auto handle = coro::spawn(wait_for_ever());
    yield();
    handle.cancel();
    EXPECT_FALSE(cancelled());
    EXPECT_THROW(handle.join(), Cancelled);
    EXPECT_FALSE(cancelled());
  });
}

// ---- With more than one worker

TEST_P(TaskOn, runs_on_the_worker_it_was_started_on) {
  run_here(
      [] {
        std::atomic<int> strayed = 0;
        std::vector<JoinHandle<void>> greens;
        for (int i = 0; i < 8; ++i) {
          greens.push_back(weft::spawn({.placement = Placement::any}, [&strayed] {
            coro::wait([](std::atomic<int>& count) -> Task<> {
              const auto here = std::this_thread::get_id();
              for (int turn = 0; turn < 20; ++turn) {
                co_await coro::sleep(microseconds(1));
                co_await coro::yield();
                if (std::this_thread::get_id() != here) ++count;
              }
            }(strayed));
          }));
        }
        for (auto& green : greens) green.join();
        EXPECT_EQ(strayed, 0);
      },
      2);
}

TEST_P(TaskOn, one_of_another_worker_is_joined) {
  run_here(
      [] {
        std::vector<JoinHandle<int>> greens;
        for (int i = 0; i < 8; ++i) {
          greens.push_back(weft::spawn({.placement = Placement::any},
                                       [i] { return coro::spawn(number_later(i)).join(); }));
        }
        const auto sum = [&]() -> Task<int> {
          int total = 0;
          for (auto& green : greens) total += co_await coro::join(green);
          co_return total;
        };
        EXPECT_EQ(coro::wait(sum()), 28);
      },
      2);
}

// ---- Outside a worker

TEST(TaskOutside, waiting_for_one_blocks_the_thread_in_what_it_awaits) {
  auto body = []() -> Task<int> {
    co_await coro::sleep(microseconds(100));
    const int twice = co_await coro::blocking([] { return 2; });
    co_return twice* co_await number_later(4);
  };
  EXPECT_EQ(coro::wait(body()), 8);
}

TEST(TaskOutside, a_timeout_ends_what_it_blocks_in) {
  const auto outer = []() -> Task<Result<void>> {
    co_return co_await coro::with_timeout(milliseconds(1), wait_for_ever());
  };
  EXPECT_EQ(coro::wait(outer()).error().code, ErrorCode::timed_out);
}

TEST(TaskDeathTest, one_that_was_awaited_is_not_awaited_again) {
  Task<int> task = number(1);
  EXPECT_EQ(coro::wait(std::move(task)), 1);
  EXPECT_DEATH(coro::wait(std::move(task)), "stands for no coroutine");
}

TEST(TaskDeathTest, running_beside_others_needs_a_worker) {
  const auto outer = []() -> Task<> { co_await coro::all(number(1), number(2)); };
  EXPECT_DEATH(coro::wait(outer()), "on a worker");
  EXPECT_DEATH(coro::spawn(number(1)), "needs a worker");
}

}  // namespace
}  // namespace weft
