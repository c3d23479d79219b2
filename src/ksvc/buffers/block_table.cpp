#include "ksvc/buffers/block_table.hpp"

namespace weft::ksvc {

BlockTable::BlockTable(std::uint16_t blocks, const BlockLayout& layout, std::uint32_t spare)
    : store_(blocks + spare, layout) {
  WEFT_ASSERT(blocks < kDetachedBlock);
  blocks_.reserve(blocks);
  for (std::uint16_t i = 0; i < blocks; ++i) blocks_.push_back({store_.take(), 0});
}

std::uint16_t BlockTable::detach(BufferLease& lease) {
  const std::uint16_t number = lease.block;
  if (number == kDetachedBlock) return number;
  char* fresh = store_.take();
  end_lending(lease);
  blocks_[number].data = fresh;
  ++detached_;
  lease.block = kDetachedBlock;
  lease.generation = store_.generation(lease.data);
  return number;
}

BufferLease BlockTable::borrow() {
  char* data = store_.take();
  ++detached_;
  unpoison(data, block_bytes());
  return {data, 0, kDetachedBlock, store_.generation(data)};
}

void BlockTable::take_back_detached(const BufferLease& lease) noexcept {
  std::uint16_t& generation = store_.generation(lease.data);
  WEFT_ASSERT(generation == lease.generation);
  ++generation;
  --detached_;
  poison(lease.data, block_bytes());
  store_.give_back(lease.data);
}

void BlockTable::prefer_first_slab(std::uint16_t block) noexcept {
  char*& data = blocks_[block].data;
  if (store_.is_in_first_slab(data) || !store_.first_slab_has_free()) return;
  store_.give_back(data);
  data = store_.take();
}

}  // namespace weft::ksvc
