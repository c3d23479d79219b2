// What can be seen of green threads from outside: snapshots, deadlocks, stalls, overflows.
#include "weft/inspect.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "on_every_backend.hpp"
#include "weft/blocking.hpp"
#include "weft/channel.hpp"
#include "weft/net.hpp"
#include "weft/scope.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;
using State = GreenThreadInfo::State;

const GreenThreadInfo* find(const std::vector<GreenThreadInfo>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

class Snapshot : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, Snapshot, every_backend(), backend_name);

TEST_P(Snapshot, tells_what_each_green_thread_does_and_since_when) {
  run_here([] {
    Channel<int> never;
    auto sleeper = spawn({.name = "sleeper"}, [] { sleep(std::chrono::hours(1)); });
    auto receiver = spawn({.name = "receiver"}, [&] { never.receive(); });
    auto ready = spawn({.name = "eager"}, [] { yield(); });
    sleep(milliseconds(5));
    spawn({.name = "turning"}, [] {
      for (int i = 0; i < 3; ++i) yield();
    }).detach();
    yield();
    const auto all = snapshot();
    ASSERT_NE(find(all, "main"), nullptr);
    EXPECT_EQ(find(all, "main")->state, State::running);
    ASSERT_NE(find(all, "sleeper"), nullptr);
    EXPECT_EQ(find(all, "sleeper")->state, State::waiting);
    EXPECT_EQ(find(all, "sleeper")->waits_for, "time to pass");
    EXPECT_GE(find(all, "sleeper")->since, milliseconds(4));
    ASSERT_NE(find(all, "receiver"), nullptr);
    EXPECT_NE(find(all, "receiver")->waits_for.find("channel"), std::string::npos);
    ASSERT_NE(find(all, "turning"), nullptr);
    EXPECT_EQ(find(all, "turning")->state, State::ready);
    EXPECT_EQ(find(all, "eager"), nullptr) << "it has ended";
    sleeper.cancel();
    never.close();
  });
}

[[gnu::noinline]] void wait_in_a_function_of_its_own(Channel<int> channel) {
  channel.receive();
  __asm__ volatile("");  // not the last call of the function, which would be a jump
}

TEST_P(Snapshot, shows_where_a_parked_green_thread_stands) {
  run_here([] {
    Channel<int> never;
    spawn({.name = "receiver"}, [never] { wait_in_a_function_of_its_own(never); }).detach();
    yield();
    const auto all = snapshot();
    ASSERT_NE(find(all, "receiver"), nullptr);
    const std::string text = describe(*find(all, "receiver"));
    EXPECT_NE(text.find("wait_in_a_function_of_its_own"), std::string::npos) << text;
    EXPECT_EQ(text.find("run_one"), std::string::npos) << "frames of an old loop:\n" << text;
    never.close();
  });
}

TEST_P(Snapshot, without_backtraces_there_are_none) {
  run_here([] {
    for (const auto& one : snapshot({.backtraces = false})) EXPECT_TRUE(one.backtrace.empty());
  });
}

TEST(SnapshotOfSeveral, has_the_green_threads_of_every_worker) {
  run(
      [] {
        Channel<int> never;
        std::vector<GreenThreadInfo> all;
        const auto workers_seen = [&] {
          std::vector<unsigned> workers;
          for (const auto& one : all) {
            if (one.name == "anywhere") workers.push_back(one.worker);
          }
          std::sort(workers.begin(), workers.end());
          return std::unique(workers.begin(), workers.end()) - workers.begin();
        };
        do {
          for (int i = 0; i < 10; ++i) {
            spawn({.name = "anywhere", .placement = Placement::any}, [never] {
              never.receive();
            }).detach();
          }
          sleep(milliseconds(1));
          all = snapshot({.backtraces = false, .patience = std::chrono::seconds(10)});
        } while (workers_seen() < 2);
        never.close();
      },
      {.workers = 2, .stall_after = milliseconds(0)});
}

// Where descriptors belong to a worker, its first call on one makes it stay; it may have come from
// another one, whose stack it has.
TEST(MovedGreenThread, that_stays_for_its_descriptor_is_seen_where_it_is) {
  std::atomic<bool> seen{false};
  const auto wait_elsewhere = [&seen](pid_t begun_on, std::atomic<bool>& taken) {
    if (::gettid() == begun_on || taken.exchange(true)) return;
    auto pair = UnixStream::pair().value();
    auto teller = spawn([&] {
      for (const GreenThreadInfo& thread : snapshot({.backtraces = false})) {
        if (thread.name == "mover" && thread.waits_for == "I/O") seen = true;
      }
      EXPECT_TRUE(pair.second.write("x"));
    });
    char byte = 0;
    EXPECT_TRUE(pair.first.read({&byte, 1}));
    teller.join();
  };
  run(
      [&] {
        std::atomic<bool> taken{false};
        while (!taken) {
          Channel<int> turns;
          scope([&](Scope& all) {
            for (int i = 0; i < 20; ++i) {
              all.spawn({.name = "mover", .placement = Placement::any}, [&] {
                const pid_t begun_on = ::gettid();
                turns.receive();
                std::this_thread::sleep_for(std::chrono::microseconds(300));
                wait_elsewhere(begun_on, taken);
              });
            }
            sleep(milliseconds(1));
            turns.close();
          });
        }
      },
      {.backend = RunOptions::Backend::epoll, .workers = 2, .stall_after = milliseconds(0)});
  EXPECT_TRUE(seen);
}

class DeadlockDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  static void lock_two(unsigned workers) {
    run(
        [] {
          Mutex a;
          Mutex b;
          const auto lock = [](Mutex& first, Mutex& second) {
            first.lock();
            yield();
            second.lock();
          };
          auto one = spawn({.name = "one"}, [&] { lock(a, b); });
          auto two = spawn({.name = "two"}, [&] { lock(b, a); });
          one.join();
        },
        {.workers = workers, .on_deadlock = RunOptions::OnDeadlock::abort});
  }
};

TEST_F(DeadlockDeathTest, who_waits_for_what_is_told_and_the_process_ends) {
  EXPECT_DEATH(lock_two(1), "deadlock(.|\n)*\"one\".*waits for .*mutex(.|\n)*\"two\"");
  EXPECT_DEATH(lock_two(2), "deadlock(.|\n)*\"one\".*waits for .*mutex(.|\n)*\"two\"");
}

// Each wait is longer than it takes to see a deadlock.
TEST(Deadlock, none_is_seen_while_a_timer_the_kernel_or_the_pool_is_waited_for) {
  auto pair = UnixStream::pair().value();
  testing::internal::CaptureStderr();
  run(
      [&] {
        Channel<int> channel;
        spawn([&] {
          sleep(milliseconds(250));
          channel.send(1);
        }).detach();
        EXPECT_EQ(channel.receive(), 1);
        blocking([] { std::this_thread::sleep_for(milliseconds(250)); });
        std::thread peer([fd = pair.second.fd()] {
          std::this_thread::sleep_for(milliseconds(250));
          EXPECT_EQ(::write(fd, "x", 1), 1);
        });
        char byte = 0;
        EXPECT_TRUE(pair.first.read({&byte, 1}));
        peer.join();
      },
      {.workers = 2, .stall_after = milliseconds(0)});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Deadlock, one_that_an_os_thread_ends_was_reported_and_goes_on) {
  testing::internal::CaptureStderr();
  Channel<int> channel;
  std::thread rescuer([channel] {
    std::this_thread::sleep_for(milliseconds(400));
    channel.send(1);
  });
  run([&] { EXPECT_EQ(channel.receive(), 1); }, {.stall_after = milliseconds(0)});
  rescuer.join();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("deadlock"), std::string::npos);
}

TEST(Stall, what_holds_up_a_worker_is_reported_with_its_stack) {
  testing::internal::CaptureStderr();
  run(
      [] {
        const auto end = std::chrono::steady_clock::now() + milliseconds(500);
        while (std::chrono::steady_clock::now() < end) {
        }
      },
      {.stall_after = milliseconds(50)});
  EXPECT_NE(testing::internal::GetCapturedStderr().find("has not been in its loop"),
            std::string::npos);
}

[[gnu::noinline]] int descend(int left) {
  volatile char frame[512];
  frame[0] = static_cast<char>(left);
  return left == 0 ? frame[0] : descend(left - 1) + frame[0];
}

TEST(OverflowDeathTest, names_the_green_thread_and_says_what_to_do) {
  if (gvt::sanitizer::kEnabled) GTEST_SKIP() << "the sanitizer reports it in its own way";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] { spawn({.name = "deep one"}, [] { descend(1'000'000); }).join(); }),
               "deep one(.|\n)*stack_bytes");
}

TEST(StackSize, is_at_least_what_spawn_is_told) {
  bool came_back = false;
  run([&] {
    spawn({.stack_bytes = 32U << 20}, [&] {
      descend(10'000);
      came_back = true;
    }).join();
  });
  EXPECT_TRUE(came_back);
}

}  // namespace
}  // namespace weft
