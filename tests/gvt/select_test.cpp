// select(), within one worker over every back end, and between OS threads.
#include "weft/select.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "on_every_backend.hpp"
#include "weft/green.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr auto kNothing = [] {};
constexpr auto kNoValue = [](auto&&) { ADD_FAILURE() << "received"; };
constexpr auto kNever = [] { ADD_FAILURE() << "selected"; };

class SelectOver : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, SelectOver, every_backend(), backend_name);

TEST_P(SelectOver, carries_out_the_case_that_is_ready_and_says_which) {
  run_here([] {
    const Channel<int> left(1);
    const Channel<std::string> right(1);
    right.send("right");
    std::string got;
    const auto index =
        select(on_receive(left, kNoValue),
               on_receive(right, [&](std::optional<std::string> value) { got = *value; }),
               after(hours(1), kNever));
    EXPECT_EQ(index, 1U);
    EXPECT_EQ(got, "right");
    EXPECT_EQ(right.size(), 0U);
  });
}

TEST_P(SelectOver, waits_for_the_first_and_leaves_the_others_as_they_were) {
  run_here([] {
    const Channel<int> left;
    const Channel<int> right;
    auto waiting = spawn([=] {
      int got = 0;
      EXPECT_EQ(select(on_receive(left, kNoValue),
                       on_receive(right, [&](std::optional<int> value) { got = *value; })),
                1U);
      return got;
    });
    yield();
    EXPECT_TRUE(right.try_send(7));
    // It is claimed, and waits on neither any more.
    EXPECT_FALSE(left.try_send(1));
    EXPECT_FALSE(right.try_send(2));
    EXPECT_EQ(waiting.join(), 7);
    EXPECT_FALSE(left.try_send(1));
  });
}

TEST_P(SelectOver, a_value_goes_from_a_sending_select_only_when_it_is_sent) {
  run_here([] {
    const Channel<std::unique_ptr<int>> left;
    const Channel<std::unique_ptr<int>> right;
    auto waiting = spawn([=] {
      auto one = std::make_unique<int>(1);
      auto two = std::make_unique<int>(2);
      std::string called;
      const auto index = select(on_send(left, std::move(one), [&] { called += "left"; }),
                                on_send(right, std::move(two), [&] { called += "right"; }));
      EXPECT_EQ(index, 1U);
      EXPECT_EQ(called, "right");
      ASSERT_NE(one, nullptr);
      EXPECT_EQ(*one, 1);
      EXPECT_EQ(two, nullptr);
    });
    yield();
    EXPECT_EQ(**right.receive(), 2);
    EXPECT_EQ(left.try_receive(), std::nullopt);
    waiting.join();
  });
}

TEST_P(SelectOver, a_value_that_is_not_given_away_is_copied) {
  run_here([] {
    const Channel<std::string> channel(2);
    const std::string fixed = "fixed";
    std::string text = "text";
    select(on_send(channel, text, kNothing));
    select(on_send(channel, fixed, kNothing));
    EXPECT_EQ(text, "text");
    EXPECT_EQ(channel.receive(), "text");
    EXPECT_EQ(channel.receive(), "fixed");
    select(on_send(channel, "literal", kNothing));
    EXPECT_EQ(channel.receive(), "literal");
  });
}

TEST_P(SelectOver, otherwise_is_for_when_nothing_is_ready) {
  run_here([] {
    const Channel<int> empty(1);
    const Channel<int> full(1);
    full.send(1);
    EXPECT_EQ(select(on_receive(empty, kNoValue), on_send(full, 2, kNever), otherwise(kNothing)),
              2U);
    EXPECT_EQ(select(otherwise(kNothing)), 0U);
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(select(otherwise(kNever), on_receive(full, [](auto) {})), 1U);
      full.send(1);
    }
    EXPECT_EQ(select(otherwise(kNever), on_send(empty, 1, kNothing)), 1U);
  });
}

TEST_P(SelectOver, gives_up_when_the_earliest_time_has_passed) {
  run_here([] {
    const Channel<int> channel;
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(select(after(hours(1), kNever), on_receive(channel, kNoValue),
                     after(milliseconds(3), kNothing), after(hours(2), kNever)),
              2U);
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(3));
    EXPECT_FALSE(channel.try_send(1));
    EXPECT_EQ(select(after(milliseconds(-1), kNothing)), 0U);
  });
}

TEST_P(SelectOver, a_closed_channel_is_ready) {
  run_here([] {
    const Channel<int> channel;
    channel.close();
    bool ended = false;
    select(on_receive(channel, [&](std::optional<int> value) { ended = !value; }));
    EXPECT_TRUE(ended);
    std::string called;
    EXPECT_EQ(select(on_send(channel, 1, [&](bool sent) { called += sent ? "yes" : "no"; })), 0U);
    EXPECT_EQ(select(on_send(channel, 1, [&] { called += "sent"; })), 0U);
    EXPECT_EQ(called, "no");
  });
}

TEST_P(SelectOver, a_close_ends_selects_that_wait_to_receive) {
  int ended = 0;
  run_here([&] {
    const Channel<int> channel;
    const Channel<int> other;
    for (int i = 0; i < 5; ++i) {
      spawn([=, &ended] {
        const auto end = [&](std::optional<int> value) { ended += !value; };
        EXPECT_EQ(select(on_receive(other, kNoValue), on_receive(channel, end)), 1U);
      });
    }
    yield();
    EXPECT_EQ(ended, 0);
    channel.close();
  });
  EXPECT_EQ(ended, 5);
}

TEST_P(SelectOver, a_close_ends_selects_that_wait_to_send) {
  int ended = 0;
  run_here([&] {
    const Channel<int> channel;
    const Channel<int> other;
    for (int i = 0; i < 5; ++i) {
      spawn([=, &ended] {
        auto refused = [&](bool sent) { ended += !sent; };
        EXPECT_EQ(select(on_receive(other, kNoValue), on_send(channel, 1, refused)), 1U);
      });
    }
    yield();
    channel.close();
  });
  EXPECT_EQ(ended, 5);
}

TEST_P(SelectOver, a_handle_that_stands_for_no_channel_is_never_ready) {
  run_here([] {
    Channel<int> left(1);
    Channel<int> right(1);
    left.send(1);
    right.send(2);
    left.close();
    right.close();
    int sum = 0;
    // The way to go on with what is left: a channel that has ended is put aside.
    while (left || right) {
      select(on_receive(left,
                        [&](std::optional<int> value) {
                          sum += value.value_or(0);
                          if (!value) left = nullptr;
                        }),
             on_receive(right, [&](std::optional<int> value) {
               sum += value.value_or(0);
               if (!value) right = nullptr;
             }));
    }
    EXPECT_EQ(sum, 3);
    EXPECT_EQ(select(on_receive(left, kNoValue), on_send(right, 1, kNever),
                     after(milliseconds(1), kNothing)),
              2U);
    EXPECT_EQ(select(on_receive(left, kNoValue), otherwise(kNothing)), 1U);
  });
}

// A thousand draws: what is expected is off by more than a fifth of itself less than once in
// millions of runs.
TEST_P(SelectOver, those_that_are_ready_have_equal_chances) {
  run_here([] {
    constexpr int kRounds = 3000;
    std::array<Channel<int>, 5> channels;
    for (auto& channel : channels) channel = Channel<int>(kUnbounded);
    std::array<int, 5> received{};
    const auto count = [&](int index) {
      return on_receive(channels[index], [&received, index](auto) { ++received[index]; });
    };
    const std::vector<int> ready{0, 1, 4};
    for (const int index : ready) {
      for (int i = 0; i < kRounds; ++i) channels[index].send(i);
    }
    for (int i = 0; i < kRounds; ++i) select(count(0), count(1), count(2), count(3), count(4));
    for (const int index : ready) EXPECT_NEAR(received[index], kRounds / 3, kRounds / 15) << index;
    EXPECT_EQ(received[2] + received[3], 0);
  });
}

TEST_P(SelectOver, sending_and_receiving_have_equal_chances) {
  run_here([] {
    constexpr int kRounds = 2000;
    const Channel<int> channel(kUnbounded);
    for (int i = 0; i < kRounds; ++i) channel.send(i);
    int sent = 0;
    for (int i = 0; i < kRounds; ++i) {
      select(on_receive(channel, [](auto) {}), on_send(channel, 1, [&] { ++sent; }));
    }
    EXPECT_NEAR(sent, kRounds / 2, kRounds / 10);
  });
}

TEST_P(SelectOver, a_cancelled_select_throws_and_is_nowhere_any_more) {
  run_here([] {
    const Channel<int> left;
    const Channel<int> right;
    const Channel<int> full;
    auto waiting = spawn([=] {
      select(on_receive(left, kNoValue), on_receive(right, kNoValue), on_send(full, 1, kNever));
    });
    yield();
    waiting.cancel();
    EXPECT_THROW(waiting.join(), Cancelled);
    EXPECT_FALSE(left.try_send(1));
    EXPECT_FALSE(right.try_send(1));
    EXPECT_EQ(full.try_receive(), std::nullopt);
  });
}

TEST_P(SelectOver, who_is_cancelled_may_still_select_what_is_ready) {
  run_here([] {
    const Channel<int> channel(1);
    auto task = spawn([=] { EXPECT_EQ(select(on_send(channel, 1, kNothing)), 0U); });
    task.cancel();
    task.join();
    EXPECT_EQ(channel.size(), 1U);
  });
}

TEST_P(SelectOver, a_token_is_ready_when_it_is_cancelled) {
  run_here([] {
    const Channel<int> channel;
    CancelSource source;
    auto waiting = spawn([=, token = source.token()] {
      return select(on_receive(channel, kNoValue), on_cancelled(token, kNothing));
    });
    yield();
    EXPECT_FALSE(waiting.ended());
    source.cancel();
    EXPECT_EQ(waiting.join(), 1U);
    EXPECT_FALSE(channel.try_send(1));
    EXPECT_EQ(select(on_cancelled(source.token(), kNothing), on_receive(channel, kNoValue)), 0U);
    EXPECT_EQ(select(on_cancelled(CancelToken(), kNever), otherwise(kNothing)), 1U);
    EXPECT_EQ(select(on_cancelled(source.token(), kNothing), otherwise(kNever)), 0U);
  });
}

TEST_P(SelectOver, selects_meet_each_other) {
  run_here([] {
    const Channel<int> left;
    const Channel<int> right;
    constexpr int kRounds = 500;
    auto sender = spawn([=] {
      long sum = 0;
      for (int i = 0; i < kRounds; ++i) {
        select(on_send(left, i, [&] { sum += i; }), on_send(right, -i, [&] { sum -= i; }));
      }
      return sum;
    });
    long sum = 0;
    const auto add = [&](std::optional<int> value) { sum += *value; };
    for (int i = 0; i < kRounds; ++i) select(on_receive(left, add), on_receive(right, add));
    EXPECT_EQ(sender.join(), sum);
  });
}

TEST_P(SelectOver, does_not_meet_itself) {
  run_here([] {
    const Channel<int> channel;
    EXPECT_EQ(select(on_send(channel, 1, kNever), on_receive(channel, kNoValue),
                     on_receive(channel, kNoValue), otherwise(kNothing)),
              3U);
    EXPECT_EQ(select(on_send(channel, 1, kNever), on_receive(channel, kNoValue),
                     after(milliseconds(1), kNothing)),
              2U);
    // But it does meet another such.
    const auto both = [channel] {
      int got = 0;
      select(on_send(channel, 1, [] {}), on_receive(channel, [&](auto value) { got = *value; }));
      return got;
    };
    auto one = spawn(both);
    auto two = spawn(both);
    EXPECT_EQ(one.join() + two.join(), 1);
  });
}

TEST_P(SelectOver, a_channel_may_be_in_several_cases) {
  run_here([] {
    const Channel<int> channel;
    int got = 0;
    const auto add = [&](std::optional<int> value) { got += *value; };
    auto waiting = spawn([&] { select(on_receive(channel, add), on_receive(channel, add)); });
    yield();
    EXPECT_TRUE(channel.try_send(1));
    EXPECT_FALSE(channel.try_send(1));
    waiting.join();
    EXPECT_EQ(got, 1);
  });
}

TEST_P(SelectOver, makes_room_where_there_are_no_bounds) {
  run_here([] {
    const Channel<int> channel(kUnbounded);
    const Channel<int> none;
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(select(on_receive(none, kNoValue), on_send(channel, i, kNothing)), 1U);
    }
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(channel.receive(), i);
  });
}

TEST_P(SelectOver, takes_the_place_of_a_plain_operation) {
  run_here([] {
    const Channel<int> channel(1);
    int sum = 0;
    spawn([=] {
      for (int i = 0; i < 1000; ++i) select(on_send(channel, i, [] {}));
      channel.close();
    });
    for (bool open = true; open;) {
      select(on_receive(channel, [&](std::optional<int> value) {
        open = value.has_value();
        sum += value.value_or(0);
      }));
    }
    EXPECT_EQ(sum, 499'500);
  });
}

TEST_P(SelectOver, what_a_case_throws_comes_out_once_it_has_been_carried_out) {
  run_here([] {
    const Channel<int> channel(1);
    EXPECT_THROW(select(on_send(channel, 1, [] { throw std::runtime_error("mine"); })),
                 std::runtime_error);
    EXPECT_EQ(channel.receive(), 1);
  });
}

TEST_P(SelectOver, a_case_may_select) {
  run_here([] {
    const Channel<int> channel(2);
    int got = 0;
    select(on_send(channel, 1, [&] {
      select(on_receive(channel, [&](std::optional<int> value) { got = *value; }));
    }));
    EXPECT_EQ(got, 1);
  });
}

TEST(Select, os_threads_select_as_green_threads_do) {
  const Channel<int> left;
  const Channel<int> right;
  EXPECT_EQ(select(on_receive(left, kNoValue), after(milliseconds(1), kNothing)), 1U);
  std::thread other([=] {
    for (int i = 0; i < 300; ++i) {
      select(on_send(left, 1, [] {}), on_send(right, 2, [] {}));
    }
  });
  int received = 0;
  const auto count = [&](std::optional<int>) { ++received; };
  for (int i = 0; i < 300; ++i) select(on_receive(right, count), on_receive(left, count));
  other.join();
  EXPECT_EQ(received, 300);
}

TEST(Select, a_token_may_be_cancelled_by_another_thread_at_any_moment) {
  const int kRounds = gvt::sanitizer::kEnabled ? 100 : 1000;
  const Channel<int> channel;
  int cancelled = 0;
  for (int i = 0; i < kRounds; ++i) {
    CancelSource source;
    std::atomic<bool> begun = false;
    std::thread other([&] {
      while (!begun) std::this_thread::yield();
      source.cancel();
    });
    begun = true;
    cancelled += select(on_cancelled(source.token(), [] {}), on_receive(channel, [](auto) {})) == 0;
    other.join();
  }
  EXPECT_EQ(cancelled, kRounds);
  EXPECT_FALSE(channel.try_send(1));
}

// Everybody sends and receives on all channels by select, in another order each, with times that
// pass; each value that was sent comes out once.
class Exchange {
 public:
  void take_part(int first, int count) {
    int sent = 0;
    for (int turn = first; sent < count; ++turn) {
      const int value = first + sent;
      const auto gone = [&] { ++sent; };
      const auto come = [&](std::optional<int> got) { take(got); };
      if (turn % 2 == 0) {
        select(on_send(a_, value, gone), on_receive(b_, come), on_send(c_, value, gone),
               after(microseconds(turn % 50), kNothing));
      } else {
        select(on_send(c_, value, gone), on_send(b_, value, gone), on_receive(a_, come),
               after(microseconds(turn % 50), kNothing));
      }
    }
    if (--taking_part_ == 0) {
      for (const auto& channel : {a_, b_, c_}) channel.close();
    }
    take_what_is_left();
  }
  void expect(int taking_part) { taking_part_ = taking_part; }
  long sum() const { return sum_; }
  int received() const { return received_; }

 private:
  void take(std::optional<int> got) {
    if (!got) return;
    sum_ += *got;
    ++received_;
  }
  void take_what_is_left() {
    Channel<int> a = a_;
    Channel<int> b = b_;
    Channel<int> c = c_;
    while (a || b || c) {
      const auto take_or_leave = [&](Channel<int>& from) {
        return [this, &from](std::optional<int> got) {
          take(got);
          if (!got) from = nullptr;
        };
      };
      select(on_receive(c, take_or_leave(c)), on_receive(a, take_or_leave(a)),
             on_receive(b, take_or_leave(b)));
    }
  }

  Channel<int> a_;
  Channel<int> b_{1};
  Channel<int> c_;
  std::atomic<int> taking_part_ = 0;
  std::atomic<int> received_ = 0;
  std::atomic<long> sum_ = 0;
};

TEST(Select, nothing_is_lost_or_doubled_among_selects_of_many_threads) {
  const int kEach = gvt::sanitizer::kEnabled ? 200 : 2000;
  constexpr int kParts = 6;
  Exchange exchange;
  exchange.expect(kParts);
  std::vector<std::thread> threads;
  for (int pair = 0; pair < 2; ++pair) {
    threads.emplace_back([&, pair] {
      run([&] {
        spawn([&, pair] { exchange.take_part(2 * pair * kEach, kEach); });
        spawn([&, pair] { exchange.take_part((2 * pair + 1) * kEach, kEach); });
      });
    });
  }
  threads.emplace_back([&] { exchange.take_part(4 * kEach, kEach); });
  threads.emplace_back([&] { exchange.take_part(5 * kEach, kEach); });
  for (std::thread& thread : threads) thread.join();
  const long all = static_cast<long>(kParts) * kEach;
  EXPECT_EQ(exchange.received(), all);
  EXPECT_EQ(exchange.sum(), all * (all - 1) / 2);
}

TEST(Select, nothing_is_lost_when_it_is_cancelled_just_as_a_value_comes) {
  const int kRounds = gvt::sanitizer::kEnabled ? 200 : 2000;
  const Channel<int> left;
  const Channel<int> right;
  std::atomic<int> got = 0;
  std::thread receiver([&] {
    run([&] {
      for (bool open = true; open;) {
        CancelSource source;
        std::thread canceller([source]() mutable { source.cancel(); });
        const auto take = [&](std::optional<int> value) {
          value ? void(++got) : void(open = false);
        };
        const auto ended = with_cancel(source.token(), [&] {
          while (open) select(on_receive(left, take), on_receive(right, take));
        });
        EXPECT_EQ(ended.ok(), !open);
        canceller.join();
      }
    });
  });
  for (int i = 0; i < kRounds; ++i) ASSERT_TRUE((i % 3 == 0 ? left : right).send(i));
  left.close();
  receiver.join();
  EXPECT_EQ(got, kRounds);
}

}  // namespace
}  // namespace weft
