// LineQueue: whole lines from one thread to one other: a ring of bytes without locks.
//
// Invariants. What the consumer can read ends with a whole line. The producer alone writes `tail`,
// the consumer alone `head`; both only grow. Room is given back line by line: what of a line has
// been written out stays until the line is out, so that it can be written again elsewhere.
// A full queue refuses a line and counts it. One thread at a time per end; figures: any thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "gvt/counter.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/queue/spsc_queue.hpp"

namespace weft::app {

class LineQueue {
 public:
  // `capacity` is a power of two.
  explicit LineQueue(std::size_t capacity)
      : bytes_(std::make_unique_for_overwrite<char[]>(capacity)), mask_(capacity - 1) {
    WEFT_ASSERT(std::has_single_bit(capacity));
  }

  // ---- Producer

  // Puts the line there, with its end; false when there is no room. What is loaded after it is not
  // older than what it has published.
  [[nodiscard]] bool push(std::string_view line) noexcept {
    const std::size_t size = line.size() + 1;
    if (size > room()) {
      seen_head_ = counters_.head.load(std::memory_order_acquire);
      if (size > room()) {
        refuse();
        return false;
      }
    }
    put(tail_, line);
    bytes_[(tail_ + line.size()) & mask_] = '\n';
    tail_ += size;
    lines_.add(1);
    counters_.tail.store(tail_, std::memory_order_seq_cst);
    return true;
  }
  void refuse() noexcept { refused_.add(1); }
  bool is_half_full() noexcept {
    if (tail_ - seen_head_ <= (mask_ + 1) / 2) [[likely]]
      return false;
    seen_head_ = counters_.head.load(std::memory_order_acquire);
    return tail_ - seen_head_ > (mask_ + 1) / 2;
  }

  // ---- Consumer

  // All that is there and not written: two stretches, of which the second is seldom of any length.
  std::array<std::string_view, 2> unwritten() const noexcept {
    const std::uint64_t from = head_ + written_;
    const std::uint64_t tail = counters_.tail.load(std::memory_order_seq_cst);
    const std::size_t size = tail - from;
    const std::size_t at = from & mask_;
    const std::size_t first = std::min(size, mask_ + 1 - at);
    return {std::string_view(&bytes_[at], first), std::string_view(&bytes_[0], size - first)};
  }
  // The first so many bytes of that are written.
  void wrote(std::size_t size) noexcept {
    const auto parts = unwritten();
    std::size_t whole = 0;
    for (std::size_t done = 0, part = 0; part < 2; done += parts[part].size(), ++part) {
      const std::string_view of = parts[part].substr(0, size - std::min(size, done));
      if (const auto end = of.rfind('\n'); end != of.npos) whole = done + end + 1;
    }
    if (whole == 0) {
      written_ += size;
      return;
    }
    head_ += written_ + whole;
    written_ = size - whole;
    counters_.head.store(head_, std::memory_order_release);
  }
  bool is_amid_a_line() const noexcept { return written_ > 0; }
  // What of a line was written is to be written again.
  void rewind() noexcept { written_ = 0; }

  // ---- Any thread
  std::uint64_t lines() const noexcept { return lines_.value(); }
  std::uint64_t refused() const noexcept { return refused_.value(); }

 private:
  std::size_t room() const noexcept { return mask_ + 1 - (tail_ - seen_head_); }
  void put(std::uint64_t to, std::string_view text) noexcept {
    const std::size_t at = to & mask_;
    const std::size_t first = std::min(text.size(), mask_ + 1 - at);
    std::memcpy(&bytes_[at], text.data(), first);
    if (first < text.size()) [[unlikely]]
      std::memcpy(&bytes_[0], text.data() + first, text.size() - first);
  }

  ksvc::SpscCounters counters_;
  std::unique_ptr<char[]> bytes_;
  std::size_t mask_;
  alignas(64) std::uint64_t tail_ = 0;  // the producer's from here on
  std::uint64_t seen_head_ = 0;
  gvt::Counter lines_;
  gvt::Counter refused_;
  alignas(64) std::uint64_t head_ = 0;  // the consumer's
  std::size_t written_ = 0;             // of the line at the head
};

}  // namespace weft::app
