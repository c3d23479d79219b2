// TurnMeter: what a worker's loop does and how long it keeps others waiting, as figures.
//
// A turn begins when the worker is back from the kernel and ends when it enters it again; what
// arrives meanwhile waits for so long, which is the loop's lag. A worker without a meter reads no
// clock for this. The worker writes; any thread reads.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "gvt/counter.hpp"
#include "ksvc/core/clock.hpp"

namespace weft::gvt {

class alignas(64) TurnMeter {
 public:
  // Turns of at most 16 µs, of at most 64 µs, and so on in steps of four up to 4.2 s; the last
  // bucket holds the rest.
  static constexpr std::size_t kBuckets = 10;
  static constexpr std::uint64_t bound_us(std::size_t bucket) noexcept {
    return std::uint64_t{16} << (2 * bucket);
  }

  void turn_begins(ksvc::TimePoint now, unsigned completions) noexcept {
    began_ = now;
    turns_.add(1);
    completions_.add(completions);
  }
  void turn_ends(ksvc::TimePoint now) noexcept {
    // Before the first turn nothing has begun.
    if (began_ == ksvc::TimePoint{}) return;
    const auto ns = static_cast<std::uint64_t>((now - began_).count());
    busy_ns_.add(ns);
    lag_[bucket_of((ns + 999) / 1000)].add(1);
  }

  // Times that the worker came back from the kernel, and completions that it brought along.
  std::uint64_t turns() const noexcept { return turns_.value(); }
  std::uint64_t completions() const noexcept { return completions_.value(); }
  std::uint64_t busy_ns() const noexcept { return busy_ns_.value(); }
  // Turns by how long they were.
  std::uint64_t lag(std::size_t bucket) const noexcept { return lag_[bucket].value(); }

 private:
  static constexpr std::size_t bucket_of(std::uint64_t us) noexcept {
    if (us <= bound_us(0)) return 0;
    const auto bucket = (static_cast<std::size_t>(std::bit_width(us - 1)) - 3) / 2;
    return bucket < kBuckets ? bucket : kBuckets;
  }

  ksvc::TimePoint began_{};
  Counter turns_;
  Counter completions_;
  Counter busy_ns_;
  std::array<Counter, kBuckets + 1> lag_;
};

}  // namespace weft::gvt
