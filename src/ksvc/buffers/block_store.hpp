// BlockStore: the memory behind a buffer provider, in blocks of one size.
//
// Blocks are cut from mapped slabs at a stride of one cache line more than their size: receive
// buffers are mostly read at their start, and a power-of-two stride would put all those starts into
// the same few cache sets. Owner's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weft::ksvc {

class BlockStore {
 public:
  // Maps the first slab of `blocks` blocks. Throws std::bad_alloc when the system has no memory.
  BlockStore(std::uint32_t blocks, std::uint32_t block_bytes);
  ~BlockStore();
  BlockStore(const BlockStore&) = delete;
  BlockStore& operator=(const BlockStore&) = delete;

  // A free block, the last one given back first; grows by a slab when none is free.
  char* take();
  void give_back(char* block) noexcept { free_.push_back(block); }

  std::uint32_t block_bytes() const noexcept { return block_bytes_; }

 private:
  struct Slab {
    void* base;
    std::size_t bytes;
  };

  void add_slab(std::uint32_t blocks);

  std::uint32_t block_bytes_;
  std::size_t stride_;
  std::vector<Slab> slabs_;
  std::vector<char*> free_;
};

}  // namespace weft::ksvc
