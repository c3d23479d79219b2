#include "ksvc/buffers/provided_buffer_ring.hpp"

#include <sys/mman.h>

#include <bit>
#include <new>

#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

ProvidedBufferRing::ProvidedBufferRing(const BufferOptions& options)
    : table_(options.blocks, BlockLayout::scattered(options.block_bytes)) {
  WEFT_ASSERT(std::has_single_bit(options.blocks) && options.blocks <= 32768);
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
  registration.ring_entries = static_cast<std::uint32_t>(table_.size());
  registration.bgid = kGroup;
  const int failed = io_uring_register_buf_ring(ring, &registration, 0);
  if (failed != 0) return Error::from_errno(-failed);
  io_uring_buf_ring_init(ring_);
  for (std::size_t i = 0; i < table_.size(); ++i) restock(static_cast<std::uint16_t>(i));
  publish();
  return {};
}

}  // namespace weft::ksvc
