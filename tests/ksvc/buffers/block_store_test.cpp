#include "ksvc/buffers/block_store.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "ksvc/core/poison.hpp"

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
    unpoison(blocks.back(), store.block_bytes());
    std::memset(blocks.back(), i & 0xFF, store.block_bytes());
  }
  for (int i = 0; i < 600; ++i) {
    EXPECT_EQ(static_cast<unsigned char>(blocks[static_cast<std::size_t>(i)][63]), i & 0xFF);
  }
  for (char* block : blocks) store.give_back(block);
}

TEST(BlockStore, paged_blocks_are_whole_aligned_pages) {
  BlockStore store(4, BlockLayout::paged(5000));
  EXPECT_EQ(store.block_bytes(), 8192U);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(reinterpret_cast<std::uintptr_t>(store.take()) % 4096, 0U);
}

TEST(BlockStore, large_paged_slab_begins_at_a_huge_page) {
  BlockStore store(1024, BlockLayout::paged(4096));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(store.first_slab().base) % (2U << 20), 0U);
  EXPECT_EQ(store.first_slab().bytes, 1024U * 4096U);
}

TEST(BlockStore, blocks_of_the_first_slab_are_preferred) {
  BlockStore store(1, 64);
  char* const first = store.take();
  EXPECT_TRUE(store.is_in_first_slab(first));
  char* const second = store.take();
  EXPECT_FALSE(store.is_in_first_slab(second));
  store.give_back(first);
  store.give_back(second);
  EXPECT_TRUE(store.first_slab_has_free());
  EXPECT_EQ(store.take(), first);
  EXPECT_FALSE(store.first_slab_has_free());
}

TEST(BlockStore, each_block_keeps_its_own_generation_in_every_slab) {
  BlockStore store(2, 64);
  std::vector<char*> blocks;
  for (std::uint16_t i = 0; i < 1500; ++i) {
    blocks.push_back(store.take());
    store.generation(blocks.back()) = i;
  }
  for (std::uint16_t i = 0; i < 1500; ++i) EXPECT_EQ(store.generation(blocks[i]), i);
}

TEST(BlockStore, generation_of_what_is_no_block_stops_the_process) {
  BlockStore store(2, 64);
  char elsewhere[64];
  EXPECT_DEATH(store.generation(elsewhere), "broken promise");
  EXPECT_DEATH(store.generation(store.take() + 8), "broken promise");
}

}  // namespace
}  // namespace weft::ksvc
