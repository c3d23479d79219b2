// What every SyscallRouter does: the one that asks, on the running kernel and on recorded ones, and
// those with a table for a release.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <bitset>
#include <climits>
#include <string>
#include <vector>

#include "ksvc/router/kernel_recording.hpp"
#include "ksvc/router/probe_router.hpp"
#include "ksvc/router/static_router.hpp"

namespace weft::ksvc {
namespace {

std::string release_text(KernelRelease release) {
  return std::to_string(release.version) + "." + std::to_string(release.patch_level);
}

struct Running {
  static KernelFeatures kernel() { return probe_kernel_features(); }
  static ProbeRouter router() { return ProbeRouter(kernel()); }
  static std::string name() { return "ProbeRouterOnThisKernel"; }
};

template <KernelRelease Release>
struct Recorded {
  static KernelFeatures kernel() { return load_kernel_recording(release_text(Release)); }
  static ProbeRouter router() { return ProbeRouter(kernel()); }
  static std::string name() { return "ProbeRouterOnRecorded" + release_text(Release); }
};

template <KernelRelease Release>
struct Static {
  static KernelFeatures kernel() { return load_kernel_recording(release_text(Release)); }
  static StaticRouter<Release> router() { return {}; }
  static std::string name() { return StaticRouter<Release>::name(); }
};

template <class R>
class SyscallRouterTest : public testing::Test {
 protected:
  const KernelFeatures kernel_ = R::kernel();
  decltype(R::router()) router_ = R::router();
};

struct RouterNames {
  template <class R>
  static std::string GetName(int) {
    return R::name();
  }
};

using EveryRouter =
    testing::Types<Running, Recorded<kKernel6_1>, Recorded<kKernel6_8>, Recorded<kKernel6_11>,
                   Recorded<kKernel6_12>, Recorded<kKernel6_14>, Recorded<kKernel6_16>,
                   Recorded<kKernel6_18>, Static<kKernel6_1>, Static<kKernel6_8>,
                   Static<kKernel6_11>, Static<kKernel6_12>, Static<kKernel6_14>,
                   Static<kKernel6_16>, Static<kKernel6_18>>;
TYPED_TEST_SUITE(SyscallRouterTest, EveryRouter, RouterNames);

TYPED_TEST(SyscallRouterTest, is_a_router_with_a_name) {
  static_assert(SyscallRouter<decltype(this->router_)>);
  EXPECT_NE(std::string(decltype(this->router_)::name()).find("Router"), std::string::npos);
}

TYPED_TEST(SyscallRouterTest, every_call_goes_where_the_table_says_or_from_the_ring_to_the_pool) {
  for (const SyscallRow& row : syscall_table()) {
    const Tier tier = this->router_.tier(row.nr);
    if (row.tier != Tier::ring) {
      EXPECT_EQ(tier, row.tier) << row.name;
    } else {
      const bool offered = this->kernel_.io_uring && this->kernel_.uring_opcodes.test(row.opcode);
      EXPECT_EQ(tier, offered ? Tier::ring : Tier::pool) << row.name;
    }
  }
}

TYPED_TEST(SyscallRouterTest, calls_of_the_ring_have_their_operation_and_no_other_call_has_one) {
  for (const SyscallRow& row : syscall_table()) {
    const auto opcode = this->router_.opcode(row.nr);
    ASSERT_EQ(opcode.has_value(), this->router_.tier(row.nr) == Tier::ring) << row.name;
    if (opcode) {
      EXPECT_EQ(*opcode, row.opcode) << row.name;
    }
  }
}

TYPED_TEST(SyscallRouterTest,
           a_call_that_nobody_has_heard_of_goes_to_the_pool_where_the_kernel_answers) {
  std::size_t in_table = 0;
  for (long nr = -2; nr < 2000; ++nr) {
    const bool known =
        std::ranges::any_of(syscall_table(), [nr](const SyscallRow& row) { return row.nr == nr; });
    in_table += known ? 1 : 0;
    if (known) continue;
    EXPECT_EQ(this->router_.tier(nr), Tier::pool) << nr;
    EXPECT_FALSE(this->router_.opcode(nr).has_value()) << nr;
  }
  EXPECT_EQ(in_table, syscall_table().size());
  for (const long nr : {LONG_MIN, -1L, LONG_MAX}) EXPECT_EQ(this->router_.tier(nr), Tier::pool);
}

TYPED_TEST(SyscallRouterTest, calls_about_the_thread_stay_on_it) {
  for (const long nr : {SYS_gettid, SYS_setresuid, SYS_capset, SYS_rt_sigprocmask, SYS_prctl,
                        SYS_unshare, SYS_setns, SYS_seccomp, SYS_ptrace, SYS_close_range,
                        SYS_sched_setaffinity, SYS_keyctl, SYS_io_uring_enter}) {
    EXPECT_EQ(this->router_.tier(nr), Tier::inline_only) << nr;
  }
}

TYPED_TEST(SyscallRouterTest, calls_that_end_copy_or_ruin_the_process_are_refused) {
  for (const long nr : {SYS_clone, SYS_clone3, SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group,
                        SYS_rt_sigreturn, SYS_restart_syscall}) {
    EXPECT_EQ(this->router_.tier(nr), Tier::refused) << nr;
  }
#if defined(__x86_64__)
  EXPECT_EQ(this->router_.tier(SYS_fork), Tier::refused);
  EXPECT_EQ(this->router_.tier(SYS_vfork), Tier::refused);
#endif
}

TYPED_TEST(SyscallRouterTest, process_facts_and_the_time_come_from_mapped_memory) {
  for (const long nr : {SYS_getpid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
                        SYS_clock_gettime, SYS_gettimeofday}) {
    EXPECT_EQ(this->router_.tier(nr), Tier::shared_page) << nr;
  }
  EXPECT_NE(this->router_.tier(SYS_getppid), Tier::shared_page);
}

TEST(SyscallTable, names_each_number_once) {
  for (const SyscallRow& row : syscall_table()) {
    EXPECT_EQ(std::ranges::count(syscall_table(), row.nr, &SyscallRow::nr), 1) << row.name;
    EXPECT_EQ(row.tier == Tier::ring, row.opcode != 0) << row.name;
    EXPECT_TRUE(!row.fact || row.tier == Tier::shared_page) << row.name;
  }
}

TEST(SyscallTable, says_which_fact_answers) {
  EXPECT_EQ(answering_fact(SYS_getpid), Fact::pid);
  EXPECT_EQ(answering_fact(SYS_geteuid), Fact::euid);
  for (const long nr : {long{SYS_clock_gettime}, long{SYS_read}, -1L, 100'000L}) {
    EXPECT_EQ(answering_fact(nr), std::nullopt) << nr;
  }
}

// What a newer kernel takes over from the pool, without a change of weft.
struct Upgrade {
  const char* from;
  const char* to;
  const char* promoted;  // in the order of the table
};

constexpr Upgrade kUpgrades[] = {
    {"5.15", "6.1", "setxattr fsetxattr getxattr fgetxattr socket"},
    {"6.1", "6.8", "waitid futex_wake futex_wait futex_waitv"},
    {"6.8", "6.11", "ftruncate bind listen"},
    {"6.11", "6.12", ""},
    {"6.12", "6.14", ""},
#if defined(__x86_64__)
    {"6.14", "6.16", "pipe2 pipe epoll_wait"},
#else
    {"6.14", "6.16", "pipe2"},
#endif
    {"6.16", "6.18", ""},
};

TEST(KernelUpgrade, promotes_calls_from_the_pool_to_the_ring_and_takes_none_back) {
  for (const Upgrade& upgrade : kUpgrades) {
    const ProbeRouter before(load_kernel_recording(upgrade.from));
    const ProbeRouter after(load_kernel_recording(upgrade.to));
    std::string promoted;
    for (const SyscallRow& row : syscall_table()) {
      if (before.tier(row.nr) == after.tier(row.nr)) continue;
      EXPECT_EQ(before.tier(row.nr), Tier::pool) << row.name;
      EXPECT_EQ(after.tier(row.nr), Tier::ring) << row.name;
      promoted += (promoted.empty() ? "" : " ") + std::string(row.name);
    }
    EXPECT_EQ(promoted, upgrade.promoted) << upgrade.from << " to " << upgrade.to;
  }
}

TEST(KernelUpgrade, is_recorded_for_every_step) {
  const std::vector<std::string> releases = recorded_releases();
  ASSERT_EQ(releases.size(), std::size(kUpgrades) + 1);
  for (std::size_t step = 0; step < std::size(kUpgrades); ++step) {
    EXPECT_EQ(releases[step], kUpgrades[step].from);
    EXPECT_EQ(releases[step + 1], kUpgrades[step].to);
  }
}

template <class R>
class StaticRouterTest : public testing::Test {};
using EveryStaticRouter =
    testing::Types<Static<kKernel6_1>, Static<kKernel6_8>, Static<kKernel6_11>, Static<kKernel6_12>,
                   Static<kKernel6_14>, Static<kKernel6_16>, Static<kKernel6_18>>;
TYPED_TEST_SUITE(StaticRouterTest, EveryStaticRouter, RouterNames);

TYPED_TEST(StaticRouterTest, agrees_with_its_own_release) {
  const ReleaseAgreement agreement =
      decltype(TypeParam::router())::agrees_with(TypeParam::kernel());
  EXPECT_TRUE(agreement) << agreement.sentence;
  EXPECT_TRUE(agreement.usable);
  EXPECT_NE(agreement.sentence.find("offers exactly"), std::string::npos) << agreement.sentence;
}

TEST(StaticRouter, names_itself_after_its_release) {
  EXPECT_STREQ(StaticRouter<kKernel6_1>::name(), "StaticRouter<6.1>");
  EXPECT_STREQ((StaticRouter<KernelRelease{10, 20}>::name()), "StaticRouter<10.20>");
}

TEST(StaticRouter, on_an_older_kernel_is_not_usable_and_names_what_is_lacking) {
  const ReleaseAgreement agreement =
      StaticRouter<kKernel6_11>::agrees_with(load_kernel_recording("6.8"));
  EXPECT_FALSE(agreement);
  EXPECT_FALSE(agreement.usable);
  EXPECT_EQ(agreement.lacking.size(), 3U);
  EXPECT_EQ(agreement.sentence,
            "unlike Linux 6.11, kernel 6.8 does not offer FTRUNCATE (ftruncate), BIND (bind), "
            "LISTEN (listen)");
}

TEST(StaticRouter, on_a_newer_kernel_is_usable_and_names_what_it_leaves_to_the_pool) {
  const ReleaseAgreement agreement =
      StaticRouter<kKernel6_8>::agrees_with(load_kernel_recording("6.12"));
  EXPECT_FALSE(agreement);
  EXPECT_TRUE(agreement.usable);
  EXPECT_EQ(agreement.sentence,
            "beyond Linux 6.8, kernel 6.12 offers FTRUNCATE (ftruncate), BIND (bind), LISTEN "
            "(listen)");
}

TEST(StaticRouter, does_not_mind_lacking_what_no_call_needs) {
  KernelFeatures kernel = load_kernel_recording("6.18");
  kernel.uring_opcodes.reset(uring_abi::kOpRecvZc);
  const ReleaseAgreement agreement = StaticRouter<kKernel6_18>::agrees_with(kernel);
  EXPECT_FALSE(agreement);
  EXPECT_TRUE(agreement.usable);
  EXPECT_EQ(agreement.sentence, "unlike Linux 6.18, kernel 6.18 does not offer RECV_ZC");
}

TEST(StaticRouter, without_io_uring_is_not_usable_and_says_why) {
  KernelFeatures kernel = load_kernel_recording("6.18");
  kernel.io_uring = false;
  kernel.io_uring_refusal = "io_uring is switched off";
  const ReleaseAgreement agreement = StaticRouter<kKernel6_18>::agrees_with(kernel);
  EXPECT_FALSE(agreement.usable);
  EXPECT_EQ(agreement.sentence, "kernel 6.18 offers no io_uring: io_uring is switched off");
}

// The recording of this kernel's release, where there is one, against the kernel itself.
TEST(KernelRecording, of_the_running_release_says_what_the_kernel_says) {
  const KernelFeatures running = probe_kernel_features();
  if (!running.io_uring) GTEST_SKIP() << running.io_uring_refusal;
  for (const std::string& release : recorded_releases()) {
    if (!running.release.starts_with(release + ".")) continue;
    const KernelFeatures recorded = load_kernel_recording(release);
    // A kernel may have been built without something, but it has nothing that is not recorded.
    EXPECT_EQ(running.uring_opcodes & ~recorded.uring_opcodes, std::bitset<256>{});
    EXPECT_EQ(running.uring_feature_bits, recorded.uring_feature_bits);
    if (running.io_uring_shortage.empty()) {
      EXPECT_EQ(flags_of(running), flags_of(recorded));
    }
    return;
  }
  GTEST_SKIP() << "no recording of " << running.release;
}

TEST(KernelRecording, agrees_with_itself) {
  for (const std::string& release : recorded_releases()) {
    const KernelFeatures features = load_kernel_recording(release);
    EXPECT_EQ(features.release, release);
    EXPECT_EQ(features.futex_wait, features.uring_opcodes.test(uring_abi::kOpFutexWait)) << release;
    EXPECT_EQ(features.bind_and_listen, features.uring_opcodes.test(uring_abi::kOpBind)) << release;
    EXPECT_EQ(features.send_zero_copy, features.uring_opcodes.test(IORING_OP_SEND_ZC)) << release;
    EXPECT_EQ(features.receive_bundles,
              (features.uring_feature_bits & uring_abi::kFeatRecvsendBundle) != 0)
        << release;
  }
}

}  // namespace
}  // namespace weft::ksvc
