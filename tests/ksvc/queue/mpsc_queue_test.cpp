#include "ksvc/queue/mpsc_queue.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weft::ksvc {
namespace {

TEST(MpscQueue, values_come_out_in_the_order_they_went_in) {
  MpscQueue<int> queue(8);
  int value = 0;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.pop(value));
  // Several times around.
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(queue.push(round * 10 + i));
    for (int i = 0; i < 6; ++i) {
      EXPECT_FALSE(queue.empty());
      ASSERT_TRUE(queue.pop(value));
      EXPECT_EQ(value, round * 10 + i);
    }
  }
  EXPECT_TRUE(queue.empty());
}

TEST(MpscQueue, a_full_queue_says_so_and_loses_nothing) {
  MpscQueue<int> queue(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(i));
  EXPECT_FALSE(queue.push(4));
  int value = -1;
  ASSERT_TRUE(queue.pop(value));
  EXPECT_EQ(value, 0);
  EXPECT_TRUE(queue.push(5));
  EXPECT_FALSE(queue.push(6));
  for (const int expected : {1, 2, 3, 5}) {
    ASSERT_TRUE(queue.pop(value));
    EXPECT_EQ(value, expected);
  }
}

TEST(MpscQueue, a_queue_for_one_value_holds_one) {
  MpscQueue<int> queue(1);
  int value = -1;
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(queue.push(round));
    EXPECT_FALSE(queue.push(100));
    ASSERT_TRUE(queue.pop(value));
    EXPECT_EQ(value, round);
    EXPECT_FALSE(queue.pop(value));
  }
}

TEST(MpscQueue, many_producers_lose_nothing_and_each_keeps_its_order) {
  constexpr int kProducers = 4;
  constexpr int kEach = 20'000;
  struct Item {
    int producer;
    int number;
  };
  MpscQueue<Item> queue(64);
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&queue, producer] {
      for (int number = 0; number < kEach; ++number) {
        while (!queue.push({producer, number})) std::this_thread::yield();
      }
    });
  }
  int next[kProducers] = {};
  for (int taken = 0; taken < kProducers * kEach;) {
    Item item{};
    if (!queue.pop(item)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(item.number, next[item.producer]);
    ++next[item.producer];
    ++taken;
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace weft::ksvc
