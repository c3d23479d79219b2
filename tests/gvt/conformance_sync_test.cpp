// What channels, select and locks promise, asked of every back end and topology there is, and of
// the simulated kernel, where nothing may depend on who runs first.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "every_kernel.hpp"
#include "weft/channel.hpp"
#include "weft/scope.hpp"
#include "weft/select.hpp"
#include "weft/sync.hpp"

namespace weft::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

using SyncConformance = OnEveryKernel;
INSTANTIATE_TEST_SUITE_P(EveryKernel, SyncConformance, testing::ValuesIn(every_kernel()),
                         kernel_name);

TEST_P(SyncConformance, values_arrive_in_order_each_once_and_close_ends_the_loop) {
  run_here([](Ground&) {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{3}, kUnbounded}) {
      Channel<int> channel(capacity);
      auto sender = spawn([channel] {
        for (int i = 0; i < 50; ++i) channel.send(i);
        channel.close();
      });
      int expected = 0;
      for (const int value : channel) EXPECT_EQ(value, expected++);
      EXPECT_EQ(expected, 50);
      sender.join();
    }
  });
}

TEST_P(SyncConformance, select_takes_one_case_and_leaves_the_others) {
  run_here([](Ground&) {
    Channel<int> one;
    Channel<int> other;
    int got = 0;
    auto first = spawn([&] { return one.send_for(1, milliseconds(5)).ok(); });
    auto second = spawn([&] { return other.send_for(2, milliseconds(5)).ok(); });
    const auto take = [&](std::optional<int> value) { got += value.value_or(100); };
    const std::size_t taken = select(on_receive(one, take), on_receive(other, take));
    const bool sent_first = first.join();
    EXPECT_NE(sent_first, second.join());
    EXPECT_EQ(sent_first, taken == 0);
    EXPECT_EQ(got, static_cast<int>(taken) + 1);
  });
}

TEST_P(SyncConformance, select_ends_at_its_timer_and_when_the_caller_is_cancelled) {
  run_here([](Ground&) {
    Channel<int> silent;
    EXPECT_EQ(select(on_receive(silent, [](auto) {}), after(milliseconds(1), [] {})), 1U);
    CancelSource source;
    auto selecting = spawn([&] {
      return select(on_receive(silent, [](auto) {}), on_cancelled(source.token(), [] {}));
    });
    until_one_waits_for("one of several channels");
    source.cancel();
    EXPECT_EQ(selecting.join(), 1U);
    const auto cut = with_timeout(milliseconds(1), [&] {
      return select(on_receive(silent, [](auto) {}), after(hours(1), [] {}));
    });
    EXPECT_EQ(cut.error().code, ErrorCode::timed_out);
  });
}

TEST_P(SyncConformance, mutex_keeps_others_out_across_parks) {
  run_here([](Ground&) {
    Mutex mutex;
    int inside = 0;
    int rounds = 0;
    scope([&](Scope& threads) {
      for (int i = 0; i < 8; ++i) {
        threads.spawn([&] {
          for (int round = 0; round < 10; ++round) {
            const std::lock_guard guard(mutex);
            EXPECT_EQ(++inside, 1);
            yield();
            --inside;
            ++rounds;
          }
        });
      }
    });
    EXPECT_EQ(rounds, 80);
  });
}

TEST_P(SyncConformance, readers_share_a_lock_and_a_writer_is_alone) {
  run_here([](Ground&) {
    RwLock lock;
    int readers = 0;
    int most_readers = 0;
    int writers = 0;
    scope([&](Scope& threads) {
      for (int i = 0; i < 12; ++i) {
        threads.spawn([&, writes = i % 4 == 3] {
          if (writes) {
            const std::lock_guard guard(lock);
            EXPECT_EQ(++writers + readers, 1);
            yield();
            --writers;
          } else {
            const std::shared_lock guard(lock);
            most_readers = std::max(most_readers, ++readers);
            EXPECT_EQ(writers, 0);
            sleep(milliseconds(1));
            --readers;
          }
        });
      }
    });
    EXPECT_GT(most_readers, 1);
  });
}

TEST_P(SyncConformance, condition_that_comes_true_is_noticed) {
  run_here([](Ground&) {
    Mutex mutex;
    CondVar changed;
    int turn = 0;
    scope([&](Scope& threads) {
      for (int number = 0; number < 6; ++number) {
        threads.spawn([&, number] {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return turn == number; });
          ++turn;
          changed.notify_all();
        });
      }
    });
    EXPECT_EQ(turn, 6);
  });
}

TEST_P(SyncConformance, semaphore_lets_in_as_many_as_it_has_permits) {
  run_here([](Ground&) {
    Semaphore permits(3);
    int inside = 0;
    int most = 0;
    scope([&](Scope& threads) {
      for (int i = 0; i < 12; ++i) {
        threads.spawn([&] {
          permits.acquire();
          most = std::max(most, ++inside);
          sleep(milliseconds(1));
          --inside;
          permits.release();
        });
      }
    });
    EXPECT_EQ(most, 3);
  });
}

TEST_P(SyncConformance, group_barrier_and_once_do_what_they_say) {
  run_here([](Ground&) {
    WaitGroup group(4);
    Barrier barrier(4);
    Once once;
    int initialised = 0;
    int last_ones = 0;
    for (int i = 0; i < 4; ++i) {
      spawn([&] {
        once.call([&] {
          yield();
          ++initialised;
        });
        last_ones += barrier.arrive_and_wait() ? 1 : 0;
        group.done();
      });
    }
    group.wait();
    EXPECT_EQ(initialised, 1);
    EXPECT_EQ(last_ones, 1);
  });
}

}  // namespace
}  // namespace weft::test
