// HogJudge: whether a route holds its worker up, by the processor time that its calls take.
//
// Invariants. It says that the route is to go to the pool when more than one in twenty of its
// latest calls took longer than `slow`, so that their 95th percentile did; and that it is to come
// back when no more than that take half as long, and it has been there for a while, which is twice
// as long each time. So what is near the limit does not go to and fro. One worker's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "ksvc/core/clock.hpp"

namespace weft::exec {

struct HogLimits {
  // What a loop may be held up for: other requests of its worker wait as long.
  std::chrono::nanoseconds slow = std::chrono::milliseconds(1);
  // Fewer calls say nothing about one in twenty.
  unsigned least_calls = 20;
  // Calls that are looked at together, so that what was long ago does not count.
  unsigned window = 100;
  // The first stay on the pool at least, and any.
  std::chrono::nanoseconds first_stay = std::chrono::seconds(5);
  std::chrono::nanoseconds longest_stay = std::chrono::minutes(10);
};

class HogJudge {
 public:
  HogJudge() noexcept = default;
  explicit HogJudge(const HogLimits& limits) noexcept : limits_(limits) {}

  bool on_pool() const noexcept { return on_pool_; }
  // Of those that were looked at last.
  unsigned calls() const noexcept { return calls_; }
  unsigned slow_calls() const noexcept { return slow_; }
  std::chrono::nanoseconds slow() const noexcept { return limits_.slow; }

  // Each: a call has taken so long, here or there. True when the route is to move, and has.
  bool ran_here(std::chrono::nanoseconds took, ksvc::TimePoint now) noexcept {
    count(took > limits_.slow);
    const bool moves = calls_ >= limits_.least_calls && is_slow();
    if (moves) {
      on_pool_ = true;
      leaves_pool_at_ = now + stay_;
      stay_ = std::min(stay_ * 2, limits_.longest_stay);
    }
    return moves;
  }
  bool ran_there(std::chrono::nanoseconds took, ksvc::TimePoint now) noexcept {
    // Calls that were on their way when it came back.
    if (!on_pool_) return false;
    count(took > limits_.slow / 2);
    if (calls_ < limits_.window || is_slow() || now < leaves_pool_at_) return false;
    on_pool_ = false;
    return true;
  }
  // The next call begins a new count: after a move, when that has been told.
  void begin_anew() noexcept { calls_ = slow_ = 0; }

  // Whether the processor time of the next call here is worth asking for: a look at the clock on
  // the wall is cheaper, and what takes long by that has perhaps only been interrupted.
  bool suspects() const noexcept { return suspects_; }
  void suspect() noexcept { suspects_ = true; }

 private:
  bool is_slow() const noexcept { return slow_ * 20 > calls_; }
  void count(bool was_slow) noexcept {
    if (calls_ >= limits_.window) {
      suspects_ = slow_ > 0;
      begin_anew();
    }
    ++calls_;
    if (was_slow) ++slow_;
  }

  HogLimits limits_;
  bool on_pool_ = false;
  bool suspects_ = false;
  unsigned calls_ = 0;
  unsigned slow_ = 0;
  std::chrono::nanoseconds stay_ = limits_.first_stay;
  ksvc::TimePoint leaves_pool_at_{0};
};

}  // namespace weft::exec
