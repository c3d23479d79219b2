// HeapBuffers: receive blocks that user code hands out itself, for back ends that read by call.
//
// The last block given back is lent next, so a busy loop works in memory that is still in cache.
// At most `blocks` leases are out at a time, detached ones not counted.
#pragma once

#include <vector>

#include "ksvc/buffers/block_store.hpp"
#include "ksvc/core/buffer_provider.hpp"

namespace weft::ksvc {

class HeapBuffers {
 public:
  explicit HeapBuffers(const BufferOptions& options);

  // An empty lease when every block is lent.
  BufferLease acquire();
  void release(BufferLease& lease);
  void detach(BufferLease& lease);

  std::uint32_t block_bytes() const noexcept { return store_.block_bytes(); }
  std::size_t lent() const noexcept { return slots_.size() - free_slots_.size(); }
  static const char* name() noexcept { return "heap buffers"; }

 private:
  struct Slot {
    char* data;
    std::uint16_t generation;
  };

  BlockStore store_;
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> free_slots_;
};

static_assert(BufferProvider<HeapBuffers>);

}  // namespace weft::ksvc
