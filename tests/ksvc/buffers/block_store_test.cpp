#include "ksvc/buffers/block_store.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace weft::ksvc {
namespace {

TEST(BlockStore, blocks_do_not_overlap_and_lie_in_different_cache_sets) {
  constexpr std::uint32_t kBytes = 4096;
  BlockStore store(4, kBytes);
  char* const first = store.take();
  char* const second = store.take();
  EXPECT_GE(second - first, static_cast<std::ptrdiff_t>(kBytes));
  EXPECT_NE((second - first) % kBytes, 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second) % 64, 0U);
}

TEST(BlockStore, last_block_given_back_is_taken_first) {
  BlockStore store(4, 64);
  char* const first = store.take();
  char* const second = store.take();
  store.give_back(second);
  store.give_back(first);
  EXPECT_EQ(store.take(), first);
  EXPECT_EQ(store.take(), second);
}

TEST(BlockStore, grows_past_its_first_slab) {
  BlockStore store(2, 64);
  std::vector<char*> blocks;
  for (int i = 0; i < 600; ++i) {
    blocks.push_back(store.take());
    std::memset(blocks.back(), i & 0xFF, store.block_bytes());
  }
  for (int i = 0; i < 600; ++i) {
    EXPECT_EQ(static_cast<unsigned char>(blocks[static_cast<std::size_t>(i)][63]), i & 0xFF);
  }
  for (char* block : blocks) store.give_back(block);
}

}  // namespace
}  // namespace weft::ksvc
