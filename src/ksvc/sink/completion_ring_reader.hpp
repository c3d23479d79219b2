// CompletionRingReader: takes completions out of a CompletionRing, on another thread or in another
// process.
//
// One reader at a time; a new one goes on where the last one stopped. It sleeps on the ring itself
// with wait(), or in a loop of its own between may_sleep() and awake(). Its reads make room, and
// when the other side waits for that, they wake it.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "ksvc/sink/completion_ring.hpp"
#include "ksvc/sink/shared_futex.hpp"

namespace weft::ksvc {

template <RingWake Wake = WakeByFutex>
class CompletionRingReader {
 public:
  // The ring must outlive the reader.
  explicit CompletionRingReader(const CompletionRing& ring, Wake wake = {}) noexcept
      : header_(&ring.header()),
        consumer_(header_->counters, ring.records(), ring.capacity()),
        wake_(std::move(wake)) {}

  // Calls `take(record)` for each record that is there, oldest first, up to `at_most`. Returns
  // their number.
  template <class Take>
  unsigned read(Take&& take, unsigned at_most = UINT32_MAX) {
    unsigned count = 0;
    for (; count < at_most; ++count) {
      const CompletionRecord* next = consumer_.front();
      if (next == nullptr) break;
      const CompletionRecord record = *next;
      consumer_.drop_front();
      take(record);
    }
    if (count > 0) make_room();
    return count;
  }

  // Says that this side sleeps. True when there is still nothing to read: then the other side's
  // next flush wakes it.
  bool may_sleep() noexcept {
    header_->reader_sleeps.store(1, std::memory_order_seq_cst);
    if (consumer_.front(std::memory_order_seq_cst) == nullptr) return true;
    awake();
    return false;
  }
  // A wake that comes although this side is awake is harmless.
  void awake() noexcept { header_->reader_sleeps.store(0, std::memory_order_relaxed); }

  // Sleeps until there is something to read, at most so long; true when there is. Only where the
  // maker of the ring wakes by futex. May come back early with nothing, as after a signal.
  bool wait(std::chrono::nanoseconds at_most = std::chrono::nanoseconds::max()) noexcept {
    if (may_sleep()) {
      SharedFutex::wait(header_->reader_sleeps, 1, at_most);
      awake();
    }
    return consumer_.front() != nullptr;
  }

 private:
  void make_room() noexcept {
    consumer_.give_back(std::memory_order_seq_cst);
    std::atomic<std::uint32_t>& waits = header_->maker_waits_for_room;
    if (waits.load(std::memory_order_seq_cst) == 0) return;
    if (waits.exchange(0, std::memory_order_seq_cst) == 1) wake_(waits);
  }

  CompletionRingHeader* header_;
  SpscConsumer<CompletionRecord> consumer_;
  [[no_unique_address]] Wake wake_;
};

}  // namespace weft::ksvc
