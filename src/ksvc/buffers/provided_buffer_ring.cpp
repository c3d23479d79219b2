#include "ksvc/buffers/provided_buffer_ring.hpp"

#include <sys/mman.h>

#include <bit>
#include <new>

#include "ksvc/buffers/detached.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

ProvidedBufferRing::ProvidedBufferRing(const BufferOptions& options)
    : store_(options.blocks, options.block_bytes) {
  WEFT_ASSERT(std::has_single_bit(options.blocks) && options.blocks <= 32768);
  blocks_.reserve(options.blocks);
  for (std::uint32_t i = 0; i < options.blocks; ++i) blocks_.push_back({store_.take(), 0});
  ring_bytes_ = options.blocks * sizeof(io_uring_buf);
  void* ring =
      ::mmap(nullptr, ring_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (ring == MAP_FAILED) throw std::bad_alloc();
  ring_ = static_cast<io_uring_buf_ring*>(ring);
}

ProvidedBufferRing::~ProvidedBufferRing() { ::munmap(ring_, ring_bytes_); }

Result<void> ProvidedBufferRing::attach(io_uring* ring) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
  registration.ring_entries = static_cast<std::uint32_t>(blocks_.size());
  registration.bgid = kGroup;
  const int failed = io_uring_register_buf_ring(ring, &registration, 0);
  if (failed != 0) return Error::from_errno(-failed);
  io_uring_buf_ring_init(ring_);
  for (std::size_t i = 0; i < blocks_.size(); ++i) stock(static_cast<std::uint16_t>(i));
  publish();
  return {};
}

void ProvidedBufferRing::stock(std::uint16_t block) noexcept {
  io_uring_buf_ring_add(ring_, blocks_[block].data, store_.block_bytes(), block,
                        static_cast<int>(blocks_.size() - 1), static_cast<int>(unpublished_));
  ++unpublished_;
}

void ProvidedBufferRing::release(BufferLease& lease) {
  if (lease.block == kDetachedBlock) {
    store_.give_back(lease.data);
  } else {
    Block& block = blocks_[lease.block];
    WEFT_ASSERT(block.generation == lease.generation && lent_ > 0);
    ++block.generation;
    --lent_;
    stock(lease.block);
  }
  lease = {};
}

void ProvidedBufferRing::detach(BufferLease& lease) {
  if (lease.block == kDetachedBlock) return;
  char* fresh = store_.take();
  BufferLease kept = lease;
  blocks_[lease.block].data = fresh;
  release(lease);
  kept.block = kDetachedBlock;
  lease = kept;
}

}  // namespace weft::ksvc
