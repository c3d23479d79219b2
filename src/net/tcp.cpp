#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/address.hpp"
#include "net/descriptor_call.hpp"
#include "net/listener.hpp"
#include "net/outcome.hpp"
#include "weft/cancel.hpp"
#include "weft/dns.hpp"
#include "weft/net.hpp"

namespace weft {

using net::DescriptorCall;
using net::Direction;

namespace {

Result<void> set_option(int fd, int level, int option, int value) noexcept {
  return net::done_or_errno(::setsockopt(fd, level, option, &value, sizeof value));
}

int seconds_of(std::chrono::seconds time) noexcept { return static_cast<int>(time.count()); }

}  // namespace

Result<TcpStream> TcpStream::connect(const Endpoint& peer) {
  const net::SocketAddress address = net::address_of(peer);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::from_errno(errno);
  TcpStream stream(fd);
  static_cast<void>(stream.set_no_delay(true));
  std::int32_t result = 0;
  {
    DescriptorCall call(stream.descriptor_, Direction::out);
    result = call.connect(address.get(), address.size);
  }
  if (result < 0) return net::error_of(result);
  return stream;
}

Result<TcpStream> TcpStream::connect(const std::string& host, std::uint16_t port) {
  if (auto address = Endpoint::parse(host, port)) return connect(*address);
  auto found = resolve(host, port);
  if (!found) return found.error();
  Error last;
  for (const Endpoint& peer : *found) {
    auto stream = connect(peer);
    if (stream || cancelled()) return stream;
    last = stream.error();
  }
  return last;
}

Result<Endpoint> TcpStream::local_endpoint() const { return net::local_endpoint(fd()); }
Result<Endpoint> TcpStream::peer_endpoint() const { return net::peer_endpoint(fd()); }

Result<void> TcpStream::set_no_delay(bool on) noexcept {
  return set_option(fd(), IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

Result<void> TcpStream::set_keep_alive(const KeepAlive& options) noexcept {
  const struct {
    int level, option, value;
  } settings[] = {
      {IPPROTO_TCP, TCP_KEEPIDLE, seconds_of(options.idle)},
      {IPPROTO_TCP, TCP_KEEPINTVL, seconds_of(options.interval)},
      {IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(options.questions)},
      {SOL_SOCKET, SO_KEEPALIVE, 1},
  };
  for (const auto& setting : settings) {
    auto set = set_option(fd(), setting.level, setting.option, setting.value);
    if (!set) return set;
  }
  return {};
}

Result<void> TcpStream::clear_keep_alive() noexcept {
  return set_option(fd(), SOL_SOCKET, SO_KEEPALIVE, 0);
}

Result<TcpListener> TcpListener::bind(const std::string& host, std::uint16_t port,
                                      const ListenOptions& options) {
  auto address = net::parse_address(host, port);
  if (!address) return address.error();
  auto fd = net::open_listener(*address, options);
  if (!fd) return fd.error();
  return TcpListener(*fd, net::bound_port(*fd));
}

Result<TcpStream> TcpListener::accept() {
  DescriptorCall call(descriptor_, Direction::in, timeout_);
  const std::int32_t result = call.accept();
  if (result < 0) return net::error_of(result);
  return TcpStream(result);
}

Result<Endpoint> TcpListener::local_endpoint() const { return net::local_endpoint(fd()); }

}  // namespace weft
