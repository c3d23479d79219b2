#include "ksvc/queue/spsc_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <thread>

namespace weft::ksvc {
namespace {

TEST(SpscQueue, values_come_out_in_the_order_they_went_in) {
  SpscQueue<int> queue(8);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(queue.push(i));
  EXPECT_EQ(queue.size(), 5U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(queue.pop(), i);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(SpscQueue, a_full_queue_says_so_and_leaves_the_value_alone) {
  SpscQueue<std::unique_ptr<int>> queue(2);
  ASSERT_TRUE(queue.push(std::make_unique<int>(1)));
  ASSERT_TRUE(queue.push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(queue.push(std::move(third)));
  ASSERT_NE(third, nullptr) << "refused, and gone all the same";
  EXPECT_EQ(**queue.pop(), 1);
  EXPECT_TRUE(queue.push(std::move(third)));
  EXPECT_EQ(**queue.pop(), 2);
  EXPECT_EQ(**queue.pop(), 3);
}

TEST(SpscQueue, capacity_that_is_no_power_of_two_stops_the_process) {
  EXPECT_DEATH(SpscQueue<int>(3), "broken promise");
  EXPECT_DEATH(SpscQueue<int>(0), "broken promise");
}

// Every sequence of so many pushes and pops, beside a queue that is obviously right.
TEST(SpscQueue, every_short_sequence_agrees_with_the_model) {
  constexpr unsigned kSteps = 12;
  for (const std::size_t capacity : {1U, 2U, 4U}) {
    for (unsigned sequence = 0; sequence < 1U << kSteps; ++sequence) {
      SpscQueue<unsigned> queue(capacity);
      std::deque<unsigned> model;
      for (unsigned step = 0; step < kSteps; ++step) {
        if ((sequence >> step & 1) != 0) {
          const bool fits = model.size() < capacity;
          ASSERT_EQ(queue.push(step), fits) << sequence << " at " << step;
          if (fits) model.push_back(step);
        } else {
          const auto popped = queue.pop();
          ASSERT_EQ(popped.has_value(), !model.empty()) << sequence << " at " << step;
          if (!popped) continue;
          ASSERT_EQ(*popped, model.front()) << sequence << " at " << step;
          model.pop_front();
        }
        ASSERT_EQ(queue.size(), model.size());
      }
    }
  }
}

TEST(SpscQueue, what_was_not_popped_is_destroyed_with_the_queue) {
  const auto counted = std::make_shared<int>(0);
  {
    SpscQueue<std::shared_ptr<int>> queue(8);
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(queue.push(counted));
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(queue.pop());
    EXPECT_EQ(counted.use_count(), 5) << "a popped value lives on in its slot";
  }
  EXPECT_EQ(counted.use_count(), 1);
}

struct NeedsAlignmentAndAnArgument {
  explicit NeedsAlignmentAndAnArgument(int n) noexcept : number(n) {}
  alignas(64) int number;
};

TEST(SpscQueue, values_need_no_default_and_keep_their_alignment) {
  SpscQueue<NeedsAlignmentAndAnArgument> queue(2);
  ASSERT_TRUE(queue.push(NeedsAlignmentAndAnArgument(7)));
  EXPECT_EQ(queue.pop()->number, 7);
}

TEST(SpscQueue, staged_values_are_seen_only_when_they_are_published) {
  SpscCounters counters;
  std::array<int, 4> slots{};
  SpscProducer<int> producer(counters, slots.data(), slots.size());
  SpscConsumer<int> consumer(counters, slots.data(), slots.size());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(producer.stage(i + 0));
  EXPECT_FALSE(producer.stage(4)) << "staged values take room";
  EXPECT_EQ(consumer.front(), nullptr);
  producer.publish();
  for (int i = 0; i < 4; ++i) {
    ASSERT_NE(consumer.front(), nullptr);
    EXPECT_EQ(*consumer.front(), i);
    consumer.drop_front();
  }
  EXPECT_FALSE(producer.has_room()) << "slots are the consumer's until it gives them back";
  consumer.give_back();
  EXPECT_TRUE(producer.has_room());
}

TEST(SpscQueue, consumer_that_takes_over_goes_on_where_the_last_one_stopped) {
  SpscCounters counters;
  std::array<int, 4> slots{};
  SpscProducer<int> producer(counters, slots.data(), slots.size());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(producer.push(i + 0));
  EXPECT_EQ(SpscConsumer<int>(counters, slots.data(), slots.size()).pop(), 0);
  EXPECT_EQ(SpscConsumer<int>(counters, slots.data(), slots.size()).pop(), 1);
}

TEST(SpscQueue, producer_stays_in_its_slots_whatever_the_other_side_writes) {
  SpscCounters counters;
  std::array<int, 4> slots{};
  SpscProducer<int> producer(counters, slots.data(), 2);
  ASSERT_TRUE(producer.push(1));
  ASSERT_TRUE(producer.push(2));
  counters.head = 1'000'000;
  EXPECT_FALSE(producer.push(3)) << "a head beyond the tail is nonsense, not room";
  EXPECT_EQ(slots[2], 0);
}

TEST(SpscQueue, consumer_stops_at_a_counter_that_cannot_be) {
  SpscCounters counters;
  std::array<int, 2> slots{};
  SpscConsumer<int> consumer(counters, slots.data(), slots.size());
  counters.tail = 3;
  EXPECT_DEATH(consumer.front(), "broken promise");
}

// Strings, so that a value seen before it was written whole is seen by every sanitizer.
void pass_between_threads(std::size_t capacity, unsigned count) {
  SpscQueue<std::string> queue(capacity);
  std::thread producer([&] {
    for (unsigned i = 0; i < count; ++i) {
      while (!queue.push("a value too long to be kept in place " + std::to_string(i))) {
        std::this_thread::yield();
      }
    }
  });
  unsigned next = 0;
  while (next < count) {
    const auto value = queue.pop();
    if (!value) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(*value, "a value too long to be kept in place " + std::to_string(next));
    ++next;
  }
  producer.join();
  EXPECT_TRUE(queue.empty());
}

TEST(SpscQueue, values_pass_whole_between_threads_at_every_capacity) {
  for (const std::size_t capacity : {1U, 2U, 64U, 1024U}) pass_between_threads(capacity, 5'000);
}

TEST(SlowSpscQueue, values_pass_whole_between_threads_for_long) {
  for (const std::size_t capacity : {1U, 4U, 1024U}) pass_between_threads(capacity, 400'000);
}

}  // namespace
}  // namespace weft::ksvc
