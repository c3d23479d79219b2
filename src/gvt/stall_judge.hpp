// StallJudge: decides, from a worker's pulse as it is seen now and then, whether the worker stalls.
//
// Times are those at which somebody looked: a stall has begun at most one look earlier. One thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "gvt/pulse.hpp"
#include "ksvc/core/clock.hpp"

namespace weft::gvt {

class StallJudge {
 public:
  enum class Verdict : std::uint8_t {
    waits,   // in the kernel, for something to do
    works,   // and gets back to its loop, as far as one can tell yet
    stalls,  // has not been in its loop for the threshold or longer
    over,    // was, after a stall; said once
  };

  explicit StallJudge(std::chrono::nanoseconds threshold) noexcept : threshold_(threshold) {}

  Verdict look(std::uint64_t word, ksvc::TimePoint now) noexcept {
    if (word == word_) {
      lasted_ = now - since_;
      if (!Pulse::at_work(word)) return Verdict::waits;
      stalls_ = stalls_ || lasted_ >= threshold_;
      return stalls_ ? Verdict::stalls : Verdict::works;
    }
    word_ = word;
    lasted_ = now - since_;
    since_ = now;
    if (!stalls_) return Verdict::works;
    stalls_ = false;
    return Verdict::over;
  }

  // How long the stall of the last verdict has lasted, or did.
  std::chrono::nanoseconds lasted() const noexcept { return lasted_; }

 private:
  std::chrono::nanoseconds threshold_;
  std::uint64_t word_ = 0;
  ksvc::TimePoint since_{};
  std::chrono::nanoseconds lasted_{};
  bool stalls_ = false;
};

}  // namespace weft::gvt
