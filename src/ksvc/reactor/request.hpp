// ReactorRequest: one thing that a worker asks of a reactor that it shares with others.
//
// A request is an operation of the back end's, or something about the connection between the two:
// a block that goes back, a worker that comes or goes. The tag says who asked, and which of his
// slots the results are for; the id that the reactor's back end gets is the tag as a number, which
// no other operation in flight has. Requests are copied from thread to thread and own nothing: what
// they point to is the worker's until the final completion.
#pragma once

#include <cstdint>
#include <type_traits>
#include <variant>

#include "ksvc/core/operation.hpp"

namespace weft::ksvc {

struct ReactorClient;

// The call lies with the worker's slot, so that every request fits into a line of the cache.
struct SystemCallAt {
  const SystemCall* call;
};
// A lease, as the reactor's provider made it, goes back or is to be kept for long.
struct ReleaseBlock {
  BufferLease lease;
};
struct DetachBlock {
  BufferLease lease;
};
// What became of a detached lease is known by where its memory is.
struct ReleaseDetached {
  char* data;
};
struct JoinReactor {
  ReactorClient* client;
};
struct LeaveReactor {};
struct StopReactor {};

using ReactorOperation =
    std::variant<Nop, Accept, Receive, ReceiveInto, Send, SendNow, SendZeroCopy, SendFile, Connect,
                 Shutdown, ReadAt, WriteAt, PollReadable, Cancel, Close, FutexWait, SystemCallAt,
                 ReleaseBlock, DetachBlock, ReleaseDetached, JoinReactor, LeaveReactor,
                 StopReactor>;

struct ReactorTag {
  static constexpr std::uint32_t kNoSlot = 0xFFFF'FFFF;

  std::uint32_t slot = kNoSlot;
  std::uint16_t generation = 0;
  std::uint8_t client = 0;
  bool linked = false;

  // Zero, nobody's, without a slot. Slots' generations are never zero, so the small numbers below
  // are no tag's.
  CorrelationId id() const noexcept {
    if (slot == kNoSlot) return 0;
    return CorrelationId{client} << 48 | CorrelationId{generation} << 32 | slot;
  }
  static ReactorTag of(CorrelationId id) noexcept {
    return {static_cast<std::uint32_t>(id), static_cast<std::uint16_t>(id >> 32),
            static_cast<std::uint8_t>(id >> 48), false};
  }
};

// Ids of the reactor's own: what wakes it, and what no operation has.
inline constexpr CorrelationId kReactorWakeId = 1;
inline constexpr CorrelationId kNoSuchOperation = 2;

struct ReactorRequest {
  ReactorOperation operation;
  TimePoint deadline = kNoDeadline;
  ReactorTag tag;
};
static_assert(std::is_trivially_copyable_v<ReactorRequest> && sizeof(ReactorRequest) <= 56);

}  // namespace weft::ksvc
