#include "net/listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "net/address.hpp"

namespace weft::net {

namespace {

constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kBindPause{10};

Result<int> bound_socket(const SocketAddress& address, bool shared) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::from_errno(errno);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::bind(fd, address.get(), address.size) != 0) {
    const int failed = errno;
    ::close(fd);
    return Error::from_errno(failed);
  }
  return fd;
}

// Sockets that allow sharing would be let in beside another server of ours on the same port. So
// ask first with one that does not; and wait a little, for a port is held for some milliseconds
// after the process that used it through io_uring has ended.
Result<void> require_free(const SocketAddress& address, std::chrono::milliseconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (;;) {
    auto probe = bound_socket(address, false);
    if (probe) {
      const bool listens = ::listen(*probe, 1) == 0;
      const int failed = errno;
      ::close(*probe);
      if (listens) return {};
      if (failed != EADDRINUSE) return Error::from_errno(failed);
    } else if (probe.error().os_errno != EADDRINUSE) {
      return probe.error();
    }
    if (std::chrono::steady_clock::now() >= give_up) return Error::from_errno(EADDRINUSE);
    std::this_thread::sleep_for(kBindPause);
  }
}

}  // namespace

Result<Listeners> listen_on(const ListenAddress& address, std::size_t count) {
  auto resolved = parse_address(address.host, address.port);
  if (!resolved) return resolved.error();
  SocketAddress target = *resolved;
  if (address.port != 0) {
    if (auto free = require_free(target, address.patience); !free) return free.error();
  }
  Listeners result;
  for (std::size_t i = 0; i < count; ++i) {
    auto fd = bound_socket(target, true);
    int failed = fd ? 0 : fd.error().os_errno;
    if (fd) {
      result.fds.push_back(*fd);
      if (::listen(*fd, kBacklog) != 0) failed = errno;
    }
    if (failed != 0) {
      for (const int opened : result.fds) ::close(opened);
      return Error::from_errno(failed);
    }
    result.port = bound_port(result.fds.front());
    target.set_port(result.port);
  }
  return result;
}

}  // namespace weft::net
