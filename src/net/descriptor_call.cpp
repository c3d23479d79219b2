#include "net/descriptor_call.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/core/assert.hpp"
#include "net/os_thread_wait.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/detail/waiter.hpp"

namespace weft {

void detail::Descriptor::close_open() noexcept {
  const int fd = std::exchange(fd_, -1);
  net::DescriptorCall* const first = std::exchange(calls_, nullptr);
  if (first == nullptr) return net::close_descriptor(fd);
  net::DescriptorCall* call = first;
  do {
    call->cancel();
    call = call->next_;
  } while (call != first);
}

void detail::Descriptor::stop_for_calls() noexcept {
  WEFT_ASSERT(false && "a stream, or another thing to wait on, was moved while someone waited");
  __builtin_unreachable();
}

namespace net {

namespace {

// More than the kernel moves in one call, less than its counts can hold.
constexpr std::size_t kMostAtOnce = 1U << 30;

constexpr std::int64_t kPauseNs = 1'000'000;
constexpr unsigned kMostCallsInARow = 16;

std::uint32_t at_once(std::size_t size) noexcept {
  return static_cast<std::uint32_t>(std::min(size, kMostAtOnce));
}

// A Unix socket is connected at once, or there is no room for it. A ring would have a thread of the
// kernel's wait for room, and that one does not always hear of a cancel.
std::int32_t connect_at_once(int fd, const sockaddr* address, socklen_t size) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const std::int32_t result = ::connect(fd, address, size) == 0 ? 0 : -errno;
  ::fcntl(fd, F_SETFL, flags);
  return result;
}

// Ends with the first event, which the operation itself would not.
struct ReadinessWait : gvt::ParkedOperation {
  ReadinessWait(gvt::BlockingIo& worker_io, int watched_fd) noexcept
      : ParkedOperation(worker_io.scheduler()), io(worker_io), fd(watched_fd) {
    on_completion = &ReadinessWait::told;
  }

  static void told(CompletionTarget& target, unsigned, const ksvc::Completion& completion) {
    auto& self = static_cast<ReadinessWait&>(target);
    const bool first = !self.ready && completion.result >= 0;
    self.ready = self.ready || first;
    if (completion.more) {
      if (first) self.io.submit(ksvc::Cancel{self.fd, self.corr_id()}, 0);
      return;
    }
    self.result = self.ready ? 0 : completion.result;
    self.done = true;
    self.scheduler.make_ready(self.waiter);
  }

  gvt::BlockingIo& io;
  int fd;
  bool ready = false;
};

}  // namespace

void close_descriptor(int fd) noexcept {
  gvt::BlockingIo* const io = gvt::current_io();
  if (io != nullptr) {
    io->submit(ksvc::Close{fd}, 0);
  } else {
    ::close(fd);
  }
}

std::int32_t cancelled_here() noexcept {
  return gvt::current_io() != nullptr ? gvt::cancelled_already() : cancelled_on_os_thread();
}

std::int32_t pause_before_next_try(const char* what, ksvc::TimePoint deadline) {
  const std::int64_t until = detail::deadline_after(kPauseNs);
  detail::Waiter waiter(what);
  waiter.wait(std::min(until, deadline.ns));
  if (const std::int32_t reason = cancelled_here(); reason != 0) return reason;
  return until >= deadline.ns ? -ETIMEDOUT : 0;
}

DescriptorCall::DescriptorCall(detail::Descriptor& on, Direction direction,
                               std::chrono::nanoseconds timeout) noexcept
    : owner_(&on), io_(gvt::current_io()), fd_(on.fd_), direction_(direction) {
  if (timeout.count() > 0) deadline_ = {detail::deadline_after(timeout.count())};
  // What this worker remembers of the descriptor, others would not know of.
  if (io_ != nullptr && io_->remembers_descriptors()) detail::current_task().stays = true;
  DescriptorCall* const other = on.calls_;
  on.calls_ = this;
  if (other == nullptr) return;
  WEFT_ASSERT(other->next_ == other && other->direction_ != direction &&
              "one green thread may read, or accept, at a time, and one may write");
  next_ = previous_ = other;
  other->next_ = other->previous_ = this;
}

DescriptorCall::~DescriptorCall() {
  const bool last = next_ == this;
  if (owner_ != nullptr) {
    owner_->calls_ = last ? nullptr : next_;
  } else if (last) {
    close_descriptor(fd_);
  }
  next_->previous_ = previous_;
  previous_->next_ = next_;
}

void DescriptorCall::cancel() noexcept {
  WEFT_ASSERT(io_ != nullptr && io_ == gvt::current_io() &&
              "what is waited on is closed by another green thread of the same worker");
  owner_ = nullptr;
  if (operation_ != nullptr && !operation_->done) {
    io_->submit(ksvc::Cancel{operation_fd_, operation_->corr_id()}, 0);
  }
}

std::int32_t DescriptorCall::refusal() const noexcept {
  if (owner_ == nullptr) return -ECANCELED;
  if (fd_ < 0) return -EBADF;
  return cancelled_here();
}

std::int32_t DescriptorCall::park_in(gvt::ParkedOperation& operation, int fd) {
  operation_ = &operation;
  operation_fd_ = fd;
  const std::int32_t result = gvt::park_until_completed(*io_, operation, fd, deadline_);
  operation_ = nullptr;
  // Where a thread of the kernel's waited, to be cancelled is to be interrupted.
  return result == -EINTR && owner_ == nullptr ? -ECANCELED : result;
}

template <class Op>
std::int32_t DescriptorCall::perform(const Op& op) {
  io_->scheduler().prepare_park();
  gvt::ParkedOperation operation(io_->scheduler());
  io_->submit(op, operation.corr_id());
  return park_in(operation, op.fd);
}

std::int32_t DescriptorCall::watch_readable(int fd) {
  io_->scheduler().prepare_park();
  ReadinessWait operation(*io_, fd);
  io_->submit(ksvc::PollReadable{fd}, operation.corr_id());
  return park_in(operation, fd);
}

std::int32_t DescriptorCall::receive(void* data, std::size_t size) {
  if (const std::int32_t reason = refusal(); reason != 0) return reason;
  if (io_ != nullptr) return perform(ksvc::ReceiveInto{fd_, data, at_once(size)});
  for (;;) {
    const ssize_t got = ::recv(fd_, data, at_once(size), MSG_DONTWAIT);
    if (got >= 0) return static_cast<std::int32_t>(got);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (const std::int32_t failed = wait_until_readable(); failed != 0) return failed;
  }
}

std::int32_t DescriptorCall::send(const void* data, std::size_t size) {
  if (const std::int32_t reason = refusal(); reason != 0) return reason;
  if (io_ != nullptr) return perform(ksvc::Send{fd_, data, at_once(size)});
  for (;;) {
    const ssize_t sent = ::send(fd_, data, at_once(size), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::int32_t>(sent);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (const std::int32_t failed = wait_until_writable(); failed != 0) return failed;
  }
}

std::int32_t DescriptorCall::accept() {
  if (const std::int32_t reason = refusal(); reason != 0) return reason;
  if (io_ != nullptr) return perform(ksvc::Accept{fd_, false});
  ksvc::make_nonblocking(fd_);
  for (;;) {
    const int taken = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (taken >= 0) return taken;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (const std::int32_t failed = wait_until_readable(); failed != 0) return failed;
  }
}

std::int32_t DescriptorCall::connect(const sockaddr* address, socklen_t size) {
  for (;;) {
    if (const std::int32_t reason = refusal(); reason != 0) return reason;
    std::int32_t result = 0;
    if (address->sa_family == AF_UNIX) {
      result = connect_at_once(fd_, address, size);
    } else if (io_ != nullptr) {
      result = perform(ksvc::Connect{fd_, address, size});
    } else {
      result = connect_on_os_thread(address, size);
    }
    // A Unix listener whose queue is full; nothing tells when there is room again.
    if (result != -EAGAIN) return result;
    const std::int32_t failed = pause_before_next_try("room in a listener's queue", deadline_);
    if (failed != 0) return failed;
  }
}

std::int32_t DescriptorCall::connect_on_os_thread(const sockaddr* address, socklen_t size) {
  ksvc::make_nonblocking(fd_);
  if (::connect(fd_, address, size) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return -errno;
  if (const std::int32_t failed = wait_until_writable(); failed != 0) return failed;
  int failed = 0;
  socklen_t failed_size = sizeof failed;
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &failed, &failed_size);
  return -failed;
}

std::int32_t DescriptorCall::wait_until_readable() {
  if (io_ == nullptr) return wait_on_os_thread(fd_, POLLIN, deadline_);
  if (const std::int32_t reason = refusal(); reason != 0) return reason;
  return watch_readable(fd_);
}

std::int32_t DescriptorCall::wait_until_writable() {
  if (io_ == nullptr) return wait_on_os_thread(fd_, POLLOUT, deadline_);
  if (const std::int32_t reason = refusal(); reason != 0) return reason;
  // No operation waits for this. But an epoll instance is readable when what it watches has an
  // event, whichever that is.
  const int watcher = ::epoll_create1(EPOLL_CLOEXEC);
  if (watcher < 0) return -errno;
  epoll_event event{};
  event.events = EPOLLOUT;
  const bool watches = ::epoll_ctl(watcher, EPOLL_CTL_ADD, fd_, &event) == 0;
  const std::int32_t result = watches ? watch_readable(watcher) : -errno;
  close_descriptor(watcher);
  return result;
}

void DescriptorCall::did_not_wait() {
  if (io_ == nullptr || owner_ == nullptr) return;
  if (++owner_->calls_in_a_row_ < kMostCallsInARow) return;
  owner_->calls_in_a_row_ = 0;
  // The call is this worker's, so the caller stays here.
  gvt::GreenThread& here = io_->scheduler().running();
  ++here.bound;
  io_->scheduler().yield();
  --here.bound;
}

}  // namespace net

}  // namespace weft
