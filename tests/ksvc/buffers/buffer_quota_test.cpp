#include "ksvc/buffers/buffer_quota.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "ksvc/buffers/heap_buffers.hpp"

namespace weft::ksvc {
namespace {

TEST(BufferQuota, takes_up_to_its_limit_and_no_more) {
  BufferQuota quota(2);
  EXPECT_TRUE(quota.take());
  EXPECT_FALSE(quota.is_spent());
  EXPECT_TRUE(quota.take());
  EXPECT_TRUE(quota.is_spent());
  EXPECT_FALSE(quota.take());
  EXPECT_EQ(quota.held(), 2U) << "what was refused must not be counted";
  quota.give_back();
  EXPECT_TRUE(quota.take());
}

TEST(BufferQuota, limit_of_zero_gives_nothing) {
  BufferQuota quota(0);
  EXPECT_TRUE(quota.is_spent());
  EXPECT_FALSE(quota.take());
}

TEST(BufferQuota, giving_back_what_is_not_held_stops_the_process) {
  BufferQuota quota(1);
  EXPECT_DEATH(quota.give_back(), "broken promise");
}

TEST(BufferQuota, greedy_owner_leaves_blocks_for_another) {
  HeapBuffers provider({.blocks = 8, .block_bytes = 64});
  BufferQuota greedy(6);
  std::vector<BufferLease> kept;
  for (int i = 0; i < 20; ++i) {
    BufferLease lease = provider.acquire();
    ASSERT_TRUE(lease) << "the greedy owner took them all";
    if (greedy.take()) {
      kept.push_back(lease);
    } else {
      provider.release(lease);
    }
  }
  EXPECT_EQ(kept.size(), 6U);
  EXPECT_EQ(provider.available(), 2U);
  for (BufferLease& lease : kept) {
    provider.release(lease);
    greedy.give_back();
  }
  EXPECT_EQ(greedy.held(), 0U);
}

}  // namespace
}  // namespace weft::ksvc
