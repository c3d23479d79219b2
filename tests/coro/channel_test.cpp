// Coroutines and channels: with each other, with green threads and with OS threads.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "on_every_runtime.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class CoroChannelOn : public OnEveryRuntime {};
INSTANTIATE_TEST_SUITE_P(EveryRuntime, CoroChannelOn, every_runtime(), runtime_name);

Task<> send_numbers(Channel<int> channel, int count) {
  for (int i = 0; i < count; ++i) EXPECT_TRUE(co_await coro::send(channel, i));
  channel.close();
}

Task<int> add_up(Channel<int> channel) {
  int sum = 0;
  for (;;) {
    const std::optional<int> value = co_await coro::receive(channel);
    if (!value) co_return sum;
    sum += *value;
  }
}

TEST_P(CoroChannelOn, hands_values_over_with_and_without_room) {
  run_here([] {
    for (const std::size_t capacity :
         {std::size_t{0}, std::size_t{1}, std::size_t{7}, kUnbounded}) {
      const Channel<int> channel(capacity);
      auto sender = coro::spawn(send_numbers(channel, 100));
      EXPECT_EQ(coro::wait(add_up(channel)), 4950);
      sender.join();
    }
  });
}

TEST_P(CoroChannelOn, joins_coroutines_and_green_threads) {
  run_here([] {
    const Channel<int> channel;
    auto sender = weft::spawn([channel] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(channel.send(i));
      channel.close();
    });
    EXPECT_EQ(coro::wait(add_up(channel)), 4950);
    sender.join();
    const Channel<int> back;
    auto other = coro::spawn(send_numbers(back, 100));
    int sum = 0;
    for (const int value : back) sum += value;
    EXPECT_EQ(sum, 4950);
    other.join();
  });
}

TEST_P(CoroChannelOn, a_value_that_only_moves_is_kept_when_it_is_not_sent) {
  run_here([] {
    const auto body = []() -> Task<> {
      const Channel<std::unique_ptr<int>> channel(1);
      auto value = std::make_unique<int>(3);
      EXPECT_TRUE(co_await coro::send(channel, std::move(value)));
      EXPECT_EQ(value, nullptr);
      std::optional<std::unique_ptr<int>> got = co_await coro::receive(channel);
      EXPECT_EQ(**got, 3);
      channel.close();
      value = std::make_unique<int>(4);
      EXPECT_FALSE(co_await coro::send(channel, std::move(value)));
      EXPECT_NE(value, nullptr);
      EXPECT_FALSE((co_await coro::receive(channel)).has_value());
    };
    coro::wait(body());
  });
}

TEST_P(CoroChannelOn, closing_ends_those_that_wait) {
  run_here([] {
    const Channel<int> full;
    const Channel<int> empty;
    auto sender = coro::spawn([](Channel<int> channel) -> Task<bool> {
      co_return co_await coro::send(channel, 1);
    }(full));
    auto receiver = coro::spawn(add_up(empty));
    yield();
    full.close();
    empty.close();
    EXPECT_FALSE(sender.join());
    EXPECT_EQ(receiver.join(), 0);
  });
}

TEST_P(CoroChannelOn, who_is_cancelled_leaves_the_queue) {
  run_here([] {
    const Channel<int> channel;
    auto first = coro::spawn(add_up(channel));
    auto sender = coro::spawn([](Channel<int> queue) -> Task<> {
      co_await coro::sleep(hours(1));
      co_await coro::send(queue, 1);
    }(channel));
    yield();
    first.cancel();
    sender.cancel();
    EXPECT_THROW(first.join(), Cancelled);
    EXPECT_THROW(sender.join(), Cancelled);
    EXPECT_FALSE(channel.try_send(1));
    EXPECT_FALSE(channel.try_receive().has_value());
  });
}

TEST_P(CoroChannelOn, a_cancelled_receive_throws_and_loses_no_value) {
  run_here([] {
    const Channel<int> channel;
    const auto receive_one = [&]() -> Task<std::optional<int>> {
      co_return co_await coro::receive(channel);
    };
    const auto body = [&]() -> Task<> {
      const auto late = co_await coro::with_timeout(milliseconds(1), receive_one());
      EXPECT_EQ(late.error().code, ErrorCode::timed_out);
    };
    coro::wait(body());
    auto sender = coro::spawn(send_numbers(channel, 3));
    EXPECT_EQ(coro::wait(add_up(channel)), 3);
    sender.join();
  });
}

Task<> try_for_a_while() {
  const Channel<int> channel;
  auto value = 7;
  const Result<int> nothing = co_await coro::receive_for(channel, milliseconds(1));
  EXPECT_EQ(nothing.error().code, ErrorCode::timed_out);
  const Result<void> unsent = co_await coro::send_for(channel, value, milliseconds(1));
  EXPECT_EQ(unsent.error().code, ErrorCode::timed_out);
  EXPECT_FALSE(channel.try_receive().has_value());
  const Channel<int> queue(1);
  const Result<void> sent = co_await coro::send_for(queue, std::move(value), hours(1));
  EXPECT_TRUE(sent.ok());
  const Result<int> received = co_await coro::receive_for(queue, hours(1));
  EXPECT_EQ(received.value_or(0), 7);
  queue.close();
  const Result<int> closed = co_await coro::receive_for(queue, hours(1));
  EXPECT_EQ(closed.error().code, ErrorCode::end_of_stream);
  const Result<void> refused = co_await coro::send_for(queue, 1, hours(1));
  EXPECT_EQ(refused.error().code, ErrorCode::end_of_stream);
}

TEST_P(CoroChannelOn, gives_up_in_time) {
  run_here([] { coro::wait(try_for_a_while()); });
}

TEST_P(CoroChannelOn, values_go_to_and_from_other_threads) {
  run_here([] {
    constexpr int kCount = 2000;
    const Channel<int> there;
    const Channel<int> back(3);
    std::thread other([there, back] {
      for (const int value : there) EXPECT_TRUE(back.send(value));
      back.close();
    });
    auto sender = coro::spawn(send_numbers(there, kCount));
    EXPECT_EQ(coro::wait(add_up(back)), kCount * (kCount - 1) / 2);
    sender.join();
    other.join();
  });
}

TEST_P(CoroChannelOn, cancelled_by_another_thread_while_values_arrive) {
  run_here([] {
    for (int round = 0; round < 50; ++round) {
      const Channel<int> channel;
      CancelSource source;
      std::thread other([&] {
        static_cast<void>(channel.send_for(1, milliseconds(1)));
        source.cancel();
      });
      int received = 0;
      const auto drain = [&]() -> Task<> {
        for (;;) {
          if (co_await coro::receive(channel)) ++received;
        }
      };
      const auto body = [&]() -> Task<Result<void>> {
        co_return co_await coro::with_cancel(source.token(), drain());
      };
      EXPECT_EQ(coro::wait(body()).error().code, ErrorCode::cancelled);
      EXPECT_LE(received, 1);
      other.join();
    }
  });
}

TEST(CoroChannelOutside, gives_up_in_time) { coro::wait(try_for_a_while()); }

TEST(CoroChannelOutside, blocks_the_thread) {
  const Channel<int> channel;
  std::thread other([channel] { coro::wait(send_numbers(channel, 100)); });
  EXPECT_EQ(coro::wait(add_up(channel)), 4950);
  other.join();
}

}  // namespace
}  // namespace weft
