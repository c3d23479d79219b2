#include "ksvc/sink/direct_wake_sink.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace weft::ksvc {
namespace {

struct Waiter : CompletionTarget {
  Waiter() : CompletionTarget(&Waiter::completed) {}

  static void completed(CompletionTarget& target, unsigned tag, const Completion& completion) {
    auto& self = static_cast<Waiter&>(target);
    self.tags.push_back(tag);
    self.results.push_back(completion.result);
  }

  std::vector<unsigned> tags;
  std::vector<std::int32_t> results;
};

TEST(DirectWakeSink, each_completion_reaches_its_own_target_and_tag) {
  DirectWakeSink sink;
  Waiter first;
  Waiter second;
  for (unsigned tag = 0; tag < CompletionTarget::kTags; ++tag) {
    sink.complete({first.corr_id(tag), static_cast<std::int32_t>(100 + tag), true, {}});
    sink.complete({second.corr_id(tag), static_cast<std::int32_t>(200 + tag), false, {}});
  }
  for (unsigned tag = 0; tag < CompletionTarget::kTags; ++tag) {
    EXPECT_EQ(first.tags[tag], tag);
    EXPECT_EQ(first.results[tag], static_cast<std::int32_t>(100 + tag));
    EXPECT_EQ(second.tags[tag], tag);
    EXPECT_EQ(second.results[tag], static_cast<std::int32_t>(200 + tag));
  }
  EXPECT_EQ(first.tags.size(), CompletionTarget::kTags);
}

TEST(DirectWakeSink, ids_of_one_target_are_distinct_and_never_zero) {
  Waiter waiter;
  EXPECT_NE(waiter.corr_id(), 0U);
  EXPECT_EQ(waiter.corr_id(), waiter.corr_id(0));
  EXPECT_EQ(waiter.corr_id(7) - waiter.corr_id(0), 7U);
}

TEST(DirectWakeSink, completion_that_is_nobodys_stops_the_process) {
  DirectWakeSink sink;
  EXPECT_DEATH(sink.complete({3, 0, false, {}}), "broken promise");
}

}  // namespace
}  // namespace weft::ksvc
