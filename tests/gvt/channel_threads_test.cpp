// Channels between OS threads, workers or not.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "weft/channel.hpp"
#include "weft/green.hpp"

namespace weft {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(ChannelThreads, os_threads_wait_as_green_threads_do) {
  const Channel<int> numbers;
  const Channel<int> squares(3);
  std::thread other([=] {
    for (const int number : numbers) squares.send(number * number);
    squares.close();
  });
  std::thread source([=] {
    for (int i = 0; i < 500; ++i) numbers.send(i);
    numbers.close();
  });
  int expected = 0;
  for (const int square : squares) {
    EXPECT_EQ(square, expected * expected);
    ++expected;
  }
  EXPECT_EQ(expected, 500);
  source.join();
  other.join();
}

TEST(ChannelThreads, an_os_thread_gives_up_when_its_time_has_passed) {
  const Channel<int> channel;
  EXPECT_EQ(channel.receive_for(milliseconds(1)).error().code, ErrorCode::timed_out);
  EXPECT_EQ(channel.send_for(1, milliseconds(1)).error().code, ErrorCode::timed_out);
  const auto ended = with_timeout(milliseconds(1), [&] { channel.receive(); });
  EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
  EXPECT_FALSE(channel.try_send(1));
}

TEST(ChannelThreads, workers_hand_values_to_each_other_and_to_os_threads) {
  const int kMessages = gvt::sanitizer::kEnabled ? 300 : 3000;
  constexpr int kSides = 3;
  const Channel<int> channel(2);
  const Channel<long> sums(kUnbounded);
  const auto receive_all = [=] {
    long sum = 0;
    for (const int value : channel) sum += value;
    sums.send(sum);
  };
  std::atomic<int> sending = kSides;
  const auto send_all = [&, channel] {
    for (int i = 1; i <= kMessages; ++i) channel.send(i);
    if (--sending == 0) channel.close();
  };
  std::vector<std::thread> threads;
  threads.emplace_back([&] { run([&] { spawn(send_all), spawn(receive_all); }); });
  threads.emplace_back([&] { run([&] { spawn(receive_all), spawn(send_all); }); });
  threads.emplace_back(receive_all);
  threads.emplace_back(send_all);
  for (std::thread& thread : threads) thread.join();
  sums.close();
  long sum = 0;
  int receivers = 0;
  for (const long one : sums) {
    sum += one;
    ++receivers;
  }
  EXPECT_EQ(receivers, kSides);
  EXPECT_EQ(sum, static_cast<long>(kSides) * kMessages * (kMessages + 1) / 2);
}

// Values that are counted where they are made, where a send says it sent them, and where they come
// out, while both sides give up at any moment.
class Traffic {
 public:
  explicit Traffic(std::size_t capacity) : channel_(capacity) {}

  // Each value is sent until it has been. Patience grows, or on a slow machine no two would meet.
  void send(int first, int count) {
    for (int i = first; i < first + count; ++i) {
      auto value = std::make_unique<int>(i);
      for (microseconds patience(i % 20 + 1); value != nullptr; patience *= 2) {
        const bool sent = channel_.send_for(std::move(value), patience).ok();
        EXPECT_EQ(sent, value == nullptr);
      }
    }
  }
  void receive() {
    for (;;) {
      const auto value = channel_.receive_for(microseconds(received_ % 30));
      if (value) {
        sum_ += *value.value();
        ++received_;
      } else if (value.error().code == ErrorCode::end_of_stream) {
        return;
      }
    }
  }
  void close() { channel_.close(); }
  int received() const { return received_; }
  long sum() const { return sum_; }

 private:
  Channel<std::unique_ptr<int>> channel_;
  std::atomic<int> received_ = 0;
  std::atomic<long> sum_ = 0;
};

TEST(ChannelThreads, nothing_is_lost_or_doubled_when_a_time_passes_just_as_a_value_comes) {
  const int kEach = gvt::sanitizer::kEnabled ? 300 : 2000;
  for (const std::size_t capacity : {0, 2}) {
    Traffic traffic(capacity);
    std::vector<std::thread> receivers;
    receivers.emplace_back([&] { traffic.receive(); });
    receivers.emplace_back([&] {
      run([&] {
        for (int i = 0; i < 3; ++i) spawn([&] { traffic.receive(); });
      });
    });
    std::vector<std::thread> senders;
    senders.emplace_back([&] { traffic.send(0, kEach); });
    senders.emplace_back([&] {
      run([&] {
        spawn([&] { traffic.send(kEach, kEach); });
        spawn([&] { traffic.send(2 * kEach, kEach); });
      });
    });
    for (std::thread& thread : senders) thread.join();
    traffic.close();
    for (std::thread& thread : receivers) thread.join();
    EXPECT_EQ(traffic.received(), 3 * kEach);
    EXPECT_EQ(traffic.sum(), 3L * kEach * (3L * kEach - 1) / 2);
  }
}

TEST(ChannelThreads, nothing_is_lost_when_a_receiver_is_cancelled_just_as_a_value_comes) {
  const int kRounds = gvt::sanitizer::kEnabled ? 200 : 2000;
  const Channel<int> channel;
  const Channel<CancelSource> sources;
  std::thread canceller([=] {
    for (CancelSource& source : sources) source.cancel();
  });
  std::atomic<int> got = 0;
  std::thread receiver([&] {
    run([&] {
      for (bool open = true; open;) {
        CancelSource source;
        sources.send(source);
        const auto ended = with_cancel(source.token(), [&] {
          while (const auto value = channel.receive()) ++got;
          open = false;
        });
        EXPECT_EQ(ended.ok(), !open);
      }
      sources.close();
    });
  });
  for (int i = 0; i < kRounds; ++i) ASSERT_TRUE(channel.send(i));
  channel.close();
  receiver.join();
  canceller.join();
  EXPECT_EQ(got, kRounds);
}

TEST(ChannelThreads, may_go_as_soon_as_its_last_value_is_there) {
  const int kRounds = gvt::sanitizer::kEnabled ? 100 : 500;
  for (int round = 0; round < kRounds; ++round) {
    auto channel = std::make_unique<Channel<int>>(static_cast<std::size_t>(round % 2));
    // Without a handle of its own, as one would with a reference.
    std::thread other([sender = channel.get()] { sender->send(1); });
    EXPECT_EQ(channel->receive(), 1);
    channel.reset();
    other.join();
  }
}

TEST(ChannelThreads, a_close_meets_sends_and_receives_of_other_threads) {
  const int kRounds = gvt::sanitizer::kEnabled ? 50 : 300;
  for (int round = 0; round < kRounds; ++round) {
    const Channel<int> channel(static_cast<std::size_t>(round % 3));
    std::atomic<int> sent = 0;
    int received = 0;
    std::thread sender([&] {
      while (channel.send(1)) ++sent;
    });
    std::thread receiver([&] {
      for (const int value : channel) received += value;
    });
    while (sent < round % 20) std::this_thread::yield();
    channel.close();
    sender.join();
    receiver.join();
    EXPECT_EQ(received, sent);
  }
}

}  // namespace
}  // namespace weft
