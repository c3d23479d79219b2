// HeapBuffers: receive blocks that user code hands out itself, for back ends that read by call.
//
// The last block given back is lent next, so a busy loop works in memory that is still in cache.
// At most `blocks` leases are out at a time, detached ones not counted.
#pragma once

#include <vector>

#include "ksvc/buffers/block_table.hpp"
#include "ksvc/core/buffer_provider.hpp"

namespace weft::ksvc {

class HeapBuffers {
 public:
  explicit HeapBuffers(const BufferOptions& options);

  // An empty lease when every block is lent.
  BufferLease acquire() noexcept {
    if (free_.empty()) return {};
    const std::uint16_t block = free_.back();
    free_.pop_back();
    return table_.lend(block, 0);
  }
  void release(BufferLease& lease) noexcept { put_back(table_.take_back(lease)); }
  void detach(BufferLease& lease) { put_back(table_.detach(lease)); }
  BufferLease borrow() { return table_.borrow(); }

  std::uint32_t block_bytes() const noexcept { return table_.block_bytes(); }
  std::size_t lent() const noexcept { return table_.lent(); }
  std::size_t available() const noexcept { return table_.available(); }
  std::size_t detached() const noexcept { return table_.detached(); }
  static const char* name() noexcept { return "heap buffers"; }

 private:
  // Never allocates: there is room for every number.
  void put_back(std::uint16_t block) noexcept {
    if (block != kDetachedBlock) free_.push_back(block);
  }

  BlockTable table_;
  std::vector<std::uint16_t> free_;
};

static_assert(BufferProvider<HeapBuffers>);

}  // namespace weft::ksvc
