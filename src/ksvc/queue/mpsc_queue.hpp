// MpscQueue: a bounded queue that many threads put values into and one takes them out of.
//
// Lock-free: a producer claims a place by one compare-and-swap, and the place's own sequence number
// says whether it holds a value: 2n when it is free for the n-th push ever, 2n + 1 when it holds
// what that one brought. So a slow producer holds up those behind it but no other producer. A full
// queue says so and changes nothing. push() on any thread; pop() on the owner's.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

template <class T>
class MpscQueue {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit MpscQueue(std::size_t capacity)
      : mask_(capacity - 1), places_(std::make_unique<Place[]>(capacity)) {
    WEFT_ASSERT(std::has_single_bit(capacity));
    for (std::size_t i = 0; i < capacity; ++i) {
      places_[i].sequence.store(2 * i, std::memory_order_relaxed);
    }
  }
  MpscQueue(const MpscQueue&) = delete;
  MpscQueue& operator=(const MpscQueue&) = delete;

  // False when the queue is full.
  bool push(const T& value) noexcept {
    std::size_t at = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Place& place = places_[at & mask_];
      const std::size_t sequence = place.sequence.load(std::memory_order_acquire);
      if (sequence == 2 * at) {
        if (tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
          place.value = value;
          place.sequence.store(2 * at + 1, std::memory_order_release);
          return true;
        }
      } else if (static_cast<std::ptrdiff_t>(sequence - 2 * at) < 0) {
        return false;
      } else {
        at = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  // False when there is nothing, or when the next value is still being written.
  bool pop(T& value) noexcept {
    Place& place = places_[head_ & mask_];
    if (place.sequence.load(std::memory_order_acquire) != 2 * head_ + 1) return false;
    value = place.value;
    place.sequence.store(2 * (head_ + mask_ + 1), std::memory_order_release);
    ++head_;
    return true;
  }

  // Owner: whether pop() would find nothing.
  bool empty() const noexcept {
    return places_[head_ & mask_].sequence.load(std::memory_order_acquire) != 2 * head_ + 1;
  }
  std::size_t capacity() const noexcept { return mask_ + 1; }

 private:
  struct Place {
    std::atomic<std::size_t> sequence;
    T value;
  };
  static constexpr std::size_t kCacheLine = 64;

  const std::size_t mask_;
  const std::unique_ptr<Place[]> places_;
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
  alignas(kCacheLine) std::size_t head_ = 0;  // owner's
};

}  // namespace weft::ksvc
