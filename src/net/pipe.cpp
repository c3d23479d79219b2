#include "weft/pipe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "ksvc/backend/socket_calls.hpp"
#include "net/descriptor_call.hpp"
#include "net/outcome.hpp"

namespace weft {

using net::DescriptorCall;
using net::Direction;
using net::error_of;

namespace {

// An open that does not wait for the other end: that could not be cancelled.
std::int32_t open_named(const std::string& path, int flags) noexcept {
  if (path.find('\0') != std::string::npos) return -EINVAL;
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK);
  return fd >= 0 ? fd : -errno;
}

std::int32_t receive(DescriptorCall& call, std::span<char> into) {
  for (;;) {
    if (const std::int32_t reason = call.refusal(); reason != 0) return reason;
    const ssize_t got = ::read(call.fd(), into.data(), std::min(into.size(), std::size_t{1} << 30));
    if (got >= 0) {
      call.did_not_wait();
      return static_cast<std::int32_t>(got);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (const std::int32_t failed = call.wait_until_readable(); failed != 0) return failed;
  }
}

// A pipe without readers raises SIGPIPE in the thread that writes: it is held back, and taken away
// again.
ssize_t write_without_signal(int fd, const char* data, std::size_t size) noexcept {
  struct sigaction present{};
  ::sigaction(SIGPIPE, nullptr, &present);
  if (present.sa_handler == SIG_IGN) return ::write(fd, data, size);
  sigset_t only;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&only);
  sigaddset(&only, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &only, &before);
  sigpending(&pending);
  const ssize_t put = ::write(fd, data, size);
  const int failed = errno;
  if (put < 0 && failed == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    const timespec at_once{0, 0};
    ::sigtimedwait(&only, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = failed;
  return put;
}

}  // namespace

int PipeEnd::release() noexcept {
  const int fd = descriptor_.release();
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  return fd;
}

Result<PipeReader> PipeReader::open(const std::string& path) {
  if (const std::int32_t reason = net::cancelled_here(); reason != 0) return error_of(reason);
  const std::int32_t fd = open_named(path, O_RDONLY);
  if (fd < 0) return error_of(fd);
  PipeReader reader(fd);
  reader.waits_for_writer_ = true;
  return reader;
}

PipeReader PipeReader::adopt(int fd) noexcept {
  ksvc::make_nonblocking(fd);
  return PipeReader(fd);
}

// Before the first writer there is nothing to read, which a read would take for the end; a wait
// does not.
std::int32_t PipeReader::wait_for_writer(DescriptorCall& call) {
  if (!waits_for_writer_) return 0;
  const std::int32_t failed = call.wait_until_readable();
  // Closed in the meantime, this may be gone.
  if (failed == 0 && call.refusal() == 0) waits_for_writer_ = false;
  return failed;
}

Result<std::size_t> PipeReader::read(std::span<char> into) {
  // A count of 0 means the end, so there must be room for something else.
  if (into.empty()) return Error{ErrorCode::invalid_argument, EINVAL};
  DescriptorCall call(descriptor_, Direction::in, timeout_);
  if (const std::int32_t failed = wait_for_writer(call); failed != 0) return error_of(failed);
  return net::count_of(receive(call, into));
}

Result<void> PipeReader::read_exactly(std::span<char> into) {
  DescriptorCall call(descriptor_, Direction::in, timeout_);
  if (const std::int32_t failed = wait_for_writer(call); failed != 0) return error_of(failed);
  while (!into.empty()) {
    const std::int32_t got = receive(call, into);
    if (got < 0) return error_of(got);
    if (got == 0) return Error{ErrorCode::end_of_stream, 0};
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Result<PipeWriter> PipeWriter::open(const std::string& path) {
  for (;;) {
    if (const std::int32_t reason = net::cancelled_here(); reason != 0) return error_of(reason);
    const std::int32_t fd = open_named(path, O_WRONLY);
    if (fd >= 0) return PipeWriter(fd);
    if (fd != -ENXIO) return error_of(fd);
    const std::int32_t failed = net::pause_before_next_try("a reader", ksvc::kNoDeadline);
    if (failed != 0) return error_of(failed);
  }
}

PipeWriter PipeWriter::adopt(int fd) noexcept {
  ksvc::make_nonblocking(fd);
  return PipeWriter(fd);
}

Result<void> PipeWriter::write(std::string_view bytes) {
  DescriptorCall call(descriptor_, Direction::out, timeout_);
  while (!bytes.empty()) {
    if (const std::int32_t reason = call.refusal(); reason != 0) return error_of(reason);
    const ssize_t put = write_without_signal(call.fd(), bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
      call.did_not_wait();
    } else if (errno == EAGAIN) {
      const std::int32_t failed = call.wait_until_writable();
      if (failed != 0) return error_of(failed);
    } else if (errno != EINTR) {
      return Error::from_errno(errno);
    }
  }
  return {};
}

Result<Pipe> Pipe::create() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return Error::from_errno(errno);
  return Pipe{PipeReader(fds[0]), PipeWriter(fds[1])};
}

Result<void> create_named_pipe(const std::string& path, unsigned permissions) {
  if (path.find('\0') != std::string::npos) return Error{ErrorCode::invalid_argument, EINVAL};
  return net::done_or_errno(::mkfifo(path.c_str(), permissions));
}

}  // namespace weft
