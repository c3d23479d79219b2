#include "ksvc/router/probe_router.hpp"

#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/syscall.h>

#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/router/syscall_table.hpp"

namespace weft::ksvc {
namespace {

// A kernel whose io_uring supports every operation up to and including `last_opcode`.
KernelFeatures kernel_with_opcodes_up_to(unsigned last_opcode) {
  KernelFeatures features;
  features.io_uring = true;
  for (unsigned opcode = 0; opcode <= last_opcode; ++opcode) features.uring_opcodes.set(opcode);
  return features;
}

const KernelFeatures kLinux5_15 = kernel_with_opcodes_up_to(IORING_OP_LINKAT);
const KernelFeatures kLinux6_1 = kernel_with_opcodes_up_to(IORING_OP_SENDMSG_ZC);
const KernelFeatures kLinux6_18 = kernel_with_opcodes_up_to(uring_abi::kOpPipe);

TEST(ProbeRouter, bind_goes_to_the_pool_where_the_kernel_does_not_offer_it) {
  const ProbeRouter router(kLinux6_1);
  EXPECT_EQ(router.tier(SYS_bind), Tier::pool);
  EXPECT_FALSE(router.opcode(SYS_bind).has_value());
}

TEST(ProbeRouter, bind_promotes_itself_to_the_ring_where_the_kernel_offers_it) {
  const ProbeRouter router(kLinux6_18);
  EXPECT_EQ(router.tier(SYS_bind), Tier::ring);
  EXPECT_EQ(router.opcode(SYS_bind), uring_abi::kOpBind);
}

TEST(ProbeRouter, opcodes_follow_the_kernel_they_came_with) {
  const ProbeRouter old(kLinux5_15);
  const ProbeRouter newer(kLinux6_1);
  EXPECT_EQ(old.tier(SYS_read), Tier::ring);
  EXPECT_EQ(old.tier(SYS_linkat), Tier::ring);
  EXPECT_EQ(old.tier(SYS_socket), Tier::pool);
  EXPECT_EQ(newer.tier(SYS_socket), Tier::ring);
  EXPECT_EQ(newer.opcode(SYS_pread64), IORING_OP_READ);
  EXPECT_EQ(newer.tier(SYS_waitid), Tier::pool);
}

TEST(ProbeRouter, without_io_uring_every_ring_call_goes_to_the_pool) {
  KernelFeatures features = kLinux6_18;
  features.io_uring = false;
  const ProbeRouter router(features);
  for (const SyscallRow& row : syscall_table()) {
    const Tier expected = row.tier == Tier::ring ? Tier::pool : row.tier;
    EXPECT_EQ(router.tier(row.nr), expected) << row.name;
    EXPECT_FALSE(router.opcode(row.nr).has_value()) << row.name;
  }
}

TEST(ProbeRouter, calls_about_the_thread_stay_inline_on_every_kernel) {
  for (const KernelFeatures& features : {KernelFeatures{}, kLinux5_15, kLinux6_18}) {
    const ProbeRouter router(features);
    for (const long nr : {SYS_gettid, SYS_prctl, SYS_setuid, SYS_rt_sigprocmask}) {
      EXPECT_EQ(router.tier(nr), Tier::inline_only) << nr;
    }
  }
}

TEST(ProbeRouter, calls_that_would_ruin_the_runtime_are_refused) {
  const ProbeRouter router(kLinux6_18);
  for (const long nr : {SYS_clone, SYS_clone3, SYS_exit, SYS_exit_group, SYS_rt_sigreturn}) {
    EXPECT_EQ(router.tier(nr), Tier::refused) << nr;
  }
}

TEST(ProbeRouter, unknown_numbers_go_to_the_pool) {
  const ProbeRouter router(kLinux6_18);
  EXPECT_EQ(router.tier(SYS_getrandom), Tier::pool);
  for (const long nr : {-1L, 511L, 512L, 100'000L}) EXPECT_EQ(router.tier(nr), Tier::pool) << nr;
}

}  // namespace
}  // namespace weft::ksvc
