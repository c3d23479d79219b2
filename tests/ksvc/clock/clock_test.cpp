#include "ksvc/core/clock.hpp"

#include <gtest/gtest.h>

#include <climits>

#include "ksvc/clock/monotonic_clock.hpp"

namespace weft::ksvc {
namespace {

TEST(TimePoint, sum_that_is_too_large_is_never_instead_of_the_past) {
  using std::chrono::nanoseconds;
  EXPECT_EQ(TimePoint{5} + nanoseconds::max(), kNoDeadline);
  EXPECT_EQ(TimePoint{INT64_MAX - 1} + nanoseconds(2), kNoDeadline);
  EXPECT_EQ(kNoDeadline + nanoseconds(1), kNoDeadline);
  EXPECT_EQ(TimePoint{5} + nanoseconds(7), TimePoint{12});
  EXPECT_EQ(TimePoint{5} + nanoseconds(-7), TimePoint{-2});
}

TEST(TimePoint, difference_and_order_agree) {
  EXPECT_EQ(TimePoint{12} - TimePoint{5}, std::chrono::nanoseconds(7));
  EXPECT_LT(TimePoint{5}, TimePoint{12});
  EXPECT_LT(TimePoint{12}, kNoDeadline);
}

TEST(MonotonicClock, never_goes_back) {
  const MonotonicClock clock;
  TimePoint last = clock.now();
  for (int i = 0; i < 10'000; ++i) {
    const TimePoint now = clock.now();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace weft::ksvc
