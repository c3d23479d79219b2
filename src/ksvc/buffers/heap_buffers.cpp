#include "ksvc/buffers/heap_buffers.hpp"

#include "ksvc/buffers/detached.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

HeapBuffers::HeapBuffers(const BufferOptions& options)
    : store_(options.blocks, options.block_bytes) {
  WEFT_ASSERT(options.blocks < kDetachedBlock);
  slots_.reserve(options.blocks);
  free_slots_.reserve(options.blocks);
  for (std::uint16_t i = 0; i < options.blocks; ++i) slots_.push_back({store_.take(), 0});
  for (std::uint16_t i = options.blocks; i > 0; --i) {
    free_slots_.push_back(static_cast<std::uint16_t>(i - 1));
  }
}

BufferLease HeapBuffers::acquire() {
  if (free_slots_.empty()) return {};
  const std::uint16_t id = free_slots_.back();
  free_slots_.pop_back();
  return {slots_[id].data, 0, id, slots_[id].generation};
}

void HeapBuffers::release(BufferLease& lease) {
  if (lease.block == kDetachedBlock) {
    store_.give_back(lease.data);
  } else {
    Slot& slot = slots_[lease.block];
    WEFT_ASSERT(slot.generation == lease.generation);
    ++slot.generation;
    free_slots_.push_back(lease.block);
  }
  lease = {};
}

void HeapBuffers::detach(BufferLease& lease) {
  if (lease.block == kDetachedBlock) return;
  char* fresh = store_.take();
  BufferLease kept = lease;
  slots_[lease.block].data = fresh;
  release(lease);
  kept.block = kDetachedBlock;
  lease = kept;
}

}  // namespace weft::ksvc
