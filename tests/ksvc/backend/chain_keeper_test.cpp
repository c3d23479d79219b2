// What ChainKeeper promises, with a back end that does nothing but note what it is told to start.
#include "ksvc/backend/chain_keeper.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace weft::ksvc {
namespace {

class ChainKeeperTest : public testing::Test {
 protected:
  using Terms = ChainKeeper::Terms;

  void add(CorrelationId id, Terms terms, const ChainedOperation& operation = Nop{}) {
    keeper_.add(operation, id, terms);
    advance();
  }
  void link(CorrelationId id, const ChainedOperation& operation = Nop{}) {
    add(id, {.linked = true}, operation);
  }

  void advance() {
    keeper_.advance([this](const auto&, CorrelationId own_id) { running_.push_back(own_id); },
                    [this](const Completion& completion) { told_.push_back(completion); });
  }

  // The back end reports about what was submitted as `id`.
  void end(CorrelationId id, std::int32_t result, bool more = false) {
    const auto found = std::find_if(running_.begin(), running_.end(), [&](CorrelationId own_id) {
      return keeper_.owner_id(own_id) == id;
    });
    ASSERT_NE(found, running_.end());
    Completion completion{*found, result, more, {}};
    if (!more) running_.erase(found);
    if (keeper_.ended(completion)) told_.push_back(completion);
    advance();
  }

  void cancel_late(TimePoint now) {
    keeper_.cancel_late(now, [this](int, CorrelationId own_id) { late_.push_back(own_id); });
  }

  std::vector<CorrelationId> running() const {
    std::vector<CorrelationId> ids;
    for (const CorrelationId own_id : running_) ids.push_back(keeper_.owner_id(own_id));
    return ids;
  }
  std::vector<CorrelationId> told() const {
    std::vector<CorrelationId> ids;
    for (const Completion& completion : told_) ids.push_back(completion.corr_id);
    return ids;
  }

  using Ids = std::vector<CorrelationId>;
  ChainKeeper keeper_;
  std::vector<CorrelationId> running_;
  std::vector<CorrelationId> late_;
  std::vector<Completion> told_;
};

TEST_F(ChainKeeperTest, one_operation_of_a_chain_runs_at_a_time) {
  link(1);
  link(2);
  add(3, {});
  EXPECT_FALSE(keeper_.open());
  EXPECT_EQ(running(), Ids({1}));
  end(1, 0);
  EXPECT_EQ(running(), Ids({2}));
  end(2, 0);
  EXPECT_EQ(running(), Ids({3}));
  end(3, 0);
  EXPECT_TRUE(keeper_.idle());
  EXPECT_EQ(told(), Ids({1, 2, 3}));
}

TEST_F(ChainKeeperTest, failure_cuts_all_that_is_behind_it_in_order) {
  link(1);
  link(2);
  link(3);
  add(4, {});
  end(1, 0);
  end(2, -EIO);
  EXPECT_TRUE(running().empty());
  ASSERT_EQ(told(), Ids({1, 2, 3, 4}));
  EXPECT_EQ(told_[1].result, -EIO);
  EXPECT_EQ(told_[2].result, -ECANCELED);
  EXPECT_EQ(told_[3].result, -ECANCELED);
  EXPECT_TRUE(keeper_.idle());
}

TEST_F(ChainKeeperTest, what_is_linked_behind_a_failure_that_is_past_is_cut_too) {
  link(1);
  end(1, -EIO);
  EXPECT_TRUE(keeper_.open());
  link(2);
  link(3);
  add(4, {});
  EXPECT_EQ(told(), Ids({1, 2, 3, 4}));
  EXPECT_FALSE(keeper_.open());
  add(5, {});
  EXPECT_EQ(running(), Ids({5})) << "another chain";
}

TEST_F(ChainKeeperTest, what_is_linked_behind_a_success_that_is_past_starts_at_once) {
  link(1);
  end(1, 0);
  link(2);
  EXPECT_EQ(running(), Ids({2}));
  end(2, 0);
  add(3, {});
  EXPECT_EQ(running(), Ids({3}));
}

TEST_F(ChainKeeperTest, failure_while_the_chain_is_open_cuts_what_is_held_and_what_comes) {
  link(1);
  link(2);
  end(1, -EIO);
  link(3);
  add(4, {});
  EXPECT_EQ(told(), Ids({1, 2, 3, 4}));
  EXPECT_TRUE(keeper_.idle());
}

TEST_F(ChainKeeperTest, short_count_is_no_success_where_all_was_asked_for) {
  char memory[8];
  EXPECT_TRUE(succeeded_in_full(Send{1, memory, 8}, 8));
  EXPECT_FALSE(succeeded_in_full(Send{1, memory, 8}, 7));
  EXPECT_FALSE(succeeded_in_full(SendNow{1, memory, 8}, 7));
  EXPECT_FALSE(succeeded_in_full(SendZeroCopy{1, memory, 8}, 7));
  EXPECT_FALSE(succeeded_in_full(ReadAt{1, memory, 8, 0}, 7));
  EXPECT_FALSE(succeeded_in_full(WriteAt{1, memory, 8, 0}, 0));
  EXPECT_TRUE(succeeded_in_full(ReceiveInto{1, memory, 8}, 7));
  EXPECT_TRUE(succeeded_in_full(Accept{1}, 0));
  EXPECT_FALSE(succeeded_in_full(Cancel{1, 1}, -ENOENT));
}

TEST_F(ChainKeeperTest, success_of_a_send_now_and_any_close_are_silent) {
  link(1, SendNow{1, "four", 4});
  add(2, {}, Close{1});
  end(1, 4);
  end(2, 0);
  EXPECT_TRUE(told().empty());
  link(3, SendNow{1, "four", 4});
  link(4, Close{1});
  add(5, {});
  end(3, 3);
  EXPECT_EQ(told(), Ids({3, 5}));
}

TEST_F(ChainKeeperTest, first_completion_decides_and_the_final_one_ends) {
  link(1, SendZeroCopy{1, "four", 4});
  add(2, {});
  end(1, 4, true);
  EXPECT_EQ(running(), Ids({1, 2}));
  end(2, 0);
  EXPECT_FALSE(keeper_.idle());
  end(1, 0);
  EXPECT_TRUE(keeper_.idle());
  EXPECT_EQ(told(), Ids({1, 2, 1}));
}

TEST_F(ChainKeeperTest, late_ones_are_cancelled_once_in_the_order_of_their_deadlines) {
  add(1, {.deadline = {300}});
  add(2, {.deadline = {100}});
  add(3, {.deadline = {200}});
  add(4, {});
  EXPECT_EQ(keeper_.next_deadline(), TimePoint{100});
  cancel_late({99});
  EXPECT_TRUE(late_.empty());
  cancel_late({200});
  EXPECT_EQ(late_, std::vector<CorrelationId>({running_[1], running_[2]}));
  EXPECT_EQ(keeper_.next_deadline(), TimePoint{300});
  cancel_late({250});
  EXPECT_EQ(late_.size(), 2U);
}

TEST_F(ChainKeeperTest, deadline_of_what_has_ended_is_forgotten) {
  add(1, {.deadline = {100}});
  end(1, 0);
  EXPECT_EQ(keeper_.next_deadline(), kNoDeadline);
  add(2, {.deadline = {500}});
  EXPECT_EQ(keeper_.next_deadline(), TimePoint{500}) << "and not taken for its successor's";
  cancel_late({400});
  EXPECT_TRUE(late_.empty());
}

TEST_F(ChainKeeperTest, deadline_is_not_looked_at_before_its_operation_starts) {
  link(1);
  add(2, {.deadline = {100}});
  EXPECT_EQ(keeper_.next_deadline(), kNoDeadline);
  cancel_late({200});
  EXPECT_TRUE(late_.empty());
  end(1, 0);
  EXPECT_EQ(keeper_.next_deadline(), TimePoint{100});
}

TEST_F(ChainKeeperTest, ten_thousand_operations_keep_their_places) {
  constexpr CorrelationId kCount = 10'000;
  for (CorrelationId id = 1; id <= kCount; ++id) {
    add(id, {.linked = id < kCount, .deadline = TimePoint{1'000'000} + std::chrono::seconds(id)});
  }
  for (CorrelationId id = 1; id <= kCount; ++id) end(id, 0);
  ASSERT_EQ(told_.size(), kCount);
  for (CorrelationId id = 1; id <= kCount; ++id) EXPECT_EQ(told_[id - 1].corr_id, id);
  EXPECT_EQ(keeper_.next_deadline(), kNoDeadline);
  EXPECT_TRUE(keeper_.idle());
}

TEST_F(ChainKeeperTest, own_ids_are_neither_small_numbers_nor_pointers) {
  add(1, {});
  ASSERT_EQ(running_.size(), 1U);
  EXPECT_TRUE(ChainKeeper::is_own(running_.front()));
  EXPECT_FALSE(ChainKeeper::is_own(0));
  EXPECT_FALSE(ChainKeeper::is_own(~CorrelationId{0}));
  EXPECT_FALSE(ChainKeeper::is_own(reinterpret_cast<std::uintptr_t>(this)));
}

TEST_F(ChainKeeperTest, send_now_behind_a_link_stops_the_process) {
  GTEST_FLAG_SET(death_test_style, "fast");
  link(1);
  EXPECT_DEATH(add(2, {}, SendNow{1, "x", 1}), "broken promise");
}

TEST_F(ChainKeeperTest, what_stays_armed_can_be_neither_linked_nor_timed) {
  GTEST_FLAG_SET(death_test_style, "fast");
  EXPECT_DEATH(link(1, Accept{1, true}), "broken promise");
  EXPECT_DEATH(add(1, {.deadline = {1}}, Accept{1, true}), "broken promise");
  static_assert(!OneShot<Receive> && !OneShot<PollReadable> && OneShot<Accept>);
  static_assert(!Chainable<FutexWait> && Chainable<Close>);
}

}  // namespace
}  // namespace weft::ksvc
