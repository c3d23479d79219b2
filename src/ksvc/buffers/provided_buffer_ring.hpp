// ProvidedBufferRing: receive blocks lent to the kernel through a mapped ring, which picks one only
// when data is there.
//
// Blocks given back are published in batches, by publish(), just before the kernel is entered. An
// empty ring makes a receive end with -ENOBUFS at once; detach() restocks, so a lease that is kept
// for long never empties it.
#pragma once

#include <liburing.h>

#include "ksvc/buffers/block_table.hpp"
#include "ksvc/core/buffer_provider.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

class ProvidedBufferRing {
 public:
  static constexpr std::uint16_t kGroup = 0;

  explicit ProvidedBufferRing(const BufferOptions& options);
  ~ProvidedBufferRing();
  ProvidedBufferRing(const ProvidedBufferRing&) = delete;
  ProvidedBufferRing& operator=(const ProvidedBufferRing&) = delete;

  // Registers the ring with the kernel and fills it.
  Result<void> attach(io_uring* ring);

  // The lease of the block that the kernel picked and filled with `size` bytes.
  BufferLease adopt(std::uint16_t block, std::uint32_t size) noexcept {
    return table_.lend(block, size);
  }
  void release(BufferLease& lease) noexcept { restock(table_.take_back(lease)); }
  void detach(BufferLease& lease) { restock(table_.detach(lease)); }
  BufferLease borrow() { return table_.borrow(); }
  // Shows the kernel the blocks released since the last call.
  void publish() noexcept {
    if (unpublished_ == 0) return;
    io_uring_buf_ring_advance(ring_, static_cast<int>(unpublished_));
    unpublished_ = 0;
  }

  std::uint32_t block_bytes() const noexcept { return table_.block_bytes(); }
  std::size_t lent() const noexcept { return table_.lent(); }
  // Those the kernel has, those it is shown next, and those it has filled but not told of yet.
  std::size_t available() const noexcept { return table_.available(); }
  static const char* name() noexcept { return "provided buffer ring"; }

 private:
  void restock(std::uint16_t block) noexcept {
    if (block == kDetachedBlock) return;
    io_uring_buf_ring_add(ring_, table_.data(block), table_.block_bytes(), block,
                          static_cast<int>(table_.size() - 1), static_cast<int>(unpublished_));
    ++unpublished_;
  }

  BlockTable table_;
  io_uring_buf_ring* ring_ = nullptr;
  std::size_t ring_bytes_ = 0;
  std::uint32_t unpublished_ = 0;
};

static_assert(BufferProvider<ProvidedBufferRing>);
// In C++ the kernel's own header puts it elsewhere: the one that comes with liburing must be first.
static_assert(offsetof(io_uring_buf_ring, bufs) == 0);

}  // namespace weft::ksvc
