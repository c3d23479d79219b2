#include "ksvc/router/backend_choice.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace weft::ksvc {
namespace {

KernelFeatures capable_kernel() {
  KernelFeatures features;
  features.release = "6.1.0";
  features.io_uring = true;
  features.setup.single_issuer = true;
  features.setup.defer_taskrun = true;
  features.provided_buffer_ring = true;
  features.multishot_accept = true;
  features.multishot_receive = true;
  return features;
}

KernelFeatures refusing_kernel(const UringRefusal& refusal) {
  KernelFeatures features;
  features.release = "6.1.0";
  features.io_uring_errno = refusal.os_errno;
  features.io_uring_refusal = explain_uring_refusal(refusal);
  return features;
}

bool says(const std::string& text, const char* words) {
  return text.find(words) != std::string::npos;
}

TEST(BackendChoice, capable_kernel_gets_io_uring) {
  const BackendChoice choice = choose_backend(capable_kernel(), std::nullopt);
  EXPECT_TRUE(choice);
  EXPECT_EQ(choice.kind, BackendKind::io_uring);
  EXPECT_TRUE(says(choice.reason, "6.1.0")) << choice.reason;
}

TEST(BackendChoice, no_io_uring_means_epoll_even_without_a_reason) {
  const BackendChoice choice = choose_backend(KernelFeatures{}, std::nullopt);
  EXPECT_EQ(choice.kind, BackendKind::epoll);
  EXPECT_TRUE(says(choice.reason, "io_uring is not there")) << choice.reason;
}

TEST(BackendChoice, each_missing_need_means_epoll_and_is_named) {
  struct Case {
    bool KernelFeatures::* need;
    const char* name;
  };
  for (const Case& missing : {Case{&KernelFeatures::provided_buffer_ring, "provided buffer rings"},
                              Case{&KernelFeatures::multishot_accept, "multishot accept"},
                              Case{&KernelFeatures::multishot_receive, "multishot receive"}}) {
    KernelFeatures features = capable_kernel();
    features.*missing.need = false;
    const BackendChoice choice = choose_backend(features, std::nullopt);
    EXPECT_EQ(choice.kind, BackendKind::epoll);
    EXPECT_TRUE(says(choice.reason, missing.name)) << choice.reason;
  }
}

TEST(BackendChoice, missing_setup_flags_are_listed_together) {
  KernelFeatures features = capable_kernel();
  features.setup = {};
  const BackendChoice choice = choose_backend(features, std::nullopt);
  EXPECT_EQ(choice.kind, BackendKind::epoll);
  EXPECT_TRUE(says(choice.reason, "single-issuer rings, deferred task work")) << choice.reason;
}

TEST(BackendChoice, forced_epoll_is_kept_on_a_capable_kernel) {
  const BackendChoice choice = choose_backend(capable_kernel(), BackendKind::epoll);
  EXPECT_TRUE(choice);
  EXPECT_EQ(choice.kind, BackendKind::epoll);
}

TEST(BackendChoice, forced_io_uring_on_a_refusing_kernel_is_an_error_that_says_how_to_get_it) {
  const auto features = refusing_kernel({.os_errno = EPERM, .disabled_sysctl = 2});
  const BackendChoice choice = choose_backend(features, BackendKind::io_uring);
  EXPECT_FALSE(choice);
  EXPECT_TRUE(says(choice.reason, "kernel.io_uring_disabled=2")) << choice.reason;
  EXPECT_TRUE(says(choice.reason, "or ask for epoll")) << choice.reason;
}

TEST(BackendChoice, refusals_are_told_apart) {
  struct Case {
    UringRefusal refusal;
    const char* words;
  };
  const Case cases[] = {
      {{.os_errno = EPERM, .disabled_sysctl = 2}, "disabled by sysctl kernel.io_uring_disabled=2"},
      {{.os_errno = EPERM, .disabled_sysctl = 1}, "kernel.io_uring_group"},
      {{.os_errno = EPERM, .disabled_sysctl = 0, .seccomp_filtered = true}, "seccomp"},
      {{.os_errno = ENOSYS, .seccomp_filtered = true}, "seccomp"},
      {{.os_errno = ENOSYS}, "older than 5.1"},
      {{.os_errno = ENOMEM, .memlock_bytes = 65536}, "65536 bytes"},
      {{.os_errno = EMFILE}, "ulimit -n"},
      {{.os_errno = EINVAL}, "io_uring_setup failed"},
  };
  for (const Case& given : cases) {
    const BackendChoice choice = choose_backend(refusing_kernel(given.refusal), std::nullopt);
    EXPECT_EQ(choice.kind, BackendKind::epoll);
    EXPECT_TRUE(says(choice.reason, given.words)) << choice.reason;
  }
}

TEST(BackendChoice, what_ran_out_while_asking_is_the_reason_rather_than_the_kernel) {
  KernelFeatures features = capable_kernel();
  features.setup = {};
  features.io_uring_shortage = explain_uring_refusal({.os_errno = ENOMEM, .memlock_bytes = 8192});
  const BackendChoice choice = choose_backend(features, std::nullopt);
  EXPECT_EQ(choice.kind, BackendKind::epoll);
  EXPECT_TRUE(says(choice.reason, "8192 bytes; raise it")) << choice.reason;
  EXPECT_FALSE(says(choice.reason, "did not offer")) << choice.reason;
}

TEST(BackendChoice, a_ring_that_fails_after_all_means_epoll_unless_it_was_forced) {
  const BackendChoice open = choose_backend(capable_kernel(), std::nullopt);
  const BackendChoice instead = without_io_uring(open, ENOMEM);
  EXPECT_TRUE(instead);
  EXPECT_EQ(instead.kind, BackendKind::epoll);
  EXPECT_EQ(instead.reason,
            "io_uring could not be set up: Cannot allocate memory (raise the memlock limit, "
            "ulimit -l)");
  const BackendChoice forced = choose_backend(capable_kernel(), BackendKind::io_uring);
  const BackendChoice none = without_io_uring(forced, EMFILE);
  EXPECT_FALSE(none);
  EXPECT_TRUE(says(none.reason, "io_uring was asked for and could not be set up")) << none.reason;
  EXPECT_TRUE(says(none.reason, "ulimit -n")) << none.reason;
  EXPECT_TRUE(says(none.reason, "or ask for epoll")) << none.reason;
}

TEST(BackendChoice, names_parse_back) {
  EXPECT_EQ(parse_backend_kind(backend_name(BackendKind::io_uring)), BackendKind::io_uring);
  EXPECT_EQ(parse_backend_kind(backend_name(BackendKind::epoll)), BackendKind::epoll);
  EXPECT_EQ(parse_backend_kind("auto"), std::nullopt);
}

}  // namespace
}  // namespace weft::ksvc
