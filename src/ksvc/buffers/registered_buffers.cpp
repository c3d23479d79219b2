#include "ksvc/buffers/registered_buffers.hpp"

#include <sys/resource.h>
#include <sys/uio.h>

#include <algorithm>

namespace weft::ksvc {

namespace {

// The kernel's bound on one registered buffer.
constexpr std::size_t kMostBufferBytes = std::size_t{1} << 30;

constexpr std::uint32_t spare_blocks(std::uint16_t blocks) { return (blocks + 3U) / 4; }

}  // namespace

RegisteredBuffers::RegisteredBuffers(const BufferOptions& options)
    : table_(options.blocks, BlockLayout::paged(options.block_bytes),
             spare_blocks(options.blocks)) {
  WEFT_ASSERT(table_.block_bytes() <= kMostBufferBytes);
  free_.reserve(options.blocks);
  for (std::uint16_t i = options.blocks; i > 0; --i) {
    free_.push_back(static_cast<std::uint16_t>(i - 1));
  }
}

Result<void> RegisteredBuffers::attach(io_uring* ring) {
  const BlockStore::Slab& slab = table_.store().first_slab();
  // No block lies across the end of a buffer.
  const std::size_t buffer_bytes = kMostBufferBytes / table_.block_bytes() * table_.block_bytes();
  std::vector<iovec> buffers;
  for (std::size_t begin = 0; begin < slab.bytes; begin += buffer_bytes) {
    buffers.push_back({slab.base + begin, std::min(buffer_bytes, slab.bytes - begin)});
  }
  const int failed =
      io_uring_register_buffers(ring, buffers.data(), static_cast<unsigned>(buffers.size()));
  if (failed != 0) return Error::from_errno(-failed);
  region_ = {slab.base, slab.bytes, buffer_bytes};
  return {};
}

std::string RegisteredBuffers::explain(const Error& refused) const {
  std::string text = "pinning " + std::to_string(table_.store().first_slab().bytes / 1024) +
                     " KiB for registered buffers was refused: ";
  if (refused.os_errno != ENOMEM) return text + refused.message();
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return text + "there is no memory to lock";
  }
  return text + "the limit on locked memory (RLIMIT_MEMLOCK) is " +
         std::to_string(limit.rlim_cur / 1024) + " KiB for all of the user's processes";
}

}  // namespace weft::ksvc
