// The contract of Clock, asked of every implementation; and points in time.
#include "ksvc/core/clock.hpp"

#include <gtest/gtest.h>

#include <climits>
#include <ctime>
#include <string>

#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/clock/sim_clock.hpp"

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

struct RealTime {
  static const char* name() { return "MonotonicClock"; }
  void pass() const {
    for (const TimePoint start = clock.now(); clock.now() == start;) continue;
  }

  MonotonicClock clock;
};

struct SimulatedTime {
  static const char* name() { return "SimClock"; }
  void pass() { world.run_until(world.now() + std::chrono::milliseconds(1)); }

  SimWorld world{1};
  SimClock clock{world};
};

template <class Time>
class ClockTest : public testing::Test {
 protected:
  Time time_;
};
struct ClockNames {
  template <class Time>
  static std::string GetName(int) {
    return Time::name();
  }
};
using EveryClock = testing::Types<RealTime, SimulatedTime>;
TYPED_TEST_SUITE(ClockTest, EveryClock, ClockNames);

TYPED_TEST(ClockTest, never_goes_back) {
  TimePoint last = this->time_.clock.now();
  for (int i = 0; i < 10'000; ++i) {
    const TimePoint now = this->time_.clock.now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TYPED_TEST(ClockTest, moves_on_as_time_passes_and_never_comes_to_never) {
  const TimePoint before = this->time_.clock.now();
  this->time_.pass();
  EXPECT_GT(this->time_.clock.now(), before);
  EXPECT_LT(this->time_.clock.now(), kNoDeadline);
}

TYPED_TEST(ClockTest, a_copy_tells_the_same_time) {
  const auto copy = this->time_.clock;
  const TimePoint before = this->time_.clock.now();
  const TimePoint between = copy.now();
  EXPECT_LE(before, between);
  EXPECT_LE(between, this->time_.clock.now());
}

TYPED_TEST(ClockTest, wall_time_is_a_date) {
  constexpr std::int64_t kYearNs = std::int64_t{365} * 24 * 3600 * 1'000'000'000;
  EXPECT_GT(this->time_.clock.wall().ns, 50 * kYearNs);
  EXPECT_LT(this->time_.clock.wall().ns, 150 * kYearNs);
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
