#include "ksvc/reactor/reactor_slots.hpp"

#include <algorithm>
#include <bit>

#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

ReactorTag ReactorSlots::take(SlotKind kind, int fd, CorrelationId corr_id) {
  if (unused_ == kNone) [[unlikely]]
    grow();
  const std::uint32_t index = unused_;
  Slot& slot = slots_[index];
  unused_ = slot.next;
  slot.kind = kind;
  slot.fd = fd;
  slot.corr_id = corr_id;
  ++in_use_;
  if (kind != SlotKind::send_now) put_into_bucket(index);
  return tag_of(index);
}

SystemCall& ReactorSlots::call_of(const ReactorTag& tag) {
  std::unique_ptr<SystemCall>& call = slots_[tag.slot].call;
  if (call == nullptr) call = std::make_unique<SystemCall>();
  return *call;
}

CorrelationId ReactorSlots::complete(const Completion& completion) noexcept {
  const ReactorTag tag = ReactorTag::of(completion.corr_id);
  WEFT_ASSERT(tag.slot < slots_.size());
  const Slot& slot = slots_[tag.slot];
  WEFT_ASSERT(slot.kind != SlotKind::unused && slot.generation == tag.generation);
  const CorrelationId corr_id = slot.corr_id;
  if (!completion.more) end(tag.slot);
  return corr_id;
}

void ReactorSlots::end_if_there(const ReactorTag& tag) noexcept {
  const Slot& slot = slots_[tag.slot];
  if (slot.kind == SlotKind::send_now && slot.generation == tag.generation) end(tag.slot);
}

CorrelationId ReactorSlots::find(int fd, CorrelationId target) const noexcept {
  if (buckets_.empty()) return kNoSuchOperation;
  std::uint32_t index = const_cast<ReactorSlots*>(this)->bucket_of(target);
  for (; index != kNone; index = slots_[index].next) {
    const Slot& slot = slots_[index];
    if (slot.corr_id == target && (slot.fd == fd || slot.fd < 0)) return tag_of(index).id();
  }
  return kNoSuchOperation;
}

void ReactorSlots::grow() {
  constexpr std::size_t kFewest = 64;
  const std::size_t before = slots_.size();
  const std::size_t count = std::max(kFewest, 2 * before);
  std::vector<std::uint32_t> buckets(2 * count, kNone);
  slots_.resize(count);
  buckets_.swap(buckets);
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(buckets_.size()));
  for (std::size_t i = 0; i < before; ++i) {
    const SlotKind kind = slots_[i].kind;
    if (kind == SlotKind::plain || kind == SlotKind::accept) {
      put_into_bucket(static_cast<std::uint32_t>(i));
    }
  }
  for (std::size_t i = count; i > before; --i) {
    slots_[i - 1].next = unused_;
    unused_ = static_cast<std::uint32_t>(i - 1);
  }
}

void ReactorSlots::put_into_bucket(std::uint32_t index) noexcept {
  Slot& slot = slots_[index];
  std::uint32_t& first = bucket_of(slot.corr_id);
  slot.previous = kNone;
  slot.next = first;
  if (first != kNone) slots_[first].previous = index;
  first = index;
}

void ReactorSlots::take_out_of_bucket(std::uint32_t index) noexcept {
  const Slot& slot = slots_[index];
  if (slot.previous != kNone) {
    slots_[slot.previous].next = slot.next;
  } else {
    bucket_of(slot.corr_id) = slot.next;
  }
  if (slot.next != kNone) slots_[slot.next].previous = slot.previous;
}

void ReactorSlots::end(std::uint32_t index) noexcept {
  Slot& slot = slots_[index];
  if (slot.kind != SlotKind::send_now) take_out_of_bucket(index);
  slot.kind = SlotKind::unused;
  // Zero would make ids of small numbers, which are the reactor's own.
  if (++slot.generation == 0) slot.generation = 1;
  slot.next = unused_;
  unused_ = index;
  --in_use_;
}

}  // namespace weft::ksvc
