// Channels, within one worker over every back end.
#include "weft/channel.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "on_every_backend.hpp"
#include "weft/green.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class ChannelOver : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, ChannelOver, every_backend(), backend_name);

TEST_P(ChannelOver, a_send_without_room_waits_for_its_receive) {
  std::string order;
  run_here([&] {
    const Channel<int> channel;
    spawn([&order, channel] {
      order += "sending ";
      EXPECT_TRUE(channel.send(7));
      order += "sent ";
    });
    yield();
    order += "receiving ";
    EXPECT_EQ(channel.receive(), 7);
    yield();
  });
  EXPECT_EQ(order, "sending receiving sent ");
}

TEST_P(ChannelOver, a_receive_waits_for_a_send) {
  std::string order;
  run_here([&] {
    const Channel<int> channel;
    spawn([&order, channel] {
      EXPECT_EQ(channel.receive(), 7);
      order += "received ";
    });
    yield();
    order += "sending ";
    EXPECT_TRUE(channel.send(7));
    order += "sent ";
    yield();
  });
  EXPECT_EQ(order, "sending sent received ");
}

TEST_P(ChannelOver, a_send_waits_only_when_there_is_no_room) {
  run_here([] {
    const Channel<int> channel(3);
    int sent = 0;
    spawn([&sent, channel] {
      while (sent < 5 && channel.send(sent)) ++sent;
    });
    yield();
    EXPECT_EQ(sent, 3);
    EXPECT_EQ(channel.size(), 3U);
    EXPECT_EQ(channel.receive(), 0);
    // The one who waited has its value in, in its place.
    EXPECT_EQ(channel.size(), 3U);
    yield();
    EXPECT_EQ(sent, 4);
    for (int i = 1; i < 5; ++i) EXPECT_EQ(channel.receive(), i);
    yield();
    EXPECT_EQ(sent, 5);
    EXPECT_EQ(channel.size(), 0U);
  });
}

TEST_P(ChannelOver, values_come_out_in_order_however_full_it_gets) {
  run_here([] {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{100}}) {
      const Channel<int> channel(capacity);
      spawn([channel] {
        for (int i = 0; i < 2000; ++i) {
          channel.send(i);
          if (i % 7 == 0) yield();
        }
        channel.close();
      });
      int expected = 0;
      for (const int value : channel) {
        EXPECT_EQ(value, expected++);
        if (value % 11 == 0) yield();
      }
      EXPECT_EQ(expected, 2000);
    }
  });
}

TEST_P(ChannelOver, waiting_senders_are_served_in_the_order_they_came) {
  run_here([] {
    const Channel<int> channel(2);
    for (int i = 0; i < 6; ++i) spawn([channel, i] { channel.send(i); });
    yield();
    for (int i = 0; i < 6; ++i) EXPECT_EQ(channel.receive(), i);
  });
}

TEST_P(ChannelOver, waiting_receivers_are_served_in_the_order_they_came) {
  std::string order;
  run_here([&] {
    const Channel<int> channel;
    for (char name = 'a'; name <= 'c'; ++name) {
      spawn([&order, channel, name] {
        const int value = channel.receive().value();
        order += name + std::to_string(value) + ' ';
      });
    }
    yield();
    for (int i = 1; i <= 3; ++i) channel.send(i);
  });
  EXPECT_EQ(order, "a1 b2 c3 ");
}

TEST_P(ChannelOver, what_was_sent_before_the_close_still_comes_out) {
  run_here([] {
    const Channel<int> channel(4);
    channel.send(1);
    channel.send(2);
    EXPECT_TRUE(channel.close());
    EXPECT_TRUE(channel.closed());
    EXPECT_EQ(channel.receive(), 1);
    EXPECT_EQ(channel.receive(), 2);
    EXPECT_EQ(channel.receive(), std::nullopt);
    EXPECT_EQ(channel.receive(), std::nullopt);
  });
}

TEST_P(ChannelOver, a_send_on_a_closed_channel_says_so_and_leaves_the_value) {
  run_here([] {
    const Channel<std::unique_ptr<int>> channel(1);
    channel.close();
    auto value = std::make_unique<int>(7);
    EXPECT_FALSE(channel.send(std::move(value)));
    EXPECT_FALSE(channel.try_send(std::move(value)));
    EXPECT_EQ(channel.send_for(std::move(value), hours(1)).error().code, ErrorCode::end_of_stream);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(*value, 7);
    EXPECT_EQ(channel.size(), 0U);
  });
}

TEST_P(ChannelOver, only_the_first_close_counts) {
  run_here([] {
    const Channel<int> channel;
    EXPECT_FALSE(channel.closed());
    EXPECT_TRUE(channel.close());
    EXPECT_FALSE(channel.close());
  });
}

TEST_P(ChannelOver, a_close_ends_all_waiting_receives) {
  int ended = 0;
  run_here([&] {
    const Channel<int> channel;
    for (int i = 0; i < 10; ++i) {
      spawn([&ended, channel] {
        EXPECT_EQ(channel.receive(), std::nullopt);
        ++ended;
      });
    }
    yield();
    EXPECT_EQ(ended, 0);
    channel.close();
  });
  EXPECT_EQ(ended, 10);
}

TEST_P(ChannelOver, a_close_ends_all_waiting_sends_and_leaves_their_values) {
  int ended = 0;
  run_here([&] {
    const Channel<std::unique_ptr<int>> channel(1);
    channel.send(std::make_unique<int>(-1));
    for (int i = 0; i < 10; ++i) {
      spawn([&ended, channel, i] {
        auto value = std::make_unique<int>(i);
        EXPECT_FALSE(channel.send(std::move(value)));
        ASSERT_NE(value, nullptr);
        EXPECT_EQ(*value, i);
        ++ended;
      });
    }
    yield();
    channel.close();
    EXPECT_EQ(**channel.receive(), -1);
    EXPECT_EQ(channel.receive(), std::nullopt);
  });
  EXPECT_EQ(ended, 10);
}

TEST_P(ChannelOver, trying_never_parks) {
  run_here([] {
    const Channel<int> rendezvous;
    EXPECT_FALSE(rendezvous.try_send(1));
    EXPECT_EQ(rendezvous.try_receive(), std::nullopt);
    auto receiver = spawn([rendezvous] { return rendezvous.receive(); });
    yield();
    EXPECT_TRUE(rendezvous.try_send(2));
    EXPECT_FALSE(rendezvous.try_send(3));
    EXPECT_EQ(receiver.join(), 2);
    auto sender = spawn([rendezvous] { return rendezvous.send(4); });
    yield();
    EXPECT_EQ(rendezvous.try_receive(), 4);
    EXPECT_EQ(rendezvous.try_receive(), std::nullopt);
    EXPECT_TRUE(sender.join());

    const Channel<int> bounded(1);
    EXPECT_TRUE(bounded.try_send(1));
    EXPECT_FALSE(bounded.try_send(2));
    EXPECT_EQ(bounded.try_receive(), 1);
    EXPECT_EQ(bounded.try_receive(), std::nullopt);
  });
}

TEST_P(ChannelOver, one_without_bounds_takes_all_that_is_sent) {
  run_here([] {
    const Channel<int> channel(kUnbounded);
    EXPECT_EQ(channel.capacity(), kUnbounded);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(channel.try_send(i));
      EXPECT_EQ(channel.size(), 10'000U);
      for (int i = 0; i < 10'000; ++i) ASSERT_EQ(channel.try_receive(), i);
      EXPECT_EQ(channel.size(), 0U);
    }
  });
}

TEST_P(ChannelOver, a_receive_gives_up_when_its_time_has_passed_and_swallows_nothing) {
  run_here([] {
    const Channel<int> channel;
    EXPECT_EQ(channel.receive_for(milliseconds(1)).error().code, ErrorCode::timed_out);
    EXPECT_FALSE(channel.try_send(1));
    spawn([channel] { channel.send(2); });
    EXPECT_EQ(channel.receive_for(hours(1)).value(), 2);
    channel.close();
    EXPECT_EQ(channel.receive_for(hours(1)).error().code, ErrorCode::end_of_stream);
  });
}

TEST_P(ChannelOver, a_send_gives_up_when_its_time_has_passed_and_leaves_the_value) {
  run_here([] {
    const Channel<std::unique_ptr<int>> channel;
    auto value = std::make_unique<int>(7);
    EXPECT_EQ(channel.send_for(std::move(value), milliseconds(1)).error().code,
              ErrorCode::timed_out);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(channel.try_receive(), std::nullopt);
    auto receiver = spawn([channel] { return channel.receive(); });
    EXPECT_TRUE(channel.send_for(std::move(value), hours(1)).ok());
    EXPECT_EQ(value, nullptr);
    EXPECT_EQ(**receiver.join(), 7);
  });
}

TEST_P(ChannelOver, a_cancelled_receive_throws_and_swallows_nothing) {
  run_here([] {
    const Channel<int> channel;
    auto receiver = spawn([channel] { channel.receive(); });
    yield();
    receiver.cancel();
    EXPECT_THROW(receiver.join(), Cancelled);
    EXPECT_FALSE(channel.try_send(1));
  });
}

TEST_P(ChannelOver, a_cancelled_send_throws_and_leaves_the_value) {
  run_here([] {
    const Channel<std::unique_ptr<int>> channel;
    auto value = std::make_unique<int>(7);
    auto sender = spawn([&value, channel] { channel.send(std::move(value)); });
    yield();
    sender.cancel();
    EXPECT_THROW(sender.join(), Cancelled);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(channel.try_receive(), std::nullopt);
  });
}

TEST_P(ChannelOver, a_deadline_further_out_ends_a_receive) {
  run_here([] {
    const Channel<int> channel;
    const auto ended = with_timeout(milliseconds(1), [&] { channel.receive(); });
    EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
    const auto inside = with_timeout(milliseconds(1), [&] {
      EXPECT_EQ(channel.receive_for(hours(1)).error().code, ErrorCode::timed_out);
      EXPECT_EQ(channel.send_for(1, hours(1)).error().code, ErrorCode::timed_out);
    });
    EXPECT_TRUE(inside.ok());
  });
}

TEST_P(ChannelOver, who_is_cancelled_may_still_do_what_does_not_park) {
  run_here([] {
    const Channel<int> channel(1);
    auto task = spawn([channel] {
      EXPECT_TRUE(channel.send(1));
      EXPECT_EQ(channel.receive(), 1);
    });
    task.cancel();
    task.join();
  });
}

TEST_P(ChannelOver, who_waits_in_the_middle_can_leave) {
  run_here([] {
    const Channel<int> channel;
    std::array<JoinHandle<void>, 5> senders;
    for (int i = 0; i < 5; ++i) senders[i] = spawn([channel, i] { channel.send(i); });
    yield();
    for (const int left : {2, 0, 4}) {
      senders[left].cancel();
      EXPECT_THROW(senders[left].join(), Cancelled);
    }
    EXPECT_EQ(channel.receive(), 1);
    EXPECT_EQ(channel.receive(), 3);
    EXPECT_EQ(channel.try_receive(), std::nullopt);
  });
}

TEST_P(ChannelOver, a_handle_in_a_lambda_that_cannot_change_it_can_do_everything) {
  run_here([] {
    const Channel<int> channel;
    spawn([channel] {
      channel.send(1);
      channel.close();
    });
    int sum = 0;
    for (const int value : channel) sum += value;
    EXPECT_EQ(sum, 1);
  });
}

// A sieve: each prime filters what the next ones see.
TEST_P(ChannelOver, a_chain_of_filters_gives_the_primes) {
  std::vector<int> primes;
  run_here([&] {
    Channel<int> numbers;
    spawn([numbers] {
      for (int number = 2; numbers.send(number);) ++number;
    });
    for (int i = 0; i < 20; ++i) {
      const int prime = numbers.receive().value();
      primes.push_back(prime);
      const Channel<int> left;
      spawn([numbers, left, prime] {
        for (const int number : numbers) {
          if (number % prime != 0 && !left.send(number)) break;
        }
        numbers.close();
      });
      numbers = left;
    }
    numbers.close();
  });
  const std::vector<int> expected{2,  3,  5,  7,  11, 13, 17, 19, 23, 29,
                                  31, 37, 41, 43, 47, 53, 59, 61, 67, 71};
  EXPECT_EQ(primes, expected);
}

TEST_P(ChannelOver, a_million_messages_go_through_pipelines) {
  const int kMessages = gvt::sanitizer::kEnabled ? 1000 : 100'000;
  constexpr int kStages = 10;
  long sum = 0;
  run_here([&] {
    Channel<int> first;
    Channel<int> end = first;
    for (int stage = 0; stage < kStages; ++stage) {
      const Channel<int> next(static_cast<std::size_t>(stage));
      spawn([from = end, next] {
        for (const int value : from) next.send(value + 1);
        next.close();
      });
      end = next;
    }
    spawn([=] {
      for (int i = 0; i < kMessages; ++i) first.send(i);
      first.close();
    });
    for (const int value : end) sum += value - kStages;
  });
  EXPECT_EQ(sum, static_cast<long>(kMessages) * (kMessages - 1) / 2);
}

TEST(Channel, copies_stand_for_the_same_channel) {
  const Channel<int> channel(2);
  const Channel<int> copy = channel;
  EXPECT_EQ(channel, copy);
  EXPECT_NE(channel, Channel<int>(2));
  EXPECT_TRUE(copy.send(1));
  EXPECT_EQ(channel.size(), 1U);
  EXPECT_EQ(channel.capacity(), 2U);
  EXPECT_EQ(channel.receive(), 1);
}

TEST(Channel, a_capacity_of_zero_is_a_capacity) {
  EXPECT_TRUE(Channel<int>(0));
  EXPECT_EQ(Channel<int>(0).capacity(), 0U);
  EXPECT_FALSE(Channel<int>(nullptr));
}

TEST(Channel, what_nobody_received_goes_with_the_channel) {
  const auto value = std::make_shared<int>(1);
  for (const int count : {0, 1, 31, 32, 33, 100}) {
    Channel<std::shared_ptr<int>> channel(kUnbounded);
    for (int i = 0; i < count; ++i) channel.send(value);
    for (int i = 0; i < count / 3; ++i) channel.receive();
    EXPECT_EQ(value.use_count(), 1 + count - count / 3);
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Channel, takes_values_of_any_size_and_alignment) {
  struct alignas(128) Large {
    int number;
    std::array<char, 5000> more;
  };
  const Channel<Large> channel(kUnbounded);
  for (int i = 0; i < 30; ++i) channel.send(Large{i, {}});
  for (int i = 0; i < 30; ++i) {
    const auto value = channel.receive();
    EXPECT_EQ(value->number, i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*value) % 128, 0U);
  }
}

// What asks brings the way to answer.
struct Request {
  int number;
  Channel<Request> answers;
};

TEST(Channel, a_value_may_hold_a_channel_of_its_own_kind) {
  const Channel<Request> requests(1);
  const Channel<Request> answers(1);
  requests.send(Request{3, answers});
  const auto request = requests.receive();
  request->answers.send(Request{request->number * 2, nullptr});
  EXPECT_EQ(answers.receive()->number, 6);
}

struct Immovable {
  Immovable(int of) : number(of) {}
  Immovable(Immovable&&) noexcept = default;
  Immovable& operator=(Immovable&&) = delete;
  const int number;
};

TEST(Channel, values_need_no_assignment) {
  const Channel<Immovable> channel(2);
  channel.send(1);
  channel.send(Immovable(2));
  channel.close();
  int sum = 0;
  for (Immovable& value : channel) sum += value.number;
  EXPECT_EQ(sum, 3);
}

TEST(ChannelDeathTest, a_handle_that_stands_for_none_stops_the_process) {
  Channel<int> channel = nullptr;
  EXPECT_DEATH(channel.send(1), "stands for no channel");
  EXPECT_DEATH(channel.receive(), "stands for no channel");
}

}  // namespace
}  // namespace weft
