// ReplyChannel: completions on their way from a reactor to one worker, and how far the reactor has
// come with that worker's requests.
//
// Bounded; what a full channel does not take waits on the reactor's side, in order. How far the
// reactor has come is a count of requests, the mark: the reactor's back end has taken them, and
// what it had to tell about them is in the channel. One word shows the worker the end of what is
// there, the mark, and whether more waits, so the three always belong together: whoever sees the
// mark sees the completions. A worker that has emptied a channel behind which more waits must make
// the reactor turn. put(), settle(), publish() and can_go_on() are the reactor's, the rest the
// worker's.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

class ReplyChannel {
 public:
  // Counts of requests wrap round.
  static constexpr std::uint32_t kMarkMask = 0x7FFF'FFFF;
  static constexpr bool reached(std::uint32_t mark, std::uint32_t count) noexcept {
    return ((mark - count) & kMarkMask) <= kMarkMask / 2;
  }

  struct View {
    std::uint32_t end = 0;
    std::uint32_t mark = 0;
    bool more = false;  // waits on the reactor's side
  };
  struct News {
    bool completions = false;
    bool mark = false;
  };

  // `capacity` is a power of two.
  explicit ReplyChannel(std::size_t capacity)
      : mask_(static_cast<std::uint32_t>(capacity - 1)),
        places_(std::make_unique_for_overwrite<Completion[]>(capacity)) {
    WEFT_ASSERT(std::has_single_bit(capacity));
  }
  ReplyChannel(const ReplyChannel&) = delete;
  ReplyChannel& operator=(const ReplyChannel&) = delete;

  // The worker sees it after publish(). Throws std::bad_alloc when it has to wait.
  void put(const Completion& completion) {
    if (overflow_.empty() && has_room()) [[likely]] {
      places_[end_++ & mask_] = completion;
    } else {
      overflow_.push_back(completion);
    }
  }
  // All of the first `count` requests is done, as of what was put so far.
  void settle(std::uint32_t count) noexcept;
  // Shows the worker what is new, and says what that is.
  News publish() noexcept;
  // What waits has room by now: there is something to publish.
  bool can_go_on() noexcept { return !overflow_.empty() && has_room(); }

  View look() const noexcept {
    const std::uint64_t word = shown_.load(std::memory_order_seq_cst);
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32) & kMarkMask,
            (word & kMore) != 0};
  }
  std::uint32_t ready(const View& view) const noexcept { return view.end - begin_; }
  // Of what look() has shown to be ready, the oldest.
  Completion take() noexcept { return places_[begin_++ & mask_]; }
  // The reactor may use the places again.
  void give_back() noexcept { taken_.store(begin_, std::memory_order_release); }
  std::uint32_t capacity() const noexcept { return mask_ + 1; }

 private:
  static constexpr std::uint64_t kMore = std::uint64_t{1} << 63;
  static constexpr std::size_t kCacheLine = 64;

  bool has_room() noexcept {
    if (end_ - seen_taken_ <= mask_) return true;
    seen_taken_ = taken_.load(std::memory_order_acquire);
    return end_ - seen_taken_ <= mask_;
  }

  const std::uint32_t mask_;
  const std::unique_ptr<Completion[]> places_;
  alignas(kCacheLine) std::atomic<std::uint64_t> shown_{0};
  alignas(kCacheLine) std::atomic<std::uint32_t> taken_{0};
  std::uint32_t begin_ = 0;  // the worker's
  // The reactor's.
  alignas(kCacheLine) std::uint32_t end_ = 0;
  std::uint32_t seen_taken_ = 0;
  std::uint32_t mark_ = 0;
  // The mark that follows `before_mark_` of those that wait; none when that is zero.
  std::uint32_t next_mark_ = 0;
  std::size_t before_mark_ = 0;
  std::uint64_t last_shown_ = 0;
  std::deque<Completion> overflow_;
};

}  // namespace weft::ksvc
