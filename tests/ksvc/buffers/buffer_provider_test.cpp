// The contract of BufferProvider, asked of every implementation.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "ksvc/buffers/heap_buffers.hpp"
#include "ksvc/buffers/provided_buffer_ring.hpp"

namespace weft::ksvc {
namespace {

constexpr std::uint16_t kBlocks = 8;
constexpr BufferOptions kOptions{.blocks = kBlocks, .block_bytes = 128};

struct HeapHarness {
  std::string refusal() const { return {}; }
  BufferLease lend() { return provider.acquire(); }
  void release(BufferLease& lease) { provider.release(lease); }
  void detach(BufferLease& lease) { provider.detach(lease); }

  HeapBuffers provider{kOptions};
};

// Plays the kernel's part, which is to pick a block that is free and say so.
struct RingHarness {
  RingHarness() {
    made = ::io_uring_queue_init(4, &ring, 0) == 0;
    if (!made) return;
    const auto attached = provider.attach(&ring);
    if (!attached) why = attached.error().message();
  }
  ~RingHarness() {
    if (made) ::io_uring_queue_exit(&ring);
  }

  std::string refusal() const { return made ? why : "io_uring is refused here"; }
  BufferLease lend() {
    for (std::uint16_t block = 0; block < kBlocks; ++block) {
      if (std::exchange(lent[block], true)) continue;
      return provider.adopt(block, 0);
    }
    return {};
  }
  void release(BufferLease& lease) {
    if (lease.block < kBlocks) lent[lease.block] = false;
    provider.release(lease);
    provider.publish();
  }
  void detach(BufferLease& lease) {
    if (lease.block < kBlocks) lent[lease.block] = false;
    provider.detach(lease);
    provider.publish();
  }

  io_uring ring{};
  bool made = false;
  std::string why;
  std::array<bool, kBlocks> lent{};
  ProvidedBufferRing provider{kOptions};
};

template <class Harness>
class BufferProviderTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!harness.refusal().empty()) GTEST_SKIP() << harness.refusal();
  }

  Harness harness;
};

struct ProviderNames {
  template <class Harness>
  static std::string GetName(int) {
    return std::is_same_v<Harness, HeapHarness> ? "heap_buffers" : "provided_buffer_ring";
  }
};

using EveryProvider = testing::Types<HeapHarness, RingHarness>;
TYPED_TEST_SUITE(BufferProviderTest, EveryProvider, ProviderNames);

TYPED_TEST(BufferProviderTest, lends_each_block_once_and_then_none) {
  std::set<char*> places;
  for (int i = 0; i < kBlocks; ++i) {
    const BufferLease lease = this->harness.lend();
    ASSERT_TRUE(lease);
    std::memset(lease.data, 0x5A, this->harness.provider.block_bytes());
    places.insert(lease.data);
  }
  EXPECT_EQ(places.size(), kBlocks);
  EXPECT_EQ(this->harness.provider.lent(), kBlocks);
  EXPECT_FALSE(this->harness.lend());
}

TYPED_TEST(BufferProviderTest, released_block_is_lent_again_under_a_new_generation) {
  BufferLease first = this->harness.lend();
  const BufferLease before = first;
  this->harness.release(first);
  EXPECT_FALSE(first) << "a lease that was given back is empty";
  EXPECT_EQ(this->harness.provider.lent(), 0U);
  const BufferLease second = this->harness.lend();
  EXPECT_EQ(second.block, before.block);
  EXPECT_EQ(second.data, before.data);
  EXPECT_NE(second.generation, before.generation);
}

TYPED_TEST(BufferProviderTest, second_release_of_one_lease_stops_the_process) {
  BufferLease lease = this->harness.lend();
  BufferLease copy = lease;
  this->harness.release(lease);
  EXPECT_DEATH(this->harness.release(copy), "broken promise");
}

TYPED_TEST(BufferProviderTest, stale_lease_of_a_block_that_is_lent_again_stops_the_process) {
  BufferLease lease = this->harness.lend();
  BufferLease stale = lease;
  this->harness.release(lease);
  const BufferLease again = this->harness.lend();
  ASSERT_EQ(again.block, stale.block);
  EXPECT_DEATH(this->harness.release(stale), "broken promise");
}

TYPED_TEST(BufferProviderTest, detached_lease_keeps_its_bytes_and_counts_no_more) {
  BufferLease lease = this->harness.lend();
  lease.size = 5;
  std::memcpy(lease.data, "hello", 5);
  char* const place = lease.data;
  this->harness.detach(lease);
  EXPECT_EQ(lease.data, place);
  EXPECT_EQ(lease.size, 5U);
  EXPECT_EQ(this->harness.provider.lent(), 0U);
  for (int i = 0; i < kBlocks; ++i) {
    const BufferLease other = this->harness.lend();
    ASSERT_TRUE(other) << "the provider stocked no block in place of the detached one";
    EXPECT_NE(other.data, place);
    std::memset(other.data, 0, this->harness.provider.block_bytes());
  }
  EXPECT_EQ(std::string(lease.data, lease.size), "hello");
  this->harness.release(lease);
  EXPECT_FALSE(lease);
}

TYPED_TEST(BufferProviderTest, detaching_twice_is_detaching_once) {
  BufferLease lease = this->harness.lend();
  this->harness.detach(lease);
  char* const place = lease.data;
  this->harness.detach(lease);
  EXPECT_EQ(lease.data, place);
  this->harness.release(lease);
  EXPECT_EQ(this->harness.provider.lent(), 0U);
}

TYPED_TEST(BufferProviderTest, many_detached_blocks_are_all_distinct) {
  std::vector<BufferLease> kept;
  std::set<char*> places;
  for (int i = 0; i < 1000; ++i) {
    BufferLease lease = this->harness.lend();
    ASSERT_TRUE(lease);
    this->harness.detach(lease);
    places.insert(lease.data);
    kept.push_back(lease);
  }
  EXPECT_EQ(places.size(), kept.size());
  for (BufferLease& lease : kept) this->harness.release(lease);
}

TYPED_TEST(BufferProviderTest, lending_for_ever_survives_the_wrap_of_the_generation) {
  for (int i = 0; i < 70'000; ++i) {
    BufferLease lease = this->harness.lend();
    ASSERT_TRUE(lease);
    this->harness.release(lease);
  }
  EXPECT_EQ(this->harness.provider.lent(), 0U);
}

}  // namespace
}  // namespace weft::ksvc
