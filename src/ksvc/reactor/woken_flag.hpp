// WokenFlag: what a notifier shares with the worker's end of a shared reactor that watches it.
//
// Raised by whoever wakes, lowered by the owner who was woken; raised means that there is something
// to tell. Both sides may go first. raise() on any thread and in signal handlers; the rest is the
// owner's.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "ksvc/core/assert.hpp"
#include "ksvc/reactor/sleep_word.hpp"

namespace weft::ksvc {

class WokenFlag {
 public:
  void raise() noexcept {
    if (raised_.exchange(true, std::memory_order_seq_cst)) return;
    if (SleepWord* sleeper = sleeper_.load(std::memory_order_seq_cst)) sleeper->wake();
  }
  void lower() noexcept { raised_.exchange(false, std::memory_order_acq_rel); }
  // Asked after the sleeper has announced its sleep.
  bool is_raised() const noexcept { return raised_.load(std::memory_order_seq_cst); }

  // Who is to be woken; once.
  void set_sleeper(std::shared_ptr<SleepWord> sleeper) {
    if (sleeper == kept_) return;
    WEFT_ASSERT(kept_ == nullptr);
    kept_ = std::move(sleeper);
    sleeper_.store(kept_.get(), std::memory_order_seq_cst);
  }

 private:
  std::atomic<bool> raised_{false};
  std::atomic<SleepWord*> sleeper_{nullptr};
  std::shared_ptr<SleepWord> kept_;
};

}  // namespace weft::ksvc
