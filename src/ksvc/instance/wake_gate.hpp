// WakeGate: joins queues that other threads fill to the sleep of the thread that empties them.
//
// A producer puts its value where it belongs and then rings; the owner announces its sleep and then
// looks once more. Both steps exchange the same word, so one of the two sees the other: no wake is
// lost, and any number of rings during one sleep cost one wake.
#pragma once

#include <atomic>
#include <utility>

#include "ksvc/core/notifier.hpp"

namespace weft::ksvc {

// `Atomic` is std::atomic, or what watches every step of the algorithm.
template <Notifier N, template <class> class Atomic = std::atomic>
class WakeGate {
 public:
  template <class... Arguments>
  explicit WakeGate(Arguments&&... arguments) : notifier_(std::forward<Arguments>(arguments)...) {}

  // Any thread, after the value is in its queue.
  void ring() noexcept {
    if (sleeping_.exchange(false, std::memory_order_acq_rel)) notifier_.wake();
  }

  // Owner. True when it may sleep; `has_work` is asked after the announcement.
  template <class HasWork>
  bool may_sleep(const HasWork& has_work) noexcept {
    sleeping_.exchange(true, std::memory_order_acq_rel);
    if (!has_work()) return true;
    awake();
    return false;
  }
  // Exchanges too: a store would cut the chain from a ring that found the word taken down already
  // to the owner's next look, which then need not see what that ring was for.
  void awake() noexcept { sleeping_.exchange(false, std::memory_order_acq_rel); }

  N& notifier() noexcept { return notifier_; }

 private:
  Atomic<bool> sleeping_{false};
  N notifier_;
};

}  // namespace weft::ksvc
