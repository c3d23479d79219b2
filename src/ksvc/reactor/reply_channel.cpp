#include "ksvc/reactor/reply_channel.hpp"

namespace weft::ksvc {

void ReplyChannel::settle(std::uint32_t count) noexcept {
  if (overflow_.empty()) {
    mark_ = count & kMarkMask;
  } else if (before_mark_ == 0) {
    // A later one would move away as long as more comes.
    next_mark_ = count & kMarkMask;
    before_mark_ = overflow_.size();
  }
}

ReplyChannel::News ReplyChannel::publish() noexcept {
  while (!overflow_.empty() && has_room()) {
    places_[end_++ & mask_] = overflow_.front();
    overflow_.pop_front();
    if (before_mark_ != 0 && --before_mark_ == 0) mark_ = next_mark_;
  }
  const std::uint64_t word = std::uint64_t{mark_} << 32 | end_ | (overflow_.empty() ? 0 : kMore);
  const std::uint64_t changed = word ^ last_shown_;
  if (changed == 0) return {};
  last_shown_ = word;
  shown_.store(word, std::memory_order_seq_cst);
  return {static_cast<std::uint32_t>(changed) != 0, (changed & ~kMore) >> 32 != 0};
}

}  // namespace weft::ksvc
