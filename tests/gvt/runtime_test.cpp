// weft::run(), spawn(), yield() and sleep() over every back end.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "on_every_backend.hpp"
#include "weft/green.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Backend = RunOptions::Backend;

class Runtime : public OnEveryBackend {
 protected:
  // With nothing of the fixture's around `main`: when it goes is asked here.
  void run_here(std::function<void()> main) { run(std::move(main), {.backend = GetParam()}); }
};
INSTANTIATE_TEST_SUITE_P(EveryBackend, Runtime, every_backend(), backend_name);

TEST_P(Runtime, run_returns_when_main_and_all_it_spawned_have_ended) {
  std::string order;
  run_here([&] {
    order += "main ";
    spawn([&] {
      sleep(milliseconds(5));
      order += "child ";
      spawn([&] {
        yield();
        order += "grandchild ";
      });
    });
  });
  EXPECT_EQ(order, "main child grandchild ");
}

TEST_P(Runtime, spawned_functions_run_in_the_order_of_spawning_once_the_caller_parks) {
  std::string order;
  run_here([&] {
    for (char name = 'a'; name <= 'e'; ++name) spawn([&order, name] { order += name; });
    order += '[';
    yield();
    order += ']';
  });
  EXPECT_EQ(order, "[abcde]");
}

TEST_P(Runtime, what_main_throws_is_thrown_once_all_have_ended) {
  bool child_ended = false;
  EXPECT_THROW(run_here([&] {
                 spawn([&] {
                   sleep(milliseconds(2));
                   child_ended = true;
                 });
                 throw std::runtime_error("no");
               }),
               std::runtime_error);
  EXPECT_TRUE(child_ended);
}

TEST(RuntimeChoice, the_environment_decides_when_the_program_does_not) {
  ASSERT_EQ(::setenv("WEFT_BACKEND", "kqueue", 1), 0);
  EXPECT_THROW(run([] {}), std::runtime_error);
  run([] {}, {.backend = Backend::epoll});
  ASSERT_EQ(::setenv("WEFT_BACKEND", "epoll", 1), 0);
  run([] {});
  ASSERT_EQ(::unsetenv("WEFT_BACKEND"), 0);
}

// That they wake in the order of their times is asked of the worker, where all times count from
// one.
TEST_P(Runtime, no_sleeper_wakes_before_its_time) {
  int woken = 0;
  run_here([&] {
    for (const int ms : {40, 10, 30, 20}) {
      spawn([&woken, ms] {
        const auto due = steady_clock::now() + milliseconds(ms);
        sleep(milliseconds(ms));
        EXPECT_GE(steady_clock::now(), due);
        ++woken;
      });
    }
  });
  EXPECT_EQ(woken, 4);
}

TEST_P(Runtime, sleep_of_nothing_is_a_yield) {
  std::string order;
  run_here([&] {
    spawn([&] { order += "other "; });
    sleep(milliseconds(0));
    sleep(milliseconds(-5));
    order += "self";
  });
  EXPECT_EQ(order, "other self");
}

TEST_P(Runtime, what_a_spawned_function_owns_ends_with_it) {
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watcher = owned;
  bool ended_before_main = false;
  run_here([&, owned = std::move(owned)]() mutable {
    spawn([owned = std::move(owned)] { yield(); });
    while (!watcher.expired()) yield();
    ended_before_main = true;
  });
  EXPECT_TRUE(ended_before_main);
}

TEST_P(Runtime, function_that_can_only_be_moved_can_be_spawned) {
  int got = 0;
  run_here([&] {
    auto value = std::make_unique<int>(7);
    spawn([&got, value = std::move(value)] { got = *value; });
  });
  EXPECT_EQ(got, 7);
}

TEST_P(Runtime, many_sleepers_all_wake) {
  const int kSleepers = gvt::sanitizer::kEnabled ? 300 : 3000;
  int woken = 0;
  run_here([&] {
    for (int i = 0; i < kSleepers; ++i) {
      spawn([&woken, i] {
        sleep(std::chrono::microseconds(i * 7 % 5000));
        ++woken;
      });
    }
  });
  EXPECT_EQ(woken, kSleepers);
}

TEST_P(Runtime, can_be_used_again_and_again_on_one_thread) {
  int runs = 0;
  for (int i = 0; i < 10; ++i) {
    run_here([&] {
      yield();
      ++runs;
    });
  }
  EXPECT_EQ(runs, 10);
}

TEST_P(Runtime, exception_may_be_thrown_across_parks_of_many_green_threads) {
  int caught = 0;
  run_here([&] {
    for (int i = 0; i < 50; ++i) {
      spawn([&caught, i] {
        try {
          try {
            sleep(std::chrono::microseconds(i * 37 % 900));
            throw std::runtime_error(std::to_string(i));
          } catch (const std::runtime_error&) {
            sleep(std::chrono::microseconds(i * 53 % 900));
            throw;
          }
        } catch (const std::runtime_error& error) {
          EXPECT_EQ(error.what(), std::to_string(i));
          ++caught;
        }
      });
    }
  });
  EXPECT_EQ(caught, 50);
}

TEST(RuntimeOutside, sleep_outside_a_worker_blocks_the_thread_for_as_long) {
  const auto due = steady_clock::now() + milliseconds(5);
  sleep(milliseconds(5));
  EXPECT_GE(steady_clock::now(), due);
  sleep(milliseconds(-1));
}

TEST(RuntimeDeathTest, a_ring_that_cannot_be_made_means_epoll_unless_it_was_asked_for) {
  const auto run_with_little_locked_memory = [](Backend backend) {
    // The limit holds for users without privileges only.
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) std::exit(2);
    const rlimit little{128 * 1024, 128 * 1024};
    ::setrlimit(RLIMIT_MEMLOCK, &little);
    try {
      run([] { sleep(milliseconds(1)); }, {.backend = backend});
    } catch (const std::runtime_error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::exit(1);
    }
    std::exit(0);
  };
  EXPECT_EXIT(run_with_little_locked_memory(Backend::automatic), testing::ExitedWithCode(0), "");
  if (ksvc::BasicIoUring::create({})) {
    EXPECT_EXIT(run_with_little_locked_memory(Backend::io_uring), testing::ExitedWithCode(1),
                "io_uring was asked for.*ulimit -l.*or ask for epoll");
  }
}

TEST(RuntimeDeathTest, spawn_and_yield_outside_a_worker_stop_the_process_and_say_why) {
  EXPECT_DEATH(yield(), "needs a worker");
  EXPECT_DEATH(spawn([] {}), "needs a worker");
}

TEST(RuntimeDeathTest, run_inside_run_stops_the_process_and_says_why) {
  EXPECT_DEATH(run([] { run([] {}); }, {.backend = Backend::epoll}), "cannot be nested");
}

TEST(RuntimeDeathTest, exception_that_leaves_a_spawned_function_ends_the_process) {
  EXPECT_EXIT(
      run([] { spawn([] { throw std::runtime_error("left"); }); }, {.backend = Backend::epoll}),
      testing::KilledBySignal(SIGABRT), "left");
}

[[gnu::noinline]] int overflow(int depth) {
  volatile char frame[512] = {};
  frame[static_cast<std::size_t>(depth) % sizeof frame] = 1;
  return depth == 0 ? frame[0] : overflow(depth - 1) + frame[1];
}

TEST(RuntimeDeathTest, stack_overflow_hits_the_guard_instead_of_a_neighbour) {
  if (gvt::sanitizer::kEnabled) GTEST_SKIP() << "sanitizers take the signal over";
  const auto overflow_on_a_green_thread = [](bool parked_before) {
    run(
        [parked_before] {
          if (parked_before) yield();
          overflow(100'000);
        },
        {.backend = Backend::epoll});
  };
  EXPECT_EXIT(overflow_on_a_green_thread(false), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(overflow_on_a_green_thread(true), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace weft
