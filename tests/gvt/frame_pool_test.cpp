// FramePool: what is taken, given back and taken again.

#include "gvt/frame_pool.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace weft::gvt {

TEST(FramePool, what_was_given_back_last_is_taken_first) {
  if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers are shown every block";
  FramePool pool;
  void* const one = pool.take(300);
  void* const two = pool.take(300);
  EXPECT_NE(one, two);
  pool.give_back(one, 300);
  pool.give_back(two, 300);
  EXPECT_EQ(pool.take(300), two);
  EXPECT_EQ(pool.take(300), one);
  pool.give_back(one, 300);
  pool.give_back(two, 300);
}

TEST(FramePool, sizes_that_are_nearly_the_same_share_blocks_that_hold_each) {
  if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers are shown every block";
  FramePool pool;
  void* const small = pool.take(257);
  pool.give_back(small, 257);
  void* const larger = pool.take(384);
  EXPECT_EQ(larger, small);
  std::memset(larger, 'x', 384);
  void* const next_size = pool.take(385);
  EXPECT_NE(next_size, larger);
  pool.give_back(larger, 384);
  pool.give_back(next_size, 385);
}

TEST(FramePool, any_size_can_be_had_and_a_block_may_go_back_to_another_pool) {
  FramePool pool;
  FramePool other;
  for (const std::size_t bytes : {1, 128, 8'191, 8'192, 8'193, 100'000, 16'000'000}) {
    void* const block = pool.take(bytes);
    std::memset(block, 'x', bytes);
    other.give_back(block, bytes);
  }
}

}  // namespace weft::gvt
