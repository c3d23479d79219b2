// BlockTable: the numbered blocks of a buffer provider, and who has which; what all providers
// share.
//
// A number is lent under a generation, which moves on when the lease comes back: a stale or second
// release is a broken promise. Detaching puts fresh memory under the number and lets the old memory
// go its own way, under a generation that the store keeps for it. Which number is free, and who
// picks it, is the provider's business. Owner's thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "ksvc/buffers/block_store.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/core/buffer_provider.hpp"
#include "ksvc/core/poison.hpp"

namespace weft::ksvc {

// The block number of a lease that has left the numbered blocks, or never was one of them.
inline constexpr std::uint16_t kDetachedBlock = 0xFFFF;

class BlockTable {
 public:
  // The store begins with `spare` blocks more than are numbered.
  BlockTable(std::uint16_t blocks, const BlockLayout& layout, std::uint32_t spare = 0);

  // Lends a block that is free, which holds `size` bytes.
  BufferLease lend(std::uint16_t block, std::uint32_t size) noexcept {
    ++lent_;
    unpoison(blocks_[block].data, block_bytes());
    return {blocks_[block].data, size, block, blocks_[block].generation};
  }

  // Ends a lease. Returns the number that is free again, or kDetachedBlock.
  std::uint16_t take_back(BufferLease& lease) noexcept {
    const std::uint16_t number = lease.block;
    if (number == kDetachedBlock) {
      take_back_detached(lease);
    } else {
      end_lending(lease);
      poison(lease.data, block_bytes());
    }
    lease = {};
    return number;
  }

  // Lets the lease go its own way. Returns the number that is free again, on fresh memory, or
  // kDetachedBlock when the lease was detached before. Throws std::bad_alloc, changing nothing.
  std::uint16_t detach(BufferLease& lease);

  // A lease of memory that never had a number. Throws std::bad_alloc.
  BufferLease borrow();

  std::uint32_t block_bytes() const noexcept { return store_.block_bytes(); }
  std::size_t size() const noexcept { return blocks_.size(); }
  std::size_t lent() const noexcept { return lent_; }
  std::size_t available() const noexcept { return blocks_.size() - lent_; }
  // Leases that have left the numbered blocks, or never were among them, and are not back.
  std::size_t detached() const noexcept { return detached_; }
  char* data(std::uint16_t block) const noexcept { return blocks_[block].data; }
  const BlockStore& store() const noexcept { return store_; }

  // Puts memory of the store's first slab under a free number, when there is some to be had.
  void prefer_first_slab(std::uint16_t block) noexcept;

 private:
  struct Block {
    char* data;
    std::uint16_t generation;
  };

  void end_lending(const BufferLease& lease) noexcept {
    WEFT_ASSERT(lease.block < blocks_.size() && lent_ > 0);
    Block& block = blocks_[lease.block];
    WEFT_ASSERT(block.generation == lease.generation && block.data == lease.data);
    ++block.generation;
    --lent_;
  }
  void take_back_detached(const BufferLease& lease) noexcept;

  BlockStore store_;
  std::vector<Block> blocks_;
  std::size_t lent_ = 0;
  std::size_t detached_ = 0;
};

}  // namespace weft::ksvc
