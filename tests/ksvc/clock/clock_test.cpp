#include "ksvc/core/clock.hpp"

#include <gtest/gtest.h>

#include <climits>
#include <ctime>

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

TEST(MonotonicClock, wall_time_is_that_of_the_system) {
  const MonotonicClock clock;
  const std::int64_t before = std::time(nullptr);
  const std::int64_t seconds = clock.wall().ns / 1'000'000'000;
  // time() may read a coarser clock than ours, which is up to a tick behind.
  EXPECT_GE(seconds, before);
  EXPECT_LE(seconds, std::time(nullptr) + 1);
}

}  // namespace
}  // namespace weft::ksvc
