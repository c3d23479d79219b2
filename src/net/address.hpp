// Socket addresses from what people write, and from endpoints: numeric IPv4 and IPv6 addresses, and
// "localhost"; paths of Unix sockets.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "weft/endpoint.hpp"
#include "weft/result.hpp"

namespace weft::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
  void set_port(std::uint16_t port) noexcept;
};

Result<SocketAddress> parse_address(const std::string& host, std::uint16_t port);
// `path` is one of the file system, or "@" and a name in Linux's abstract namespace.
Result<SocketAddress> unix_address(const std::string& path);
inline bool is_abstract(const std::string& path) noexcept { return path.starts_with('@'); }
SocketAddress address_of(const Endpoint& endpoint) noexcept;
// Of an IPv4 or IPv6 address.
Endpoint endpoint_of(const SocketAddress& address) noexcept;

// The port that a socket is bound to.
std::uint16_t bound_port(int fd) noexcept;
// Of a TCP socket.
Result<Endpoint> local_endpoint(int fd);
Result<Endpoint> peer_endpoint(int fd);

}  // namespace weft::net
