#include "ksvc/buffers/registered_buffers.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

namespace weft::ksvc {
namespace {

constexpr std::uint16_t kBlocks = 8;
constexpr std::uint32_t kSpare = 2;
constexpr std::uint32_t kBytes = 4096;
constexpr BufferOptions kOptions{.blocks = kBlocks, .block_bytes = kBytes};

TEST(RegisteredBuffers, blocks_are_rounded_up_to_whole_aligned_pages) {
  RegisteredBuffers provider({.blocks = 4, .block_bytes = 100});
  EXPECT_EQ(provider.block_bytes(), 4096U);
  const BufferLease lease = provider.acquire();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(lease.data) % 4096, 0U);
}

TEST(RegisteredBuffers, nothing_is_registered_before_a_ring_is_attached) {
  RegisteredBuffers provider(kOptions);
  const BufferLease lease = provider.acquire();
  EXPECT_FALSE(provider.index_of(lease.data, 1));
}

TEST(RegisteredRegion, bytes_belong_to_the_buffer_that_holds_them_all) {
  alignas(8) static const char memory[100] = {};
  const RegisteredRegion region(memory, 100, 40);
  EXPECT_EQ(region.index_of(memory, 40), std::uint16_t{0});
  EXPECT_EQ(region.index_of(memory + 39, 1), std::uint16_t{0});
  EXPECT_EQ(region.index_of(memory + 40, 40), std::uint16_t{1});
  EXPECT_EQ(region.index_of(memory + 79, 1), std::uint16_t{1});
  EXPECT_EQ(region.index_of(memory + 80, 20), std::uint16_t{2});
}

TEST(RegisteredRegion, bytes_across_two_buffers_or_the_end_belong_to_none) {
  alignas(8) static const char memory[128] = {};
  const RegisteredRegion region(memory, 100, 40);
  EXPECT_FALSE(region.index_of(memory, 41));
  EXPECT_FALSE(region.index_of(memory + 39, 2));
  EXPECT_FALSE(region.index_of(memory + 79, 2));
  EXPECT_FALSE(region.index_of(memory + 80, 21));
  EXPECT_FALSE(region.index_of(memory + 100, 1));
  EXPECT_FALSE(region.index_of(memory, SIZE_MAX));
}

class AttachedBuffers : public testing::Test {
 protected:
  void SetUp() override {
    if (::io_uring_queue_init(4, &ring, 0) != 0) GTEST_SKIP() << "io_uring is refused here";
    made = true;
    const auto attached = provider.attach(&ring);
    if (!attached) GTEST_SKIP() << provider.explain(attached.error());
    std::string path = testing::TempDir() + "weft-registered-XXXXXX";
    file = ::mkstemp(path.data());
    ASSERT_GE(file, 0);
    ::unlink(path.c_str());
  }
  void TearDown() override {
    if (file >= 0) ::close(file);
    if (made) ::io_uring_queue_exit(&ring);
  }

  int perform(std::uint8_t opcode, const BufferLease& lease, std::uint16_t index) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring);
    io_uring_prep_rw(opcode, entry, file, lease.data, kBytes, 0);
    entry->buf_index = index;
    io_uring_cqe* completion = nullptr;
    if (io_uring_submit_and_wait(&ring, 1) < 0) return -EIO;
    if (io_uring_wait_cqe(&ring, &completion) < 0) return -EIO;
    const int result = completion->res;
    io_uring_cqe_seen(&ring, completion);
    return result;
  }

  RegisteredBuffers provider{kOptions};
  io_uring ring{};
  bool made = false;
  int file = -1;
};

TEST_F(AttachedBuffers, every_numbered_block_is_recognised_whole) {
  for (int i = 0; i < kBlocks; ++i) {
    const BufferLease lease = provider.acquire();
    ASSERT_TRUE(lease);
    EXPECT_EQ(provider.index_of(lease.data, kBytes), std::uint16_t{0});
    EXPECT_EQ(provider.index_of(lease.data + 100, kBytes - 100), std::uint16_t{0});
  }
}

TEST_F(AttachedBuffers, memory_that_is_not_wholly_inside_is_not_recognised) {
  char elsewhere[16] = {};
  EXPECT_FALSE(provider.index_of(elsewhere, sizeof elsewhere));
  EXPECT_FALSE(provider.index_of(nullptr, 0));
  const char* lowest = nullptr;
  const char* highest = nullptr;
  std::vector<BufferLease> all;
  for (std::uint32_t i = 0; i < kBlocks; ++i) all.push_back(provider.acquire());
  for (std::uint32_t i = 0; i < kSpare; ++i) all.push_back(provider.borrow());
  for (const BufferLease& lease : all) {
    if (lowest == nullptr || lease.data < lowest) lowest = lease.data;
    if (lease.data > highest) highest = lease.data;
  }
  constexpr std::size_t kAll = std::size_t{kBlocks + kSpare} * kBytes;
  ASSERT_EQ(highest + kBytes - lowest, static_cast<std::ptrdiff_t>(kAll));
  EXPECT_TRUE(provider.index_of(lowest, kAll));
  EXPECT_TRUE(provider.index_of(highest + kBytes - 1, 1));
  EXPECT_FALSE(provider.index_of(lowest, kAll + 1));
  EXPECT_FALSE(provider.index_of(highest + kBytes - 1, 2));
  EXPECT_FALSE(provider.index_of(highest + kBytes, 0));
  EXPECT_FALSE(provider.index_of(lowest - 1, 2));
  EXPECT_FALSE(provider.index_of(lowest, SIZE_MAX));
}

TEST_F(AttachedBuffers, borrowed_memory_is_registered_while_there_are_spare_blocks) {
  for (std::uint32_t i = 0; i < kSpare; ++i) {
    EXPECT_TRUE(provider.index_of(provider.borrow().data, kBytes));
  }
  EXPECT_FALSE(provider.index_of(provider.borrow().data, kBytes));
}

TEST_F(AttachedBuffers, numbered_blocks_return_to_pinned_memory_when_it_comes_back) {
  std::vector<BufferLease> kept;
  for (std::uint32_t i = 0; i < kBlocks + kSpare; ++i) {
    BufferLease lease = provider.acquire();
    provider.detach(lease);
    kept.push_back(lease);
  }
  BufferLease ordinary = provider.acquire();
  EXPECT_FALSE(provider.index_of(ordinary.data, kBytes)) << "all that is pinned is kept by others";
  provider.release(ordinary);
  for (BufferLease& lease : kept) provider.release(lease);
  for (int i = 0; i < kBlocks; ++i) {
    EXPECT_TRUE(provider.index_of(provider.acquire().data, kBytes));
  }
}

TEST_F(AttachedBuffers, kernel_writes_and_reads_by_way_of_the_registered_buffer) {
  BufferLease out = provider.acquire();
  BufferLease in = provider.acquire();
  std::memset(out.data, 'w', kBytes);
  std::memset(in.data, 0, kBytes);
  const auto out_index = provider.index_of(out.data, kBytes);
  const auto in_index = provider.index_of(in.data, kBytes);
  ASSERT_TRUE(out_index && in_index);
  ASSERT_EQ(perform(IORING_OP_WRITE_FIXED, out, *out_index), static_cast<int>(kBytes));
  ASSERT_EQ(perform(IORING_OP_READ_FIXED, in, *in_index), static_cast<int>(kBytes));
  EXPECT_EQ(std::memcmp(in.data, out.data, kBytes), 0);
}

TEST_F(AttachedBuffers, kernel_refuses_what_index_of_does_not_know) {
  BufferLease elsewhere;
  std::vector<char> memory(kBytes);
  elsewhere.data = memory.data();
  ASSERT_FALSE(provider.index_of(elsewhere.data, kBytes));
  EXPECT_EQ(perform(IORING_OP_WRITE_FIXED, elsewhere, 0), -EFAULT)
      << "so an index made up for it would not have worked";
}

TEST_F(AttachedBuffers, second_registration_with_one_ring_is_refused) {
  RegisteredBuffers other(kOptions);
  const auto attached = other.attach(&ring);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().os_errno, EBUSY);
  EXPECT_FALSE(other.index_of(other.acquire().data, 1));
}

// In a process of its own, since it gives up what it may do.
[[noreturn]] void attach_without_leave_to_lock_memory() {
  const rlimit nothing{0, 0};
  ::setrlimit(RLIMIT_MEMLOCK, &nothing);
  io_uring ring{};
  if (::setresuid(65534, 65534, 65534) != 0 || ::io_uring_queue_init(4, &ring, 0) != 0) {
    std::fprintf(stderr, "no ring for this user\n");
    std::_Exit(0);
  }
  RegisteredBuffers provider(kOptions);
  const auto attached = provider.attach(&ring);
  std::fprintf(stderr, "%s\n", attached ? "allowed" : provider.explain(attached.error()).c_str());
  std::_Exit(0);
}

TEST(RegisteredBuffers, refusal_to_lock_memory_is_told_with_the_limit) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become a user of whom nothing is locked";
  EXPECT_EXIT(attach_without_leave_to_lock_memory(), testing::ExitedWithCode(0),
              "pinning 40 KiB .*RLIMIT_MEMLOCK. is 0 KiB|no ring for this user");
}

}  // namespace
}  // namespace weft::ksvc
