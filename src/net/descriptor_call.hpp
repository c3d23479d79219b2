// DescriptorCall: one call on a Descriptor, with all the operations and waits it is made of.
//
// It lives on the stack of whoever makes the call. In a green thread every wait is an operation of
// the worker, on another OS thread a poll(). When the Descriptor is closed in the meantime, the
// wait under way is cancelled, later ones are refused, and the last call to end closes for the
// system; by then the Descriptor itself may be gone, so a call looks at nothing of its owner's
// after it has waited. Results are as of the operations: a count or 0, or a negative errno.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>

#include "gvt/blocking_io.hpp"
#include "weft/detail/descriptor.hpp"

namespace weft::net {

class CoroCall;

enum class Direction : std::uint8_t { in, out };

class DescriptorCall {
 public:
  // `timeout` is for the call as a whole; zero: none.
  DescriptorCall(detail::Descriptor& on, Direction direction,
                 std::chrono::nanoseconds timeout = {}) noexcept;
  ~DescriptorCall();
  DescriptorCall(const DescriptorCall&) = delete;
  DescriptorCall& operator=(const DescriptorCall&) = delete;

  int fd() const noexcept { return fd_; }
  // Why nothing may be begun: the Descriptor is closed, or the caller is cancelled; or 0.
  std::int32_t refusal() const noexcept;

  std::int32_t receive(void* data, std::size_t size);
  // All of it, or the count that was sent before something went wrong.
  std::int32_t send(const void* data, std::size_t size);
  std::int32_t accept();
  std::int32_t connect(const sockaddr* address, socklen_t size);
  // For descriptors that do not block. May come back for nothing.
  std::int32_t wait_until_readable();
  std::int32_t wait_until_writable();
  // Something was done without waiting. Who never has to wait lets others go first now and then.
  void did_not_wait();

 private:
  friend class detail::Descriptor;
  friend class CoroCall;  // the same, of a coroutine

  template <class Op>
  std::int32_t perform(const Op& op);
  std::int32_t watch_readable(int fd);
  std::int32_t park_in(gvt::ParkedOperation& operation, int fd);
  std::int32_t connect_on_os_thread(const sockaddr* address, socklen_t size);
  void cancel() noexcept;

  detail::Descriptor* owner_;  // null when that is closed
  gvt::BlockingIo* io_;        // null: on an OS thread
  int fd_;
  Direction direction_;
  ksvc::TimePoint deadline_ = ksvc::kNoDeadline;
  // What is under way, and the descriptor it was submitted for.
  gvt::ParkedOperation* operation_ = nullptr;
  int operation_fd_ = -1;
  // The calls on one descriptor, in a ring.
  DescriptorCall* next_ = this;
  DescriptorCall* previous_ = this;
};

// Waits a moment for what nothing tells of, which is then to be tried again: 0; or why not
// (-ETIMEDOUT, -ECANCELED).
std::int32_t pause_before_next_try(const char* what, ksvc::TimePoint deadline);

// Why the caller must not begin to wait: -ECANCELED or -ETIMEDOUT; 0 when it may.
std::int32_t cancelled_here() noexcept;

// Closes what nobody waits on, on the worker if there is one.
void close_descriptor(int fd) noexcept;

}  // namespace weft::net
