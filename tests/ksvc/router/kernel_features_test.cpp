#include "ksvc/router/kernel_features.hpp"

#include <dirent.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>

#include "ksvc/router/backend_choice.hpp"

namespace weft::ksvc {
namespace {

int open_descriptors() {
  DIR* const directory = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

// From here on this thread's io_uring_setup() answers `os_errno`, as a container's filter does.
bool refuse_io_uring_setup(int os_errno) {
  const auto answer = static_cast<std::uint32_t>(SECCOMP_RET_ERRNO | os_errno);
  std::array<sock_filter, 4> program{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_io_uring_setup},
      {BPF_RET | BPF_K, 0, 0, answer},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

struct RefusedOutcome {
  bool exited = false;
  std::string report;
};

// Probes in a child with the filter, because a filter never comes off again.
RefusedOutcome probe_under_filter(int os_errno) {
  std::array<int, 2> channel{-1, -1};
  if (::pipe(channel.data()) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    std::string report = "no filter";
    if (refuse_io_uring_setup(os_errno)) {
      const KernelFeatures features = probe_kernel_features();
      const BackendChoice choice = choose_backend(features, std::nullopt);
      const BackendChoice forced = choose_backend(features, BackendKind::io_uring);
      report = std::string(backend_name(choice.kind)) + "|" +
               std::to_string(features.io_uring_errno) + "|" +
               (forced.possible ? "forced" : "forced is an error") + "|" + choice.reason;
    }
    const auto written = ::write(channel[1], report.data(), report.size());
    ::_exit(written == static_cast<ssize_t>(report.size()) ? 0 : 1);
  }
  ::close(channel[1]);
  RefusedOutcome outcome;
  std::array<char, 1024> block{};
  for (ssize_t got; (got = ::read(channel[0], block.data(), block.size())) > 0;) {
    outcome.report.append(block.data(), static_cast<std::size_t>(got));
  }
  ::close(channel[0]);
  int status = -1;
  outcome.exited =
      ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return outcome;
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

bool forbidden_by_sysctl() {
  const KernelFeatures features = probe_kernel_features();
  return features.io_uring_disabled.value_or(0) != 0;
}

TEST(KernelFeatures, seccomp_answering_eperm_means_epoll_and_names_seccomp) {
  if (forbidden_by_sysctl()) GTEST_SKIP() << "the sysctl is named first on this machine";
  const RefusedOutcome outcome = probe_under_filter(EPERM);
  ASSERT_TRUE(outcome.exited);
  EXPECT_TRUE(says(outcome.report, "epoll|" + std::to_string(EPERM) + "|forced is an error|"))
      << outcome.report;
  EXPECT_TRUE(says(outcome.report, "(EPERM) by a seccomp filter")) << outcome.report;
}

TEST(KernelFeatures, seccomp_answering_enosys_means_epoll_and_names_seccomp) {
  const RefusedOutcome outcome = probe_under_filter(ENOSYS);
  ASSERT_TRUE(outcome.exited);
  EXPECT_TRUE(says(outcome.report, "epoll|" + std::to_string(ENOSYS) + "|forced is an error|"))
      << outcome.report;
  EXPECT_TRUE(says(outcome.report, "(ENOSYS) by a seccomp filter")) << outcome.report;
}

TEST(KernelFeatures, probing_leaves_no_descriptor_open) {
  const int before = open_descriptors();
  for (int round = 0; round < 8; ++round) static_cast<void>(probe_kernel_features());
  EXPECT_EQ(open_descriptors(), before);
}

TEST(KernelFeatures, available_io_uring_offers_the_oldest_operations) {
  const KernelFeatures features = probe_kernel_features();
  EXPECT_FALSE(features.release.empty());
  if (!features.io_uring) {
    EXPECT_NE(features.io_uring_errno, 0);
    EXPECT_FALSE(features.io_uring_refusal.empty());
    GTEST_SKIP() << features.io_uring_refusal;
  }
  EXPECT_TRUE(features.io_uring_refusal.empty());
  EXPECT_TRUE(features.uring_opcodes.test(IORING_OP_NOP));
  EXPECT_TRUE(features.uring_opcodes.test(IORING_OP_READ));
}

TEST(KernelFeatures, features_that_build_on_one_another_are_consistent) {
  const KernelFeatures features = probe_kernel_features();
  EXPECT_TRUE(!features.setup.defer_taskrun || features.setup.single_issuer);
  EXPECT_TRUE(!features.multishot_receive || features.provided_buffer_ring);
  EXPECT_TRUE(!features.incremental_buffers || features.provided_buffer_ring);
  EXPECT_TRUE(!features.multishot_accept || features.io_uring);
}

}  // namespace
}  // namespace weft::ksvc
