// KernelFeatures: what the running kernel offers, found by asking it.
//
// Nothing is guessed from the version: distributions backport, containers forbid. Every answer is
// from a call that succeeded or failed just now. Plain data, so a test can write down any kernel.
// probe_kernel_features() leaves no descriptor, mapping or thread behind; call it from any thread.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>

namespace weft::ksvc {

// Set-up flags io_uring_setup() takes, each asked for on a ring of its own that is closed unused.
struct UringSetupFlags {
  bool submit_all = false;
  bool coop_taskrun = false;
  bool single_issuer = false;
  bool defer_taskrun = false;  // asked together with single_issuer, which it needs
  bool sqpoll = false;
  bool no_sqarray = false;
};

struct KernelFeatures {
  std::string release;  // as uname() says it; for people, never for decisions

  bool io_uring = false;
  int io_uring_errno = 0;        // why not, when io_uring is false
  std::string io_uring_refusal;  // the same as a sentence that says how to get it
  // The same for what ran out while asking for more, so that a false below may not be the kernel's.
  std::string io_uring_shortage;
  std::optional<int> io_uring_disabled;  // the sysctl of that name, where the kernel has it

  UringSetupFlags setup;
  std::uint32_t uring_feature_bits = 0;  // IORING_FEAT_*
  std::bitset<256> uring_opcodes;        // IORING_OP_* the kernel says it supports

  bool provided_buffer_ring = false;
  bool incremental_buffers = false;  // a provided buffer may be filled piece by piece
  bool multishot_accept = false;
  bool multishot_receive = false;
  bool receive_bundles = false;
  bool send_zero_copy = false;
  bool ring_messages = false;
  bool futex_wait = false;
  bool bind_and_listen = false;
  bool direct_descriptors = false;  // a sparse table whose slots the kernel hands out
  bool registered_ring_fd = false;

  bool guard_pages = false;  // MADV_GUARD_INSTALL
  bool reuse_port = false;   // SO_REUSEPORT
};

KernelFeatures probe_kernel_features();

// What a refused io_uring_setup() had to do with; separate from asking, so that it can be tested.
struct UringRefusal {
  int os_errno = 0;
  std::optional<int> disabled_sysctl = std::nullopt;
  bool seccomp_filtered = false;
  std::uint64_t memlock_bytes = 0;
};
std::string explain_uring_refusal(const UringRefusal& refusal);

}  // namespace weft::ksvc
