#include "ksvc/buffers/block_store.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "ksvc/core/assert.hpp"
#include "ksvc/core/poison.hpp"

namespace weft::ksvc {

namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::uint32_t kLeastGrowthBlocks = 256;
// Slabs double so that there are few of them to look through, up to this size.
constexpr std::uint32_t kMostGrowthBlocks = 16384;

constexpr std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

BlockLayout BlockLayout::scattered(std::uint32_t block_bytes) noexcept {
  return {block_bytes, round_up(block_bytes, kCacheLine) + kCacheLine, false};
}

BlockLayout BlockLayout::paged(std::uint32_t block_bytes) noexcept {
  const std::size_t stride = round_up(block_bytes, kPage);
  return {static_cast<std::uint32_t>(stride), stride, true};
}

BlockStore::BlockStore(std::uint32_t blocks, const BlockLayout& layout) : layout_(layout) {
  add_slab(blocks, free_in_first_);
  first_base_ = slabs_.front().base;
  first_bytes_ = slabs_.front().bytes;
}

BlockStore::~BlockStore() {
  for (const Slab& slab : slabs_) {
    unpoison(slab.base, slab.bytes);
    ::munmap(slab.mapping, slab.mapping_bytes);
  }
}

char* BlockStore::take() {
  if (free_in_first_.empty() && free_elsewhere_.empty()) {
    const std::size_t as_many = std::max<std::size_t>(blocks_elsewhere_, kLeastGrowthBlocks);
    const auto blocks =
        static_cast<std::uint32_t>(std::min<std::size_t>(as_many, kMostGrowthBlocks));
    add_slab(blocks, free_elsewhere_);
    blocks_elsewhere_ += blocks;
  }
  std::vector<char*>& free = free_in_first_.empty() ? free_elsewhere_ : free_in_first_;
  char* block = free.back();
  free.pop_back();
  return block;
}

void BlockStore::give_back(char* block) noexcept {
  (is_in_first_slab(block) ? free_in_first_ : free_elsewhere_).push_back(block);
}

std::uint16_t& BlockStore::generation(const char* block) noexcept {
  for (Slab& slab : slabs_) {
    const auto offset = static_cast<std::size_t>(block - slab.base);
    if (offset >= slab.bytes) continue;
    WEFT_ASSERT(offset % layout_.stride == 0);
    return slab.generations[offset / layout_.stride];
  }
  assertion_failed("a block goes back to the store it came from", __FILE__, __LINE__);
}

void BlockStore::add_slab(std::uint32_t blocks, std::vector<char*>& free) {
  Slab slab{};
  slab.bytes = blocks * layout_.stride;
  const bool huge = layout_.huge_pages && slab.bytes >= kHugePage;
  slab.mapping_bytes = huge ? slab.bytes + kHugePage : slab.bytes;
  slab.generations.resize(blocks);
  // give_back() must never allocate: a block always has room to return to.
  free.reserve(free.capacity() + blocks);
  slabs_.reserve(slabs_.size() + 1);

  slab.mapping = ::mmap(nullptr, slab.mapping_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (slab.mapping == MAP_FAILED) throw std::bad_alloc();
  slab.base = static_cast<char*>(slab.mapping);
  if (huge) {
    const auto address = reinterpret_cast<std::uintptr_t>(slab.mapping);
    slab.base += round_up(address, kHugePage) - address;
    // Only advice: fewer pages to pin and to look up.
    (void)::madvise(slab.base, slab.bytes, MADV_HUGEPAGE);
  }
  poison(slab.base, slab.bytes);
  for (std::uint32_t i = blocks; i > 0; --i) {
    free.push_back(slab.base + (i - 1) * layout_.stride);
  }
  slabs_.push_back(std::move(slab));
}

}  // namespace weft::ksvc
