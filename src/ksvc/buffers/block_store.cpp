#include "ksvc/buffers/block_store.hpp"

#include <sys/mman.h>

#include <new>

namespace weft::ksvc {

namespace {
constexpr std::size_t kCacheLine = 64;
constexpr std::uint32_t kGrowthBlocks = 256;
}  // namespace

BlockStore::BlockStore(std::uint32_t blocks, std::uint32_t block_bytes)
    : block_bytes_(block_bytes), stride_(block_bytes + kCacheLine) {
  add_slab(blocks);
}

BlockStore::~BlockStore() {
  for (const Slab& slab : slabs_) ::munmap(slab.base, slab.bytes);
}

char* BlockStore::take() {
  if (free_.empty()) add_slab(kGrowthBlocks);
  char* block = free_.back();
  free_.pop_back();
  return block;
}

void BlockStore::add_slab(std::uint32_t blocks) {
  const std::size_t bytes = blocks * stride_;
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  slabs_.push_back({base, bytes});
  // give_back() must never allocate: a block always has room to return to.
  free_.reserve(free_.capacity() + blocks);
  for (std::uint32_t i = blocks; i > 0; --i) {
    free_.push_back(static_cast<char*>(base) + (i - 1) * stride_);
  }
}

}  // namespace weft::ksvc
