// RingCompletionSink: completions go into a mapped ring, which another thread or process reads.
//
// Gathers: a reader sees what was completed only after flush(), which wakes it at most once, and
// only when it sleeps. Nothing is ever lost: what a full ring does not take waits in a list on this
// side, and goes in before anything newer. While something waits there the ring asks its reader to
// wake this side when it has made room; whoever is woken calls flush(). The ids are the reader's
// own, and mean nothing here. What still waits when the sink goes is gone with it: a reader may
// have died. complete() and flush() on the owner's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "ksvc/core/completion_sink.hpp"
#include "ksvc/sink/completion_ring.hpp"
#include "ksvc/sink/shared_futex.hpp"

namespace weft::ksvc {

struct RingSinkOptions {
  std::uint32_t capacity = 4096;  // records, a power of two
};

template <RingWake Wake>
class BasicRingCompletionSink {
 public:
  static Result<std::unique_ptr<BasicRingCompletionSink>> create(
      const RingSinkOptions& options = {}, Wake wake = {}) {
    auto ring = CompletionRing::create(options.capacity);
    if (!ring) return ring.error();
    return std::make_unique<BasicRingCompletionSink>(std::move(ring).value(), std::move(wake));
  }
  // Over a ring that was just created.
  explicit BasicRingCompletionSink(CompletionRing ring, Wake wake = {}) noexcept
      : ring_(std::move(ring)),
        producer_(ring_.header().counters, ring_.records(), ring_.capacity()),
        wake_(std::move(wake)) {}

  void complete(const Completion& completion) noexcept {
    if (!waiting_.empty() || !producer_.stage(CompletionRecord::from(completion))) [[unlikely]] {
      keep_for_later(completion);
    }
  }

  // Shows the reader all that has room, and wakes it when it sleeps.
  void flush() noexcept {
    if (!waiting_.empty()) [[unlikely]] {
      move_in_what_has_room();
      // The reader may have made the room just before it was asked to tell of it.
      while (!waiting_.empty() && ask_for_room()) move_in_what_has_room();
    }
    publish();
  }

  const CompletionRing& ring() const noexcept { return ring_; }
  // Completions that wait for room now, and those that ever had to.
  std::size_t waiting() const noexcept { return waiting_.size(); }
  std::uint64_t overflowed() const noexcept { return overflowed_; }
  // Times that the reader was woken.
  std::uint64_t wakes() const noexcept { return wakes_; }
  static const char* name() noexcept { return "completion ring"; }

 private:
  [[gnu::cold]] void keep_for_later(const Completion& completion) noexcept {
    waiting_.push_back(CompletionRecord::from(completion));
    ++overflowed_;
  }

  void move_in_what_has_room() noexcept {
    while (!waiting_.empty() && producer_.stage(CompletionRecord(waiting_.front()))) {
      waiting_.pop_front();
    }
  }

  // The question is put before the last look at the reader's counter, and the reader looks for the
  // question after it has moved that counter: one of the two sees the other.
  bool ask_for_room() noexcept {
    ring_.header().maker_waits_for_room.store(1, std::memory_order_seq_cst);
    return producer_.has_room(std::memory_order_seq_cst);
  }

  // Likewise with the reader's sleep: it says so first and then looks once more.
  void publish() noexcept {
    producer_.publish(std::memory_order_seq_cst);
    std::atomic<std::uint32_t>& sleeps = ring_.header().reader_sleeps;
    if (sleeps.load(std::memory_order_seq_cst) == 0) return;
    if (sleeps.exchange(0, std::memory_order_seq_cst) == 0) return;
    ++wakes_;
    wake_(sleeps);
  }

  CompletionRing ring_;
  SpscProducer<CompletionRecord> producer_;
  [[no_unique_address]] Wake wake_;
  std::deque<CompletionRecord> waiting_;
  std::uint64_t overflowed_ = 0;
  std::uint64_t wakes_ = 0;
};

using RingCompletionSink = BasicRingCompletionSink<WakeByFutex>;

static_assert(GatheringSink<RingCompletionSink>);

}  // namespace weft::ksvc
