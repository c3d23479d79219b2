#include "gvt/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace weft::gvt {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TimePoint at_ms(std::int64_t ms) { return {ms * kMs}; }

struct TestTimer : Timer {
  explicit TestTimer(std::function<void(TestTimer&)> when_fired = {})
      : Timer(&TestTimer::fired_now), action(std::move(when_fired)) {}

  static void fired_now(Timer& timer) {
    auto& self = static_cast<TestTimer&>(timer);
    ++self.fired;
    if (self.action) self.action(self);
  }

  std::function<void(TestTimer&)> action;
  int fired = 0;
};

TEST(TimerWheel, timer_fires_once_at_its_time_and_not_before) {
  TimerWheel wheel(at_ms(1000));
  TestTimer timer;
  wheel.set(timer, at_ms(1005));
  EXPECT_TRUE(timer.is_set());
  wheel.advance(at_ms(1004));
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(at_ms(1005));
  EXPECT_EQ(timer.fired, 1);
  EXPECT_FALSE(timer.is_set());
  wheel.advance(at_ms(9000));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, part_of_a_millisecond_is_rounded_up) {
  TimerWheel wheel(at_ms(0));
  TestTimer timer;
  wheel.set(timer, {5 * kMs + 1});
  wheel.advance({6 * kMs - 1});
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(at_ms(6));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, time_that_is_past_fires_in_the_next_millisecond) {
  TimerWheel wheel(at_ms(100));
  TestTimer timer;
  wheel.set(timer, at_ms(3));
  EXPECT_EQ(timer.fired, 0) << "never inside set()";
  EXPECT_EQ(wheel.next_due(), at_ms(101));
  wheel.advance(at_ms(101));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, set_timer_can_be_moved_both_ways) {
  TimerWheel wheel(at_ms(0));
  TestTimer timer;
  wheel.set(timer, at_ms(10'000));
  wheel.set(timer, at_ms(5));
  EXPECT_EQ(TimerWheel::due(timer), at_ms(5));
  wheel.set(timer, at_ms(70'000));
  wheel.advance(at_ms(69'999));
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(at_ms(70'000));
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, cleared_timer_never_fires_and_clearing_twice_is_allowed) {
  TimerWheel wheel(at_ms(0));
  TestTimer timer;
  wheel.clear(timer);
  wheel.set(timer, at_ms(5));
  wheel.clear(timer);
  wheel.clear(timer);
  wheel.advance(at_ms(1000));
  EXPECT_EQ(timer.fired, 0);
}

TEST(TimerWheel, without_a_timer_nothing_is_due) {
  TimerWheel wheel(at_ms(7));
  EXPECT_EQ(wheel.next_due(), ksvc::kNoDeadline);
  wheel.advance(at_ms(1 << 30));
  EXPECT_EQ(wheel.next_due(), ksvc::kNoDeadline);
}

TEST(TimerWheel, deadline_that_never_comes_never_fires) {
  TimerWheel wheel(at_ms(0));
  TestTimer never;
  TestTimer almost_never;
  wheel.set(never, ksvc::kNoDeadline);
  wheel.set(almost_never, {INT64_MAX - 1});
  EXPECT_EQ(TimerWheel::due(never), ksvc::kNoDeadline);
  for (std::int64_t day = 1; day < 2000; day += 7) wheel.advance(at_ms(day * 86'400'000));
  EXPECT_EQ(never.fired + almost_never.fired, 0);
  EXPECT_TRUE(never.is_set());
  wheel.clear(never);
  wheel.clear(almost_never);
}

TEST(TimerWheel, fire_may_set_its_own_timer_again) {
  TimerWheel wheel(at_ms(0));
  TestTimer timer([&](TestTimer& self) {
    if (self.fired < 5) wheel.set(self, TimerWheel::due(self) + std::chrono::milliseconds(10));
  });
  wheel.set(timer, at_ms(10));
  wheel.advance(at_ms(29));
  EXPECT_EQ(timer.fired, 2);
  wheel.advance(at_ms(1000));
  EXPECT_EQ(timer.fired, 5);
}

TEST(TimerWheel, fire_that_sets_for_now_is_not_run_in_the_same_millisecond) {
  TimerWheel wheel(at_ms(0));
  TestTimer timer([&](TestTimer& self) { wheel.set(self, at_ms(0)); });
  wheel.set(timer, at_ms(1));
  wheel.advance(at_ms(1));
  EXPECT_EQ(timer.fired, 1);
  wheel.advance(at_ms(4));
  EXPECT_EQ(timer.fired, 4);
  wheel.clear(timer);
}

TEST(TimerWheel, fire_may_clear_any_timer_that_is_due_at_the_same_time) {
  for (std::size_t first = 0; first < 3; ++first) {
    TimerWheel wheel(at_ms(0));
    std::vector<std::unique_ptr<TestTimer>> timers;
    int fired = 0;
    for (int i = 0; i < 3; ++i) {
      timers.push_back(std::make_unique<TestTimer>([&](TestTimer& self) {
        ++fired;
        for (auto& other : timers) {
          if (other.get() != &self) wheel.clear(*other);
        }
      }));
    }
    for (std::size_t i = 0; i < 3; ++i) wheel.set(*timers[(first + i) % 3], at_ms(500));
    wheel.advance(at_ms(500));
    EXPECT_EQ(fired, 1);
    EXPECT_EQ(wheel.next_due(), ksvc::kNoDeadline);
  }
}

// The wheel beside the plainest thing that could work: a list of timers and their times.
class WheelAndModel {
 public:
  explicit WheelAndModel(unsigned seed)
      : random_(seed), now_ms_(pick(0, 5'000'000)), wheel_(at_ms(now_ms_)) {
    for (std::size_t i = 0; i < timers_.size(); ++i) {
      timers_[i] = std::make_unique<TestTimer>([this, i](TestTimer&) { fired(i); });
    }
  }
  ~WheelAndModel() {
    for (auto& timer : timers_) wheel_.clear(*timer);
  }

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      const std::int64_t what = pick(0, 9);
      const auto index = static_cast<std::size_t>(pick(0, kTimers - 1));
      if (what < 6) {
        set(index, now_ms_);
      } else if (what < 7) {
        clear(index);
      } else {
        advance();
      }
      check_next_due();
    }
  }

  int fired_in_all() const { return fired_in_all_; }

 private:
  static constexpr int kTimers = 200;

  std::int64_t pick(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  // Of any magnitude up to twice the reach of the wheel, and often at the edge of a slot.
  std::int64_t pick_distance() {
    const std::int64_t magnitude = std::int64_t{1} << pick(0, 37);
    return pick(0, 3) == 0 ? std::max<std::int64_t>(0, magnitude + pick(-2, 2))
                           : pick(0, magnitude);
  }

  void set(std::size_t index, std::int64_t from_ms) {
    const std::int64_t due = from_ms + pick_distance();
    const std::int64_t part = pick(0, 1) * pick(1, kMs - 1);
    wheel_.set(*timers_[index], {due * kMs + part});
    due_ms_[index] = std::max(due + (part > 0 ? 1 : 0), from_ms + 1);
    EXPECT_EQ(TimerWheel::due(*timers_[index]), at_ms(*due_ms_[index]));
  }
  void clear(std::size_t index) {
    wheel_.clear(*timers_[index]);
    due_ms_[index].reset();
  }

  void advance() {
    const std::int64_t target = now_ms_ + pick_distance() / pick(1, 50);
    last_fired_ms_ = now_ms_;
    target_ms_ = target;
    wheel_.advance({target * kMs + pick(0, kMs - 1)});
    now_ms_ = std::max(now_ms_, target);
    for (std::size_t i = 0; i < timers_.size(); ++i) {
      EXPECT_TRUE(!due_ms_[i] || *due_ms_[i] > now_ms_) << "timer " << i << " was forgotten";
      EXPECT_EQ(timers_[i]->is_set(), due_ms_[i].has_value());
    }
  }

  void fired(std::size_t index) {
    ++fired_in_all_;
    ASSERT_TRUE(due_ms_[index].has_value()) << "timer " << index << " fired unasked";
    const std::int64_t due = *due_ms_[index];
    due_ms_[index].reset();
    EXPECT_LE(due, target_ms_) << "early";
    EXPECT_GE(due, last_fired_ms_) << "out of order";
    EXPECT_FALSE(timers_[index]->is_set());
    last_fired_ms_ = due;
    // What a Fire does to others, itself included, must not disturb the round under way.
    const auto other = static_cast<std::size_t>(pick(0, kTimers - 1));
    const std::int64_t what = pick(0, 5);
    if (what == 0) clear(other);
    if (what == 1) set(other, due);
    if (what == 2) set(index, due);
  }

  void check_next_due() {
    std::int64_t earliest = INT64_MAX;
    for (const auto& due : due_ms_) earliest = due ? std::min(earliest, *due) : earliest;
    if (earliest == INT64_MAX) return;
    EXPECT_LE(wheel_.next_due(), at_ms(earliest));
    EXPECT_GT(wheel_.next_due(), at_ms(now_ms_));
  }

  std::mt19937_64 random_;
  std::int64_t now_ms_;
  std::int64_t target_ms_ = 0;
  std::int64_t last_fired_ms_ = 0;
  int fired_in_all_ = 0;
  TimerWheel wheel_;
  std::array<std::unique_ptr<TestTimer>, kTimers> timers_;
  std::array<std::optional<std::int64_t>, kTimers> due_ms_;
};

TEST(TimerWheel, agrees_with_a_list_of_times_whatever_is_set_cleared_and_advanced) {
  int fired = 0;
  for (unsigned seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    WheelAndModel both(seed);
    both.run(600);
    fired += both.fired_in_all();
  }
  EXPECT_GT(fired, 1000) << "the random steps hardly ever made a timer fire";
}

}  // namespace
}  // namespace weft::gvt
