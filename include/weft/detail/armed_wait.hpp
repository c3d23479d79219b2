// ArmedWait: what else ends a wait: the cancellation of whoever waits, and a deadline.
//
// Between arm() and disarm() it must stay put. With a deadline both are called on the thread of the
// worker the waiter belongs to, which keeps the timer: a green thread stays there meanwhile.
#pragma once

#include <cstdint>

#include "weft/detail/cancel_node.hpp"
#include "weft/detail/timer.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::detail {

class ArmedWait : private CancelListener, private Timer {
 public:
  explicit ArmedWait(Waiter& waiter) noexcept
      : CancelListener(&ArmedWait::cancelled), Timer(&ArmedWait::expired), waiter_(waiter) {}

  // `node` may be null. False when the wait is over already, and this has claimed it: then nobody
  // will wake.
  bool arm(CancelNode* node, std::int64_t deadline_ns) noexcept;
  void disarm() noexcept;

 private:
  static void cancelled(CancelListener& self, CancelReason reason) noexcept;
  static void expired(Timer& self);

  Waiter& waiter_;
  CancelNode* node_ = nullptr;
  bool armed_timer_ = false;
};

}  // namespace weft::detail
