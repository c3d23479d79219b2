#include "net/os_thread_wait.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gvt/blocking_io.hpp"
#include "ksvc/core/scoped_descriptor.hpp"
#include "weft/detail/cancel_node.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::net {

using detail::CancelListener;
using detail::CancelNode;
using detail::CancelReason;

namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// Makes a descriptor readable when the caller is cancelled, for poll() to see.
class CancelDoorbell : private CancelListener {
 public:
  explicit CancelDoorbell(CancelNode* node) noexcept
      : CancelListener(&CancelDoorbell::ring),
        node_(node),
        event_(node != nullptr ? ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1) {
    // One that is cancelled already has no need to be heard.
    if (node_ != nullptr && !node_->listen(*this)) node_ = nullptr;
  }
  ~CancelDoorbell() {
    if (node_ != nullptr) node_->ignore(*this);
  }

  int fd() const noexcept { return event_.get(); }

 private:
  static void ring(CancelListener& self, CancelReason) noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written =
        ::write(static_cast<CancelDoorbell&>(self).fd(), &one, sizeof one);
  }

  CancelNode* node_;
  ksvc::ScopedDescriptor event_;
};

// An OS thread has no timers: what has a deadline is cancelled by whoever looks at it.
std::int64_t ns_left(CancelNode* node, ksvc::TimePoint deadline) noexcept {
  const std::int64_t node_deadline = node != nullptr ? node->deadline_ns() : detail::kNever;
  const std::int64_t earlier = std::min(deadline.ns, node_deadline);
  if (earlier == detail::kNever) return detail::kNever;
  const std::int64_t left = earlier - detail::now_ns();
  if (left <= 0 && earlier == node_deadline) node->cancel(CancelReason::timed_out);
  return left;
}

}  // namespace

std::int32_t cancelled_on_os_thread() noexcept {
  CancelNode* const node = detail::current_task().cancel;
  if (node != nullptr) ns_left(node, ksvc::kNoDeadline);
  return gvt::cancelled_already();
}

std::int32_t wait_on_os_thread(int fd, short events, ksvc::TimePoint deadline) noexcept {
  CancelNode* const node = detail::current_task().cancel;
  const CancelDoorbell doorbell(node);
  if (node != nullptr && doorbell.fd() < 0) return -EMFILE;
  pollfd watched[] = {{fd, events, 0}, {doorbell.fd(), POLLIN, 0}};
  for (;;) {
    const std::int64_t left = ns_left(node, deadline);
    if (const std::int32_t reason = gvt::cancelled_already(); reason != 0) return reason;
    if (left <= 0) return -ETIMEDOUT;
    const timespec limit{left / kNsPerSecond, left % kNsPerSecond};
    const int count = ::ppoll(watched, 2, left == detail::kNever ? nullptr : &limit, nullptr);
    if (count < 0 && errno != EINTR) return -errno;
    if (count > 0 && watched[0].revents != 0) return 0;
  }
}

}  // namespace weft::net
