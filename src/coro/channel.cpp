#include "weft/detail/coro_channel.hpp"

namespace weft::detail {

ChannelStep ChannelTurn::finish(ChannelBase& channel, ChannelWaits& queue) noexcept {
  if (!wait_.has_value()) return step_;
  const Outcome outcome = wait_->finish();
  if (outcome >= Outcome::woken) {
    return ChannelWait::is_closed(outcome) ? ChannelStep::closed : ChannelStep::done;
  }
  const SpinGuard guard(channel.lock());
  queue.remove(in_queue_);
  return outcome == Outcome::timed_out ? ChannelStep::timed_out : ChannelStep::cancelled;
}

}  // namespace weft::detail
