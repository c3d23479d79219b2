// ReactorSlots: what a worker has in flight at a shared reactor, by slot.
//
// A slot stands for one operation from its submit to its final completion, under a generation that
// moves on each time: a completion for an operation that has ended is a broken promise. The slots
// are found by their number, which comes back with the completion, and, for a Cancel, by the id
// that the owner knows the operation by. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ksvc/core/operation.hpp"
#include "ksvc/reactor/request.hpp"

namespace weft::ksvc {

enum class SlotKind : std::uint8_t {
  unused,
  plain,
  accept,    // its results are descriptors
  send_now,  // may end without a completion, and is never waited for
};

class ReactorSlots {
 public:
  // The name of a slot that is taken for an operation. Throws std::bad_alloc.
  ReactorTag take(SlotKind kind, int fd, CorrelationId corr_id);
  // Where the slot's operation may lie until the slot is given back.
  SystemCall& call_of(const ReactorTag& tag);

  // The owner's id of what this completion is for; ends the slot when it is the final one.
  CorrelationId complete(const Completion& completion) noexcept;
  bool is_accept(CorrelationId id) const noexcept {
    return slots_[ReactorTag::of(id).slot].kind == SlotKind::accept;
  }
  // Ends a SendNow that had nothing to tell, unless it has ended.
  void end_if_there(const ReactorTag& tag) noexcept;

  // What the reactor knows the operation by that the owner calls `target`.
  CorrelationId find(int fd, CorrelationId target) const noexcept;

  std::size_t in_use() const noexcept { return in_use_; }
  // Calls cancel(fd, id) for all that a Cancel may end.
  template <class CancelOne>
  void visit_waiting(const CancelOne& cancel) const {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const Slot& slot = slots_[i];
      if (slot.kind != SlotKind::plain && slot.kind != SlotKind::accept) continue;
      cancel(slot.fd, tag_of(static_cast<std::uint32_t>(i)).id());
    }
  }
  void set_client(std::uint8_t client) noexcept { client_ = client; }

 private:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;

  struct Slot {
    CorrelationId corr_id = 0;
    std::uint32_t next = kNone;  // of its bucket, or of the unused ones
    std::uint32_t previous = kNone;
    int fd = -1;
    std::uint16_t generation = 1;
    SlotKind kind = SlotKind::unused;
    std::unique_ptr<SystemCall> call;
  };

  ReactorTag tag_of(std::uint32_t index) const noexcept {
    return {index, slots_[index].generation, client_, false};
  }
  std::uint32_t& bucket_of(CorrelationId corr_id) noexcept {
    return buckets_[(corr_id * 0x9E37'79B9'7F4A'7C15) >> shift_];
  }
  void grow();
  void put_into_bucket(std::uint32_t index) noexcept;
  void take_out_of_bucket(std::uint32_t index) noexcept;
  void end(std::uint32_t index) noexcept;

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> buckets_;
  unsigned shift_ = 0;
  std::uint32_t unused_ = kNone;
  std::size_t in_use_ = 0;
  std::uint8_t client_ = 0;
};

}  // namespace weft::ksvc
