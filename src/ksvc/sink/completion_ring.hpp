// CompletionRing: a mapping that completions go through, to another thread or another process.
//
// One header and then a power of two of records, at the same offsets for everybody. Its maker puts
// records in (RingCompletionSink), one reader takes them out (CompletionRingReader). The mapping is
// a sealed memory file where the system has them, so its descriptor can be handed to a process
// that opens it; elsewhere it is anonymous and for threads and forked children only. Both ends
// trust each other to keep to the protocol.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "ksvc/core/completion.hpp"
#include "ksvc/queue/spsc_queue.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

struct CompletionRecord {
  static constexpr std::uint32_t kMore = 1;   // Completion::more
  static constexpr std::uint32_t kLease = 2;  // the lease fields say something

  std::uint64_t corr_id = 0;
  std::int64_t result = 0;
  std::uint64_t lease_data = 0;  // an address in the maker's process
  std::uint32_t lease_size = 0;
  std::uint16_t lease_block = 0;
  std::uint16_t lease_generation = 0;
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;

  static CompletionRecord from(const Completion& completion) noexcept;
  // For the maker's own process.
  Completion completion() const noexcept;
};
static_assert(sizeof(CompletionRecord) == 40);

struct CompletionRingHeader {
  static constexpr std::uint64_t kMagic = 0x4350'4d43'5446'4557;  // "WEFTCMPC" in memory
  static constexpr std::uint32_t kVersion = 1;

  std::uint64_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t header_bytes = 0;
  std::uint32_t record_bytes = sizeof(CompletionRecord);
  std::uint32_t capacity = 0;
  SpscCounters counters;
  alignas(64) std::atomic<std::uint32_t> reader_sleeps{0};
  alignas(64) std::atomic<std::uint32_t> maker_waits_for_room{0};
};
static_assert(sizeof(CompletionRingHeader) == 320);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

class CompletionRing {
 public:
  // `capacity` is a power of two.
  static Result<CompletionRing> create(std::uint32_t capacity);
  // Maps the ring that another process made; the descriptor stays the caller's. What is no ring, or
  // another version's, is refused with EINVAL.
  static Result<CompletionRing> open(int fd);
  CompletionRing(CompletionRing&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        fd_(std::exchange(other.fd_, -1)) {}
  CompletionRing& operator=(CompletionRing&&) = delete;
  ~CompletionRing();

  CompletionRingHeader& header() const noexcept {
    return *static_cast<CompletionRingHeader*>(memory_);
  }
  CompletionRecord* records() const noexcept {
    return reinterpret_cast<CompletionRecord*>(static_cast<char*>(memory_) +
                                               sizeof(CompletionRingHeader));
  }
  std::uint32_t capacity() const noexcept { return header().capacity; }
  // To hand to another process; -1 when the ring is anonymous or was opened.
  int fd() const noexcept { return fd_; }

 private:
  CompletionRing(void* memory, std::size_t bytes, int fd) noexcept
      : memory_(memory), bytes_(bytes), fd_(fd) {}

  void* memory_;
  std::size_t bytes_;
  int fd_;
};

inline CompletionRecord CompletionRecord::from(const Completion& completion) noexcept {
  CompletionRecord record;
  record.corr_id = completion.corr_id;
  record.result = completion.result;
  record.flags = completion.more ? kMore : 0;
  if (completion.lease) {
    record.flags |= kLease;
    record.lease_data = reinterpret_cast<std::uintptr_t>(completion.lease.data);
    record.lease_size = completion.lease.size;
    record.lease_block = completion.lease.block;
    record.lease_generation = completion.lease.generation;
  }
  return record;
}

inline Completion CompletionRecord::completion() const noexcept {
  Completion back;
  back.corr_id = corr_id;
  back.result = static_cast<decltype(back.result)>(result);
  back.more = (flags & kMore) != 0;
  if ((flags & kLease) != 0) {
    back.lease = {reinterpret_cast<char*>(lease_data), lease_size, lease_block, lease_generation};
  }
  return back;
}

}  // namespace weft::ksvc
