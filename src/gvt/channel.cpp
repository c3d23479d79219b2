#include "weft/channel.hpp"

#include <cstdlib>

#include "ksvc/core/assert.hpp"
#include "weft/cancel.hpp"

namespace weft::detail {

bool ChannelBase::close() noexcept {
  ChannelWait* claimed = nullptr;
  {
    const SpinGuard guard(lock_);
    if (closed_.load(std::memory_order_relaxed)) return false;
    closed_.store(true, std::memory_order_release);
    // Who waits to receive finds nothing left: where something is, nobody waits.
    for (ChannelWaits* queue : {&senders_, &receivers_}) {
      while (ChannelWait* const wait = queue->claim_first(true)) {
        wait->next = claimed;
        claimed = wait;
      }
    }
  }
  while (claimed != nullptr) {
    // It goes when it is woken.
    Waiter& waiter = *claimed->waiter;
    claimed = claimed->next;
    waiter.wake();
  }
  return true;
}

ChannelStep ChannelBase::finish(ChannelWaits& queue, ChannelWait& wait, std::int64_t deadline_ns) {
  const Outcome outcome = wait.waiter->wait(deadline_ns);
  if (outcome >= Outcome::woken) {
    return ChannelWait::is_closed(outcome) ? ChannelStep::closed : ChannelStep::done;
  }
  {
    const SpinGuard guard(lock_);
    queue.remove(wait);
  }
  return outcome == Outcome::timed_out ? ChannelStep::timed_out : ChannelStep::cancelled;
}

void stop_for_empty_channel() noexcept {
  WEFT_ASSERT(false && "this Channel stands for no channel: it was made so, or moved from");
  std::abort();
}

Error channel_error(ChannelStep step) noexcept {
  switch (step) {
    case ChannelStep::closed: return {ErrorCode::end_of_stream, 0};
    case ChannelStep::cancelled: return own_cancellation().error();
    default: return {ErrorCode::timed_out, 0};
  }
}

}  // namespace weft::detail
