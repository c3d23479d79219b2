// SpscQueue: a bounded queue from one thread to one other, without locks.
//
// Invariants. The producer alone writes `tail`, the consumer alone `head`; both only grow, and
// head <= tail <= head + capacity. Each side remembers the other's count and looks again only when
// what it remembers says full, or empty: so most calls touch no line that the other side writes.
// A full queue says so and changes nothing; what to do then is the caller's business.
// SpscProducer and SpscConsumer are the two ends, over counters and slots that may lie in memory
// shared between processes; SpscQueue is both ends with memory of their own. One thread at a time
// per end.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

// What the two ends share besides the slots; its layout is the same in every process.
struct SpscCounters {
  alignas(64) std::atomic<std::uint64_t> tail{0};  // pushed and published, ever
  alignas(64) std::atomic<std::uint64_t> head{0};  // popped, ever
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(SpscCounters) == 128);

template <class T>
class SpscProducer {
  static_assert(std::is_nothrow_move_constructible_v<T>);

 public:
  // `capacity` slots, a power of two, all empty.
  SpscProducer(SpscCounters& counters, T* slots, std::size_t capacity) noexcept
      : counters_(&counters), slots_(slots), mask_(capacity - 1) {
    WEFT_ASSERT(std::has_single_bit(capacity));
  }

  // Takes the value, which the consumer sees after publish(); false when the queue is full, and
  // then the value is left as it was.
  [[nodiscard]] bool stage(T&& value) noexcept {
    if (staged_ - seen_head_ > mask_) {
      seen_head_ = counters_->head.load(std::memory_order_acquire);
      // Also when the other process has written nonsense there.
      if (staged_ - seen_head_ > mask_) return false;
    }
    std::construct_at(&slots_[staged_ & mask_], std::move(value));
    ++staged_;
    return true;
  }
  // With seq_cst, what the caller loads after it is not older than what it has published.
  void publish(std::memory_order order = std::memory_order_release) noexcept {
    counters_->tail.store(staged_, order);
  }
  [[nodiscard]] bool push(T&& value) noexcept {
    if (!stage(std::move(value))) return false;
    publish();
    return true;
  }

  // Whether there is room now, as the consumer's counter says it at this moment.
  bool has_room(std::memory_order order = std::memory_order_acquire) noexcept {
    seen_head_ = counters_->head.load(order);
    return staged_ - seen_head_ <= mask_;
  }

 private:
  SpscCounters* counters_;
  T* slots_;
  std::uint64_t mask_;
  std::uint64_t staged_ = 0;
  std::uint64_t seen_head_ = 0;
};

template <class T>
class SpscConsumer {
 public:
  // Begins where the last consumer stopped.
  SpscConsumer(SpscCounters& counters, T* slots, std::size_t capacity) noexcept
      : counters_(&counters),
        slots_(slots),
        mask_(capacity - 1),
        taken_(counters.head.load(std::memory_order_acquire)),
        seen_tail_(taken_) {
    WEFT_ASSERT(std::has_single_bit(capacity));
  }

  // The oldest value, or null when there is none. It stays in its slot until drop_front().
  T* front(std::memory_order order = std::memory_order_acquire) noexcept {
    if (taken_ == seen_tail_) {
      seen_tail_ = counters_->tail.load(order);
      WEFT_ASSERT(seen_tail_ - taken_ <= mask_ + 1);
      if (taken_ == seen_tail_) return nullptr;
    }
    return &slots_[taken_ & mask_];
  }
  // After front() was not null; the producer gets the slot with the next give_back().
  void drop_front() noexcept {
    std::destroy_at(&slots_[taken_ & mask_]);
    ++taken_;
  }
  void give_back(std::memory_order order = std::memory_order_release) noexcept {
    counters_->head.store(taken_, order);
  }
  [[nodiscard]] std::optional<T> pop() noexcept {
    T* value = front();
    if (value == nullptr) return std::nullopt;
    std::optional<T> popped(std::move(*value));
    drop_front();
    give_back();
    return popped;
  }

 private:
  SpscCounters* counters_;
  T* slots_;
  std::uint64_t mask_;
  std::uint64_t taken_;
  std::uint64_t seen_tail_;
};

template <class T>
class SpscQueue {
 public:
  // Room for `capacity` values, a power of two.
  explicit SpscQueue(std::size_t capacity)
      : capacity_(capacity),
        slots_(std::allocator<T>().allocate(capacity)),
        producer_(counters_, slots_, capacity),
        consumer_(counters_, slots_, capacity) {}
  // When both threads have let go of it; what was not popped is destroyed.
  ~SpscQueue() {
    while (consumer_.front() != nullptr) consumer_.drop_front();
    std::allocator<T>().deallocate(slots_, capacity_);
  }
  SpscQueue(const SpscQueue&) = delete;
  SpscQueue& operator=(const SpscQueue&) = delete;

  // Producer's thread. False when the queue is full; the value is then left as it was.
  [[nodiscard]] bool push(T&& value) noexcept { return producer_.push(std::move(value)); }
  [[nodiscard]] bool push(const T& value) { return producer_.push(T(value)); }
  // Consumer's thread. Nothing when the queue is empty.
  [[nodiscard]] std::optional<T> pop() noexcept { return consumer_.pop(); }

  std::size_t capacity() const noexcept { return capacity_; }
  // Any thread; out of date as soon as it is known, unless asked by the end that would change it.
  std::size_t size() const noexcept {
    const std::uint64_t head = counters_.head.load(std::memory_order_acquire);
    return static_cast<std::size_t>(counters_.tail.load(std::memory_order_acquire) - head);
  }
  bool empty() const noexcept { return size() == 0; }

 private:
  SpscCounters counters_;
  std::size_t capacity_;
  T* slots_;
  alignas(64) SpscProducer<T> producer_;
  alignas(64) SpscConsumer<T> consumer_;
};

}  // namespace weft::ksvc
