// The contract of BufferProvider, asked of every implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ksvc/buffers/heap_buffers.hpp"
#include "ksvc/buffers/provided_buffer_ring.hpp"
#include "ksvc/buffers/registered_buffers.hpp"
#include "ksvc/core/poison.hpp"
#include "ksvc/sim/sim_buffers.hpp"

namespace weft::ksvc {
namespace {

constexpr std::uint16_t kBlocks = 8;
constexpr BufferOptions kOptions{.blocks = kBlocks, .block_bytes = 128};

// A provider that hands out its blocks itself.
template <class Provider>
struct OwnHarness {
  std::string refusal() const { return {}; }
  BufferLease lend() { return provider.acquire(); }
  void release(BufferLease& lease) { provider.release(lease); }
  void detach(BufferLease& lease) { provider.detach(lease); }

  Provider provider{kOptions};
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
    std::string name = decltype(Harness::provider)::name();
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
  }
};

using EveryProvider = testing::Types<OwnHarness<HeapBuffers>, OwnHarness<RegisteredBuffers>,
                                     OwnHarness<SimBuffers>, RingHarness>;
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

TYPED_TEST(BufferProviderTest, available_blocks_are_those_not_lent) {
  auto& provider = this->harness.provider;
  EXPECT_EQ(provider.available(), kBlocks);
  std::vector<BufferLease> leases;
  for (std::size_t i = 1; i <= kBlocks; ++i) {
    leases.push_back(this->harness.lend());
    EXPECT_EQ(provider.available(), kBlocks - i);
  }
  this->harness.release(leases[3]);
  EXPECT_EQ(provider.available(), 1U) << "an owner that got -ENOBUFS may try again";
  EXPECT_TRUE(this->harness.lend());
  this->harness.detach(leases[5]);
  EXPECT_EQ(provider.available(), 1U) << "a detached block was not replaced";
}

TYPED_TEST(BufferProviderTest, memory_can_be_borrowed_when_every_block_is_lent) {
  auto& provider = this->harness.provider;
  std::set<char*> places;
  for (int i = 0; i < kBlocks; ++i) places.insert(this->harness.lend().data);
  ASSERT_FALSE(this->harness.lend());
  std::vector<BufferLease> borrowed;
  for (int i = 0; i < 300; ++i) {
    borrowed.push_back(provider.borrow());
    ASSERT_TRUE(borrowed.back());
    EXPECT_EQ(borrowed.back().size, 0U);
    std::memset(borrowed.back().data, i & 0xFF, provider.block_bytes());
    places.insert(borrowed.back().data);
  }
  EXPECT_EQ(places.size(), kBlocks + borrowed.size());
  EXPECT_EQ(provider.lent(), kBlocks) << "a borrowed block has no number";
  EXPECT_EQ(provider.available(), 0U);
  for (std::size_t i = 0; i < borrowed.size(); ++i) {
    EXPECT_EQ(static_cast<unsigned char>(borrowed[i].data[provider.block_bytes() - 1]), i & 0xFF);
    this->harness.release(borrowed[i]);
    EXPECT_FALSE(borrowed[i]);
  }
  EXPECT_EQ(provider.lent(), kBlocks);
}

TYPED_TEST(BufferProviderTest, borrowed_memory_that_came_back_is_borrowed_again) {
  BufferLease first = this->harness.provider.borrow();
  char* const place = first.data;
  this->harness.release(first);
  EXPECT_EQ(this->harness.provider.borrow().data, place);
}

TYPED_TEST(BufferProviderTest, detaching_borrowed_memory_changes_nothing) {
  BufferLease lease = this->harness.provider.borrow();
  const BufferLease before = lease;
  this->harness.detach(lease);
  EXPECT_EQ(lease.data, before.data);
  EXPECT_EQ(lease.generation, before.generation);
  this->harness.release(lease);
  EXPECT_EQ(this->harness.provider.available(), kBlocks);
}

TYPED_TEST(BufferProviderTest, second_release_of_a_detached_lease_stops_the_process) {
  BufferLease lease = this->harness.lend();
  this->harness.detach(lease);
  BufferLease copy = lease;
  this->harness.release(lease);
  EXPECT_DEATH(this->harness.release(copy), "broken promise");
}

TYPED_TEST(BufferProviderTest, second_release_of_a_borrowed_lease_stops_the_process) {
  BufferLease lease = this->harness.provider.borrow();
  BufferLease copy = lease;
  this->harness.release(lease);
  BufferLease again = this->harness.provider.borrow();
  ASSERT_EQ(again.data, copy.data);
  EXPECT_DEATH(this->harness.release(copy), "broken promise");
}

TYPED_TEST(BufferProviderTest, copy_made_before_detaching_is_stale) {
  BufferLease lease = this->harness.lend();
  BufferLease copy = lease;
  this->harness.detach(lease);
  EXPECT_DEATH(this->harness.release(copy), "broken promise");
  EXPECT_DEATH(this->harness.detach(copy), "broken promise");
}

TYPED_TEST(BufferProviderTest, lease_of_another_provider_stops_the_process) {
  HeapBuffers other(kOptions);
  BufferLease borrowed = other.borrow();
  EXPECT_DEATH(this->harness.release(borrowed), "broken promise");
  (void)this->harness.lend();
  BufferLease lent = other.acquire();
  EXPECT_DEATH(this->harness.provider.release(lent), "broken promise");
}

TYPED_TEST(BufferProviderTest, empty_lease_stops_the_process) {
  (void)this->harness.lend();
  BufferLease empty;
  EXPECT_DEATH(this->harness.provider.release(empty), "broken promise");
}

// Read by the compiler's own code, which the sanitizer checks, not by a call.
char read_first(const BufferLease& lease) { return *static_cast<const volatile char*>(lease.data); }

TYPED_TEST(BufferProviderTest, memory_is_touchable_only_while_it_is_lent) {
  if (!kPoisonsMemory) GTEST_SKIP() << "only AddressSanitizer sees it";
  BufferLease lease = this->harness.lend();
  BufferLease detached = this->harness.lend();
  BufferLease borrowed = this->harness.provider.borrow();
  this->harness.detach(detached);
  std::array<BufferLease, 3> leases{lease, detached, borrowed};
  for (BufferLease& each : leases) {
    std::memset(each.data, 1, this->harness.provider.block_bytes());
    const BufferLease after = each;
    this->harness.release(each);
    EXPECT_DEATH(read_first(after), "use-after-poison");
  }
}

TYPED_TEST(BufferProviderTest, memory_that_was_poisoned_is_usable_when_it_is_lent_again) {
  for (int i = 0; i < 3 * kBlocks; ++i) {
    BufferLease lease = this->harness.lend();
    ASSERT_TRUE(lease);
    std::memset(lease.data, i, this->harness.provider.block_bytes());
    if (i % 2 == 0) this->harness.detach(lease);
    EXPECT_EQ(read_first(lease), i);
    this->harness.release(lease);
  }
}

TEST(BlockTable, detaching_without_memory_for_another_block_changes_nothing) {
  if (kPoisonsMemory) GTEST_SKIP() << "AddressSanitizer would keep books of all this memory";
  // A slab more of such blocks is more than any system gives; the first is never touched.
  constexpr std::uint32_t kHuge = 1U << 31;
  std::optional<BlockTable> table;
  try {
    table.emplace(1, BlockLayout::scattered(kHuge));
  } catch (const std::bad_alloc&) {
    GTEST_SKIP() << "there is no room for one large block";
  }
  BufferLease lease = table->lend(0, 1);
  const BufferLease before = lease;
  try {
    table->detach(lease);
    GTEST_SKIP() << "this system promises memory that it has not";
  } catch (const std::bad_alloc&) {
    EXPECT_EQ(lease.block, 0U);
    EXPECT_EQ(lease.generation, before.generation);
    EXPECT_EQ(table->lent(), 1U);
    EXPECT_EQ(table->take_back(lease), 0U);
    EXPECT_EQ(table->lend(0, 1).data, before.data);
  }
}

}  // namespace
}  // namespace weft::ksvc
