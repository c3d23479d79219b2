#include "ksvc/core/clock.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace weft::ksvc {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr TimePoint kNow{1'000'000'000};
constexpr TimePoint kFirst{INT64_MIN};

// At compile time, where an overflow is an error.
static_assert(kNow + milliseconds(3) == TimePoint{1'003'000'000});
static_assert(kNow + milliseconds(-3) == TimePoint{997'000'000});
static_assert(kNow + nanoseconds::max() == kNoDeadline);
static_assert(kNow + milliseconds::max() == kNoDeadline);
static_assert(kNow + seconds::max() == kNoDeadline);
static_assert(kNow + hours::max() == kNoDeadline);
static_assert(kNow + hours::min() == kFirst);

template <class Unit>
class TimePointIn : public testing::Test {};
using Units = testing::Types<nanoseconds, std::chrono::microseconds, milliseconds, seconds,
                             std::chrono::minutes, hours>;
TYPED_TEST_SUITE(TimePointIn, Units);

TYPED_TEST(TimePointIn, the_longest_delay_is_never) {
  EXPECT_EQ(kNow + TypeParam::max(), kNoDeadline);
  EXPECT_EQ(TimePoint{} + TypeParam::max(), kNoDeadline);
  EXPECT_EQ(kNoDeadline + TypeParam(1), kNoDeadline);
}

TYPED_TEST(TimePointIn, the_delay_that_just_fits_is_exact_and_the_next_is_never) {
  const auto fits =
      std::chrono::duration_cast<TypeParam>(nanoseconds::max() - nanoseconds(kNow.ns));
  EXPECT_EQ(kNow + fits, TimePoint{kNow.ns + nanoseconds(fits).count()});
  EXPECT_EQ(kNow + (fits + TypeParam(1)), kNoDeadline);
}

TYPED_TEST(TimePointIn, the_longest_way_back_is_the_first_time_of_all) {
  EXPECT_EQ(kFirst + TypeParam::min(), kFirst);
  EXPECT_EQ(TimePoint{-1} + TypeParam::min(), kFirst);
}

}  // namespace
}  // namespace weft::ksvc
