// LineQueue: lines, and records that lines are made of, from one thread to one other: a ring of
// bytes without locks.
//
// Invariants. The producer alone writes `tail`, the consumer alone `head`; both only grow. What the
// consumer has taken keeps its room until it is released, so that it can be taken again. A full
// queue refuses an entry and counts it. One thread at a time per end; figures: any thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "app/log/line_text.hpp"
#include "gvt/counter.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/queue/spsc_queue.hpp"

namespace weft::app {

// Makes lines of records, on the thread that takes them out.
class LineMaker {
 public:
  virtual ~LineMaker() = default;
  // Appends the line, without its end.
  virtual void make(std::string_view record, LineText& text) = 0;
};

class LineQueue {
 public:
  // What the consumer takes: a line, or a record and who makes a line of it.
  struct Entry {
    LineMaker* maker;
    std::string_view bytes;
  };

  // `capacity` is a power of two.
  explicit LineQueue(std::size_t capacity)
      : bytes_(std::make_unique_for_overwrite<char[]>(capacity)), mask_(capacity - 1) {
    WEFT_ASSERT(std::has_single_bit(capacity) && capacity <= kRecord);
  }

  // ---- Producer

  // Puts a line there; false when there is no room. What is loaded after it is not older than what
  // it has published.
  [[nodiscard]] bool push(std::string_view line) noexcept {
    if (!has_room(kHeadBytes + line.size())) return false;
    const auto head = static_cast<std::uint32_t>(line.size());
    put(tail_, &head, kHeadBytes);
    put(tail_ + kHeadBytes, line.data(), line.size());
    publish(kHeadBytes + line.size());
    return true;
  }
  // Where a record of so many bytes is to be written, behind which comes push_record(); null when
  // there is no room for it.
  [[nodiscard]] char* record_room(std::size_t size) noexcept {
    if (!has_room(kRecordHeadBytes + size)) return nullptr;
    const std::size_t at = tail_ & mask_;
    if (at + kRecordHeadBytes + size <= mask_ + 1) [[likely]]
      return &bytes_[at + kRecordHeadBytes];
    try {
      wrapped_.resize(size);
    } catch (const std::bad_alloc&) {
      refuse();
      return nullptr;
    }
    return wrapped_.data();
  }
  void push_record(LineMaker& maker, std::size_t size) noexcept {
    const std::uint32_t head = kRecord | static_cast<std::uint32_t>(size);
    const LineMaker* const address = &maker;
    const std::size_t at = tail_ & mask_;
    if (at + kRecordHeadBytes + size <= mask_ + 1) [[likely]] {
      std::memcpy(&bytes_[at], &head, kHeadBytes);
      std::memcpy(&bytes_[at + kHeadBytes], static_cast<const void*>(&address), sizeof address);
    } else {
      put(tail_, &head, kHeadBytes);
      put(tail_ + kHeadBytes, static_cast<const void*>(&address), sizeof address);
      put(tail_ + kRecordHeadBytes, wrapped_.data(), size);
    }
    publish(kRecordHeadBytes + size);
  }
  void refuse() noexcept { refused_.add(1); }
  bool is_half_full() noexcept {
    if (tail_ - seen_head_ <= (mask_ + 1) / 2) [[likely]]
      return false;
    seen_head_ = counters_.head.load(std::memory_order_acquire);
    return tail_ - seen_head_ > (mask_ + 1) / 2;
  }

  // ---- Consumer

  // All that has been put there by now ends here.
  std::uint64_t end() const noexcept { return counters_.tail.load(std::memory_order_seq_cst); }
  bool is_empty() const noexcept { return end() == head_; }
  // So far all has been taken.
  std::uint64_t taken() const noexcept { return taken_; }
  // The entry behind that, which is in front of end(); valid until it is released. Throws
  // std::bad_alloc, and takes nothing then.
  Entry take() {
    std::uint32_t head = 0;
    get(taken_, &head, kHeadBytes);
    const std::size_t size = head & ~kRecord;
    if ((head & kRecord) == 0) {
      const Entry line{nullptr, stretch(taken_ + kHeadBytes, size)};
      taken_ += kHeadBytes + size;
      return line;
    }
    Entry record{};
    get(taken_ + kHeadBytes, static_cast<void*>(&record.maker), sizeof record.maker);
    record.bytes = stretch(taken_ + kRecordHeadBytes, size);
    taken_ += kRecordHeadBytes + size;
    return record;
  }
  // What was taken last is to be taken again, from there on.
  void take_again(std::uint64_t from) noexcept { taken_ = from; }
  // The room up to there, where an entry ends, is free.
  void release(std::uint64_t up_to) noexcept {
    head_ = up_to;
    counters_.head.store(up_to, std::memory_order_release);
  }

  // ---- Any thread
  std::uint64_t lines() const noexcept { return lines_.value(); }
  std::uint64_t refused() const noexcept { return refused_.value(); }

 private:
  static constexpr std::size_t kHeadBytes = sizeof(std::uint32_t);
  static constexpr std::size_t kRecordHeadBytes = kHeadBytes + sizeof(LineMaker*);
  static constexpr std::uint32_t kRecord = std::uint32_t{1} << 31;

  std::size_t room() const noexcept { return mask_ + 1 - (tail_ - seen_head_); }
  bool has_room(std::size_t size) noexcept {
    if (size <= room()) [[likely]]
      return true;
    seen_head_ = counters_.head.load(std::memory_order_acquire);
    if (size <= room()) return true;
    refuse();
    return false;
  }
  void publish(std::size_t size) noexcept {
    tail_ += size;
    lines_.add(1);
    counters_.tail.store(tail_, std::memory_order_seq_cst);
  }
  void put(std::uint64_t to, const void* from, std::size_t size) noexcept {
    if (size == 0) return;
    const std::size_t at = to & mask_;
    const std::size_t first = std::min(size, mask_ + 1 - at);
    std::memcpy(&bytes_[at], from, first);
    if (first < size) [[unlikely]]
      std::memcpy(&bytes_[0], static_cast<const char*>(from) + first, size - first);
  }
  void get(std::uint64_t from, void* to, std::size_t size) const noexcept {
    if (size == 0) return;
    const std::size_t at = from & mask_;
    const std::size_t first = std::min(size, mask_ + 1 - at);
    std::memcpy(to, &bytes_[at], first);
    if (first < size) [[unlikely]]
      std::memcpy(static_cast<char*>(to) + first, &bytes_[0], size - first);
  }
  std::string_view stretch(std::uint64_t from, std::size_t size) {
    const std::size_t at = from & mask_;
    if (at + size <= mask_ + 1) [[likely]]
      return {&bytes_[at], size};
    joined_.resize(size);
    get(from, joined_.data(), size);
    return {joined_.data(), size};
  }

  ksvc::SpscCounters counters_;
  std::unique_ptr<char[]> bytes_;
  std::size_t mask_;
  alignas(64) std::uint64_t tail_ = 0;  // the producer's from here on
  std::uint64_t seen_head_ = 0;
  gvt::Counter lines_;
  gvt::Counter refused_;
  std::vector<char> wrapped_;           // a record that goes on where the ring begins
  alignas(64) std::uint64_t head_ = 0;  // the consumer's
  std::uint64_t taken_ = 0;
  std::vector<char> joined_;
};

}  // namespace weft::app
