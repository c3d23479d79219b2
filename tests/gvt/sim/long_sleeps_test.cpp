// Sleeps of every length, from nothing to years, in virtual time: timers that go once round a wheel
// and more.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "ksvc/sim/sim_random.hpp"
#include "sim_program.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/green.hpp"
#include "weft/scope.hpp"

namespace weft::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// What a timer may be late by: its tick, and the turns on the way.
constexpr nanoseconds kLate = milliseconds(3);

void sleep_and_check(nanoseconds duration) {
  const std::int64_t due = detail::now_ns() + duration.count();
  sleep(duration);
  EXPECT_GE(detail::now_ns(), due);
  EXPECT_LE(detail::now_ns(), due + kLate.count());
}

TEST(LongSleeps, around_every_round_of_the_wheel_are_in_time) {
  SimProgramOptions options;
  const auto ran = run_simulated(1, options, [](Ground&) {
    scope([](Scope& sleepers) {
      for (int level = 0; level <= 6; ++level) {
        const std::int64_t round = std::int64_t{1} << (6 * level);
        for (std::int64_t ticks = round - 2; ticks <= round + 2; ++ticks) {
          if (ticks > 0) sleepers.spawn([ticks] { sleep_and_check(milliseconds(ticks)); });
        }
      }
    });
  });
  EXPECT_TRUE(ran.ended);
}

TEST(LongSleeps, of_any_length_are_in_time_from_any_time_on) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimProgramOptions options;
    const auto ran = run_simulated(seed, options, [seed](Ground&) {
      ksvc::SimRandom random(seed);
      scope([&](Scope& sleepers) {
        for (int i = 0; i < 40; ++i) {
          sleepers.spawn([&random] {
            for (int round = 0; round < 5; ++round) {
              // Up to five years, each length as likely as half of it.
              const std::uint64_t most = std::uint64_t{1} << random.between(1, 57);
              sleep_and_check(nanoseconds(static_cast<std::int64_t>(random.next() % most)));
            }
          });
        }
      });
    });
    EXPECT_TRUE(ran.ended);
  }
}

TEST(LongSleeps, that_are_cut_short_leave_no_timer) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimProgramOptions options;
    const auto ran = run_simulated(seed, options, [seed](Ground&) {
      ksvc::SimRandom random(seed);
      for (int i = 0; i < 100; ++i) {
        const auto length = static_cast<std::int64_t>(random.next() >> random.between(1, 60));
        const auto limit = static_cast<std::int64_t>(random.next() >> random.between(8, 60));
        const auto ended = with_timeout(nanoseconds(limit), [&] { sleep(nanoseconds(length)); });
        const bool close = std::abs(length - limit) <= kLate.count();
        EXPECT_TRUE(close || ended.ok() == (length < limit)) << length << " of " << limit;
      }
    });
    EXPECT_TRUE(ran.ended);
  }
}

}  // namespace
}  // namespace weft::test
