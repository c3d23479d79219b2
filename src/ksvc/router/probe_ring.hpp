// ProbeRing: a small io_uring on bare system calls, for trying operations once.
//
// Bare calls, because a probe must not depend on what a library thinks of the kernel. One
// operation at a time; not for serving. Used by the thread that made it only.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace weft::ksvc {

class ProbeRing {
 public:
  struct Outcome {
    std::int32_t result = 0;  // as the system call returns it, or -errno
    bool more = false;        // the operation stays armed
  };

  ProbeRing() = default;
  ~ProbeRing();
  ProbeRing(const ProbeRing&) = delete;
  ProbeRing& operator=(const ProbeRing&) = delete;

  // Makes the ring. Returns 0 or the errno of what refused it.
  int open();
  // Submits one operation and waits up to a second for its first completion.
  std::optional<Outcome> perform(const io_uring_sqe& operation);
  // io_uring_register() on this ring: what it returned, or -errno.
  int register_call(unsigned command, void* argument, unsigned count);

  int fd() const noexcept { return fd_; }
  std::uint32_t feature_bits() const noexcept { return parameters_.features; }

 private:
  struct Mapping {
    void* address = nullptr;
    std::size_t bytes = 0;
  };
  bool map(Mapping& mapping, std::size_t bytes, std::uint64_t offset);
  int enter_and_wait();

  io_uring_params parameters_{};
  int fd_ = -1;
  Mapping submissions_;
  Mapping completions_;
  Mapping entries_;
};

// io_uring_setup() as it is: a descriptor, or -errno.
int raw_uring_setup(unsigned entries, io_uring_params& parameters);

}  // namespace weft::ksvc
