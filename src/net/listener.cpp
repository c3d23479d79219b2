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

constexpr std::chrono::milliseconds kBindPause{10};

Result<int> bound_socket(const SocketAddress& address, const ListenOptions& options) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::from_errno(errno);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (options.ipv6_only) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::bind(fd, address.get(), address.size) != 0) {
    const int failed = errno;
    ::close(fd);
    return Error::from_errno(failed);
  }
  return fd;
}

// Sockets that allow sharing would be let in beside another server of ours on the same port. So
// the first allows it only once the port is its own. That it listens by then already costs no
// client anything: it is there to stay. The wait is for a port that is held for some milliseconds
// after the process that used it through io_uring has ended.
Result<int> open_first(const SocketAddress& address, std::chrono::milliseconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (;;) {
    auto fd = open_listener(address, {});
    if (fd) {
      const int on = 1;
      ::setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
      return fd;
    }
    if (fd.error().os_errno != EADDRINUSE) return fd;
    if (std::chrono::steady_clock::now() >= give_up) return fd;
    std::this_thread::sleep_for(kBindPause);
  }
}

}  // namespace

Result<int> open_listener(const SocketAddress& address, const ListenOptions& options) {
  auto fd = bound_socket(address, options);
  if (!fd || ::listen(*fd, options.backlog) == 0) return fd;
  const int failed = errno;
  ::close(*fd);
  return Error::from_errno(failed);
}

Result<Listeners> listen_on(const ListenAddress& address, std::size_t count) {
  auto resolved = parse_address(address.host, address.port);
  if (!resolved) return resolved.error();
  SocketAddress target = *resolved;
  Listeners result;
  for (std::size_t i = 0; i < count; ++i) {
    auto fd =
        i == 0 ? open_first(target, address.patience) : open_listener(target, {.reuse_port = true});
    if (!fd) {
      for (const int opened : result.fds) ::close(opened);
      return fd.error();
    }
    result.fds.push_back(*fd);
    result.port = bound_port(result.fds.front());
    target.set_port(result.port);
  }
  return result;
}

}  // namespace weft::net
