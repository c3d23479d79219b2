// What the green-thread kit promises, asked of every back end and topology there is, and of the
// simulated kernel, where nothing may depend on who runs first.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "every_kernel.hpp"
#include "weft/blocking.hpp"
#include "weft/channel.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/local.hpp"
#include "weft/scope.hpp"
#include "weft/sync.hpp"

namespace weft::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

using Conformance = OnEveryKernel;
INSTANTIATE_TEST_SUITE_P(EveryKernel, Conformance, testing::ValuesIn(every_kernel()), kernel_name);

nanoseconds now() { return nanoseconds(detail::now_ns()); }

// ---- Starting, ending, joining.

TEST_P(Conformance, join_gives_what_the_function_returned) {
  run_here([](Ground&) {
    std::vector<JoinHandle<int>> squares;
    for (int i = 0; i < 10; ++i) {
      squares.push_back(spawn([i] {
        yield();
        return i * i;
      }));
    }
    int sum = 0;
    for (auto& square : squares) sum += square.join();
    EXPECT_EQ(sum, 285);
  });
}

TEST_P(Conformance, join_throws_what_the_function_threw) {
  run_here([](Ground&) {
    auto thrower = spawn([] {
      sleep(milliseconds(1));
      throw std::runtime_error("thrown");
    });
    EXPECT_THROW(thrower.join(), std::runtime_error);
  });
}

TEST_P(Conformance, join_for_gives_up_and_the_handle_is_as_before) {
  run_here([](Ground&) {
    Channel<int> channel;
    auto waiting = spawn([&] { return channel.receive().value_or(0); });
    EXPECT_EQ(waiting.join_for(milliseconds(2)).error().code, ErrorCode::timed_out);
    channel.send(7);
    EXPECT_EQ(waiting.join(), 7);
  });
}

TEST_P(Conformance, scope_ends_after_all_its_children) {
  run_here([](Ground&) {
    int ended = 0;
    scope([&](Scope& children) {
      for (int i = 0; i < 10; ++i) {
        children.spawn([&, i] {
          sleep(milliseconds(i % 3));
          ++ended;
        });
      }
    });
    EXPECT_EQ(ended, 10);
  });
}

TEST_P(Conformance, first_error_in_a_scope_cancels_the_rest_and_is_thrown) {
  run_here([](Ground&) {
    int cancelled_ones = 0;
    const auto with_an_error = [&](Scope& children) {
      for (int i = 0; i < 5; ++i) {
        children.spawn([&] {
          try {
            sleep(hours(1));
          } catch (const Cancelled&) {
            ++cancelled_ones;
            throw;
          }
        });
      }
      until_one_waits_for("time to pass");
      children.spawn([] { throw std::runtime_error("first"); });
    };
    EXPECT_THROW(scope(with_an_error), std::runtime_error);
    EXPECT_LE(cancelled_ones, 5);
  });
}

TEST_P(Conformance, stack_of_any_size_can_be_had_for_one_green_thread) {
  run_here([](Ground&) {
    const SpawnOptions large{.stack_bytes = 1 << 20};
    auto deep = spawn(large, [] {
      volatile char block[512 * 1024];
      block[0] = 1;
      yield();
      block[sizeof block - 1] = 2;
      return block[0] + block[sizeof block - 1];
    });
    EXPECT_EQ(deep.join(), 3);
  });
}

// ---- Time and cancellation.

TEST_P(Conformance, no_sleeper_wakes_before_its_time_and_the_order_is_that_of_the_times) {
  run_here([](Ground&) {
    std::vector<int> woken;
    const nanoseconds start = now();
    scope([&](Scope& sleepers) {
      for (const int ms : {30, 10, 40, 20}) {
        sleepers.spawn([&, ms] {
          const nanoseconds due = start + milliseconds(ms);
          sleep(due - now());
          EXPECT_GE(now(), due);
          woken.push_back(ms);
        });
      }
    });
    if (!GetParam().simulated) std::sort(woken.begin(), woken.end());
    EXPECT_EQ(woken, (std::vector{10, 20, 30, 40}));
  });
}

TEST_P(Conformance, deadline_reaches_into_whatever_is_parked) {
  run_here([](Ground& ground) {
    auto [end, peer] = ground.make_pair();
    Listener listener = ground.make_listener(1);
    Channel<int> channel;
    Mutex mutex;
    const std::lock_guard held(mutex);
    char byte = 0;
    const auto times_out = [](auto&& parks) {
      const auto result = with_timeout(milliseconds(2), parks);
      EXPECT_EQ(result.error().code, ErrorCode::timed_out);
    };
    times_out([&] { return end.read({&byte, 1}); });
    times_out([&] { return listener.accept(); });
    times_out([&] { return channel.receive(); });
    times_out([&] { channel.send(1); });
    times_out([&] { mutex.lock(); });
    times_out([] { sleep(hours(1)); });
    times_out([] { spawn([] { yield(); }).join(), sleep(hours(1)); });
  });
}

TEST_P(Conformance, deadline_in_the_past_ends_the_first_call_that_would_park) {
  run_here([](Ground& ground) {
    auto [end, peer] = ground.make_pair();
    const auto read = [&, &from = end] {
      char byte = 0;
      return from.read({&byte, 1});
    };
    EXPECT_EQ(with_timeout(nanoseconds(-1), [] { sleep(hours(1)); }).error().code,
              ErrorCode::timed_out);
    EXPECT_EQ(with_timeout(nanoseconds(0), read).error().code, ErrorCode::timed_out);
    EXPECT_EQ(with_timeout(nanoseconds::min(), read).error().code, ErrorCode::timed_out);
    EXPECT_EQ(with_timeout(nanoseconds(-1), [] { return 3; }).value(), 3);
  });
}

TEST_P(Conformance, deadline_that_never_comes_is_none) {
  run_here([](Ground&) {
    EXPECT_TRUE(with_timeout(nanoseconds::max(), [] { sleep(milliseconds(1)); }).ok());
    EXPECT_TRUE(with_timeout(hours(24 * 365 * 200), [] { sleep(milliseconds(1)); }).ok());
  });
}

TEST_P(Conformance, outer_deadline_passes_the_inner_one_and_ends_both) {
  run_here([](Ground&) {
    const nanoseconds start = now();
    bool inner_returned = false;
    const auto outer = with_timeout(milliseconds(3), [&] {
      static_cast<void>(with_timeout(hours(1), [] { sleep(hours(2)); }));
      inner_returned = true;
      sleep(hours(1));
    });
    EXPECT_EQ(outer.error().code, ErrorCode::timed_out);
    EXPECT_LT(now() - start, std::chrono::minutes(1));
    // It was not the inner one's to tell of.
    EXPECT_FALSE(inner_returned);
  });
}

TEST_P(Conformance, cancelling_what_has_ended_does_nothing) {
  run_here([](Ground&) {
    auto ended = spawn([] { return 5; });
    while (!ended.ended()) yield();
    ended.cancel();
    ended.cancel();
    EXPECT_EQ(ended.join(), 5);
    CancelSource source;
    EXPECT_EQ(with_cancel(source.token(), [] { return 6; }).value(), 6);
    source.cancel();
    EXPECT_EQ(with_cancel(source.token(), [] { return 7; }).value(), 7);
    EXPECT_FALSE(with_cancel(source.token(), [] { sleep(hours(1)); }).ok());
  });
}

TEST_P(Conformance, cancelled_before_its_first_turn_it_ends_where_it_first_would_park) {
  run_here([](Ground&) {
    bool went_on = false;
    auto waiting = spawn([&] {
      sleep(hours(1));
      went_on = true;
    });
    waiting.cancel();
    EXPECT_THROW(waiting.join(), Cancelled);
    EXPECT_FALSE(went_on);
  });
}

TEST_P(Conformance, cancelled_and_let_go_before_its_first_turn_it_is_still_cancelled) {
  run_here([](Ground&) {
    bool was_cancelled = false;
    const nanoseconds start = now();
    scope([&](Scope& children) {
      const auto sleeper = [&] {
        try {
          sleep(std::chrono::minutes(1));
        } catch (const Cancelled&) {
          was_cancelled = true;
          throw;
        }
      };
      children.spawn(sleeper).cancel();
    });
    EXPECT_TRUE(was_cancelled);
    EXPECT_LT(now() - start, std::chrono::seconds(30));
  });
}

TEST_P(Conformance, shielded_code_is_left_alone) {
  run_here([](Ground&) {
    bool put_in_order = false;
    auto careful = spawn([&] {
      try {
        sleep(hours(1));
      } catch (const Cancelled&) {
        shielded([&] {
          sleep(milliseconds(1));
          put_in_order = true;
        });
        throw;
      }
    });
    until_one_waits_for("time to pass");
    careful.cancel();
    EXPECT_THROW(careful.join(), Cancelled);
    EXPECT_TRUE(put_in_order);
  });
}

// ---- What belongs to a green thread.

TEST_P(Conformance, blocking_gives_what_the_function_gives) {
  run_here([](Ground&) {
    EXPECT_EQ(blocking([] { return 4; }), 4);
    EXPECT_THROW(blocking([] { throw std::runtime_error("out of the pool"); }), std::runtime_error);
  });
}

TEST_P(Conformance, locals_are_each_green_threads_own) {
  static GreenLocal<int> local;
  run_here([](Ground&) {
    scope([](Scope& threads) {
      for (int i = 0; i < 10; ++i) {
        threads.spawn([i] {
          EXPECT_EQ(local.get(), 0);
          local.get() = i;
          yield();
          sleep(milliseconds(i % 2));
          EXPECT_EQ(local.get(), i);
        });
      }
    });
  });
}

TEST_P(Conformance, errno_survives_parks) {
  run_here([](Ground& ground) {
    auto [end, peer] = ground.make_pair();
    scope([&, &from = end](Scope& threads) {
      for (int i = 1; i <= 10; ++i) {
        threads.spawn([i] {
          errno = i;
          yield();
          EXPECT_EQ(errno, i);
          sleep(milliseconds(1));
          EXPECT_EQ(errno, i);
        });
      }
      threads.spawn([&] {
        char byte = 0;
        errno = 77;
        static_cast<void>(with_timeout(milliseconds(1), [&] { return from.read({&byte, 1}); }));
      });
    });
  });
}

// Each thread of a throw handles its own, whatever others throw meanwhile.
TEST_P(Conformance, exceptions_being_handled_stay_with_their_green_thread) {
  run_here([](Ground&) {
    int caught = 0;
    scope([&](Scope& threads) {
      for (int i = 0; i < 12; ++i) {
        threads.spawn([&, i] {
          try {
            try {
              throw i;
            } catch (const int&) {
              sleep(milliseconds(i % 3));
              try {
                throw std::to_string(i);
              } catch (const std::string& text) {
                yield();
                EXPECT_EQ(text, std::to_string(i));
              }
              EXPECT_EQ(std::uncaught_exceptions(), 0);
              throw;
            }
          } catch (const int& number) {
            EXPECT_EQ(number, i);
            ++caught;
          }
        });
      }
    });
    EXPECT_EQ(caught, 12);
  });
}

}  // namespace
}  // namespace weft::test
