#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "gvt/blocking_io.hpp"
#include "ksvc/core/assert.hpp"
#include "net/address.hpp"
#include "net/listener.hpp"
#include "weft/net.hpp"

namespace weft {

namespace {

// More than the kernel moves in one call, less than its counts can hold.
constexpr std::size_t kMostAtOnce = 1U << 30;

gvt::BlockingIo& io_of_this_worker() {
  gvt::BlockingIo* io = gvt::current_io();
  WEFT_ASSERT(io != nullptr && "TCP streams need a worker: see weft::run");
  return *io;
}

ksvc::TimePoint deadline_after(gvt::BlockingIo& io, std::chrono::nanoseconds timeout) {
  return timeout.count() > 0 ? io.now() + timeout : ksvc::kNoDeadline;
}

void close_descriptor(int fd) noexcept {
  gvt::BlockingIo* io = gvt::current_io();
  if (io != nullptr) {
    io->submit(ksvc::Close{fd}, 0);
  } else {
    ::close(fd);
  }
}

}  // namespace

Result<TcpStream> TcpStream::connect(const std::string& host, std::uint16_t port) {
  auto address = net::parse_address(host, port);
  if (!address) return address.error();
  const int fd = ::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::from_errno(errno);
  TcpStream stream(fd);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const std::int32_t result =
      gvt::submit_and_park(io_of_this_worker(), ksvc::Connect{fd, address->get(), address->size});
  if (result < 0) return Error::from_errno(-result);
  return stream;
}

TcpStream::TcpStream(TcpStream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), timeout_(other.timeout_) {}

TcpStream& TcpStream::operator=(TcpStream&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    timeout_ = other.timeout_;
  }
  return *this;
}

TcpStream::~TcpStream() { close(); }

void TcpStream::close() noexcept {
  if (fd_ >= 0) close_descriptor(std::exchange(fd_, -1));
}

Result<std::size_t> TcpStream::read(std::span<char> into) {
  // A count of 0 means the end of the stream, so there must be room for something else.
  if (into.empty()) return Error{ErrorCode::invalid_argument, EINVAL};
  gvt::BlockingIo& io = io_of_this_worker();
  const auto room = static_cast<std::uint32_t>(std::min(into.size(), kMostAtOnce));
  const ksvc::ReceiveInto op{fd_, into.data(), room};
  const std::int32_t result = gvt::submit_and_park_until(io, op, deadline_after(io, timeout_));
  if (result < 0) return Error::from_errno(-result);
  return static_cast<std::size_t>(result);
}

Result<void> TcpStream::read_exactly(std::span<char> into) {
  while (!into.empty()) {
    auto got = read(into);
    if (!got) return got.error();
    if (*got == 0) return Error{ErrorCode::end_of_stream, 0};
    into = into.subspan(*got);
  }
  return {};
}

Result<void> TcpStream::write(std::string_view bytes) {
  gvt::BlockingIo& io = io_of_this_worker();
  const ksvc::TimePoint deadline = deadline_after(io, timeout_);
  while (!bytes.empty()) {
    const auto step = static_cast<std::uint32_t>(std::min(bytes.size(), kMostAtOnce));
    const std::int32_t result =
        gvt::submit_and_park_until(io, ksvc::Send{fd_, bytes.data(), step}, deadline);
    if (result < 0) return Error::from_errno(-result);
    bytes.remove_prefix(static_cast<std::size_t>(result));
  }
  return {};
}

void TcpStream::shutdown_write() noexcept { ::shutdown(fd_, SHUT_WR); }

Result<TcpListener> TcpListener::bind(const std::string& host, std::uint16_t port) {
  auto opened = net::listen_on({host, port}, 1);
  if (!opened) return opened.error();
  return TcpListener(opened->fds.front(), opened->port);
}

TcpListener::TcpListener(TcpListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(other.port_) {}

TcpListener& TcpListener::operator=(TcpListener&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    port_ = other.port_;
  }
  return *this;
}

TcpListener::~TcpListener() { close(); }

void TcpListener::close() noexcept {
  if (fd_ >= 0) close_descriptor(std::exchange(fd_, -1));
}

Result<TcpStream> TcpListener::accept() {
  const std::int32_t result = gvt::submit_and_park(io_of_this_worker(), ksvc::Accept{fd_, false});
  if (result < 0) return Error::from_errno(-result);
  return TcpStream(result);
}

}  // namespace weft
