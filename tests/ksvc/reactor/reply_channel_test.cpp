// What a worker sees of a shared reactor: completions in order, and a mark that never runs ahead.
#include "ksvc/reactor/reply_channel.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "ksvc/reactor/reactor_slots.hpp"

namespace weft::ksvc {
namespace {

Completion numbered(CorrelationId id) { return {id, 0, false, {}}; }

TEST(ReplyChannel, shows_nothing_before_it_is_published) {
  ReplyChannel channel(4);
  channel.put(numbered(1));
  channel.settle(1);
  EXPECT_EQ(channel.ready(channel.look()), 0U);
  EXPECT_EQ(channel.look().mark, 0U);
  const auto news = channel.publish();
  EXPECT_TRUE(news.completions);
  EXPECT_TRUE(news.mark);
  EXPECT_EQ(channel.ready(channel.look()), 1U);
  EXPECT_EQ(channel.look().mark, 1U);
}

TEST(ReplyChannel, says_what_is_new) {
  ReplyChannel channel(4);
  EXPECT_FALSE(channel.publish().completions);
  channel.settle(5);
  const auto mark = channel.publish();
  EXPECT_TRUE(mark.mark);
  EXPECT_FALSE(mark.completions);
  channel.settle(5);
  EXPECT_FALSE(channel.publish().mark);
}

TEST(ReplyChannel, what_does_not_fit_waits_in_order) {
  ReplyChannel channel(4);
  CorrelationId next = 1;
  CorrelationId seen = 0;
  for (int turn = 0; turn < 50; ++turn) {
    if (turn < 20) {
      for (int i = 0; i < 7; ++i) channel.put(numbered(next++));
    }
    channel.publish();
    const auto view = channel.look();
    EXPECT_LE(channel.ready(view), 4U);
    for (auto left = channel.ready(view); left != 0; --left) {
      EXPECT_EQ(channel.take().corr_id, ++seen);
    }
    channel.give_back();
    EXPECT_EQ(view.more, seen + 1 < next);
  }
  EXPECT_EQ(seen, 140U);
}

TEST(ReplyChannel, mark_comes_with_the_last_of_what_was_before_it) {
  ReplyChannel channel(2);
  for (CorrelationId id = 1; id <= 5; ++id) channel.put(numbered(id));
  channel.settle(9);
  for (int turn = 0; turn < 3; ++turn) {
    channel.publish();
    const auto view = channel.look();
    EXPECT_EQ(view.mark, turn == 2 ? 9U : 0U);
    for (auto left = channel.ready(view); left != 0; --left) channel.take();
    channel.give_back();
  }
}

TEST(ReplyChannel, mark_moves_on_while_more_and_more_comes) {
  ReplyChannel channel(2);
  std::uint32_t moved = 0;
  std::uint32_t mark = 0;
  for (std::uint32_t turn = 1; turn <= 60; ++turn) {
    for (int i = 0; i < 3; ++i) channel.put(numbered(1));
    channel.settle(turn);
    channel.publish();
    const auto view = channel.look();
    EXPECT_LE(view.mark, turn);
    moved += view.mark != mark ? 1 : 0;
    mark = view.mark;
    for (auto left = channel.ready(view); left != 0; --left) channel.take();
    channel.give_back();
  }
  EXPECT_GE(moved, 3U);
}

TEST(ReplyChannel, what_waits_can_go_on_once_there_is_room) {
  ReplyChannel channel(2);
  for (CorrelationId id = 1; id <= 3; ++id) {
    EXPECT_FALSE(channel.can_go_on());
    channel.put(numbered(id));
  }
  channel.publish();
  EXPECT_FALSE(channel.can_go_on());
  channel.take();
  EXPECT_FALSE(channel.can_go_on()) << "taken, but not given back";
  channel.give_back();
  EXPECT_TRUE(channel.can_go_on());
  channel.publish();
  EXPECT_FALSE(channel.can_go_on());
}

TEST(ReplyChannel, counts_of_requests_wrap_round) {
  EXPECT_TRUE(ReplyChannel::reached(5, 5));
  EXPECT_TRUE(ReplyChannel::reached(6, 5));
  EXPECT_FALSE(ReplyChannel::reached(4, 5));
  EXPECT_TRUE(ReplyChannel::reached(1, ReplyChannel::kMarkMask));
  EXPECT_FALSE(ReplyChannel::reached(ReplyChannel::kMarkMask, 0x8000'0001));
}

TEST(ReplyChannel, who_sees_the_mark_sees_the_completions) {
  constexpr std::uint32_t kTurns = 20'000;
  ReplyChannel channel(8);
  std::thread reactor([&] {
    for (std::uint32_t turn = 1; turn <= kTurns; ++turn) {
      channel.put(numbered(turn));
      channel.settle(turn);
      channel.publish();
      while (channel.look().more) {
        std::this_thread::yield();
        channel.publish();
      }
    }
  });
  std::uint32_t seen = 0;
  while (seen < kTurns) {
    const auto view = channel.look();
    const auto ready = channel.ready(view);
    for (auto left = ready; left != 0; --left) EXPECT_EQ(channel.take().corr_id, ++seen);
    channel.give_back();
    EXPECT_LE(view.mark, seen);
    if (ready == 0) std::this_thread::yield();
  }
  reactor.join();
}

TEST(ReactorSlots, results_go_to_the_owners_id_until_the_final_one) {
  ReactorSlots slots;
  const ReactorTag tag = slots.take(SlotKind::plain, 3, 77);
  EXPECT_EQ(slots.complete({tag.id(), 1, true, {}}), 77U);
  EXPECT_EQ(slots.in_use(), 1U);
  EXPECT_EQ(slots.complete({tag.id(), 0, false, {}}), 77U);
  EXPECT_EQ(slots.in_use(), 0U);
}

TEST(ReactorSlots, stale_completion_stops_the_process) {
  GTEST_FLAG_SET(death_test_style, "fast");
  ReactorSlots slots;
  const ReactorTag tag = slots.take(SlotKind::plain, 3, 77);
  slots.complete({tag.id(), 0, false, {}});
  EXPECT_DEATH(slots.complete({tag.id(), 0, false, {}}), "broken promise");
  const ReactorTag next = slots.take(SlotKind::plain, 3, 78);
  EXPECT_EQ(next.slot, tag.slot);
  EXPECT_NE(next.generation, tag.generation);
  EXPECT_DEATH(slots.complete({tag.id(), 0, false, {}}), "broken promise");
}

TEST(ReactorSlots, what_is_in_flight_is_found_by_the_owners_id_and_descriptor) {
  ReactorSlots slots;
  std::vector<ReactorTag> tags;
  for (CorrelationId id = 1; id <= 1'000; ++id) {
    tags.push_back(slots.take(SlotKind::plain, static_cast<int>(id % 7), id));
  }
  for (CorrelationId id = 1; id <= 1'000; id += 2) {
    EXPECT_EQ(slots.complete({tags[id - 1].id(), 0, false, {}}), id);
  }
  for (CorrelationId id = 1; id <= 1'000; ++id) {
    const CorrelationId expected = id % 2 == 1 ? kNoSuchOperation : tags[id - 1].id();
    EXPECT_EQ(slots.find(static_cast<int>(id % 7), id), expected);
    EXPECT_EQ(slots.find(8, id), kNoSuchOperation);
  }
  EXPECT_EQ(slots.in_use(), 500U);
}

TEST(ReactorSlots, silent_end_is_noted_once_and_only_for_what_is_still_there) {
  ReactorSlots slots;
  const ReactorTag silent = slots.take(SlotKind::send_now, 3, 5);
  EXPECT_EQ(slots.find(3, 5), kNoSuchOperation) << "it is never waited for";
  slots.end_if_there(silent);
  slots.end_if_there(silent);
  EXPECT_EQ(slots.in_use(), 0U);
  const ReactorTag told = slots.take(SlotKind::send_now, 3, 6);
  slots.complete({told.id(), 3, false, {}});
  const ReactorTag other = slots.take(SlotKind::send_now, 3, 7);
  slots.end_if_there(told);
  EXPECT_EQ(slots.in_use(), 1U);
  slots.end_if_there(other);
  EXPECT_EQ(slots.in_use(), 0U);
}

}  // namespace
}  // namespace weft::ksvc
