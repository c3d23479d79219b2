// BlockStore: the memory behind a buffer provider, in blocks of one size.
//
// Blocks are cut from mapped slabs, a first one and, as they run out, others that double in size.
// Blocks of the first slab are preferred, and among them the last one given back. Memory that is in
// the store, and all that lies between blocks, is poisoned; the owner unpoisons what it lends.
// Each block has a generation, which its owner advances when it takes back what it lent. Owner's
// thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weft::ksvc {

struct BlockLayout {
  // Receive buffers are mostly read at their start, and a power-of-two stride would put all those
  // starts into the same few cache sets: so blocks are a cache line further apart than their size.
  static BlockLayout scattered(std::uint32_t block_bytes) noexcept;
  // Page after page without gaps, as direct reads of files and pinned memory want it.
  static BlockLayout paged(std::uint32_t block_bytes) noexcept;

  std::uint32_t block_bytes;
  std::size_t stride;
  bool huge_pages;  // asks for them, and begins at one, when a slab is large enough
};

class BlockStore {
 public:
  struct Slab {
    char* base;  // of the first block
    std::size_t bytes;
    void* mapping;
    std::size_t mapping_bytes;
    std::vector<std::uint16_t> generations;
  };

  // Maps the first slab of `blocks` blocks. Throws std::bad_alloc when the system has no memory.
  BlockStore(std::uint32_t blocks, const BlockLayout& layout);
  BlockStore(std::uint32_t blocks, std::uint32_t block_bytes)
      : BlockStore(blocks, BlockLayout::scattered(block_bytes)) {}
  ~BlockStore();
  BlockStore(const BlockStore&) = delete;
  BlockStore& operator=(const BlockStore&) = delete;

  // A free block; grows by a slab when none is free. Throws std::bad_alloc.
  char* take();
  void give_back(char* block) noexcept;
  // The generation of a block, which must be the start of one of this store's.
  std::uint16_t& generation(const char* block) noexcept;

  std::uint32_t block_bytes() const noexcept { return layout_.block_bytes; }
  const Slab& first_slab() const noexcept { return slabs_.front(); }
  bool is_in_first_slab(const void* memory) const noexcept {
    return static_cast<std::size_t>(static_cast<const char*>(memory) - first_base_) < first_bytes_;
  }
  bool first_slab_has_free() const noexcept { return !free_in_first_.empty(); }

 private:
  void add_slab(std::uint32_t blocks, std::vector<char*>& free);

  BlockLayout layout_;
  std::vector<Slab> slabs_;
  const char* first_base_ = nullptr;
  std::size_t first_bytes_ = 0;
  std::vector<char*> free_in_first_;
  std::vector<char*> free_elsewhere_;
  std::size_t blocks_elsewhere_ = 0;
};

}  // namespace weft::ksvc
