// Listening sockets: binding, and the port that was bound.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "net/address.hpp"
#include "weft/net.hpp"
#include "weft/result.hpp"

namespace weft::net {

struct ListenAddress {
  std::string host = "127.0.0.1";  // an IPv4 or IPv6 address, or "localhost"
  std::uint16_t port = 0;          // 0: the system chooses
  // How long to wait, blocking the OS thread, for a port that another program just left.
  std::chrono::milliseconds patience{0};
};

struct Listeners {
  std::vector<int> fds;  // one per worker, each with a queue of its own; the caller closes them
  std::uint16_t port = 0;
};

// Opens `count` sockets on one address, between which the kernel spreads the clients. Accepted
// sockets inherit TCP_NODELAY. An address that another program uses is refused even where the
// kernel would share it.
Result<Listeners> listen_on(const ListenAddress& address, std::size_t count);

// Opens one, which is the caller's to close. Accepted sockets inherit TCP_NODELAY.
Result<int> open_listener(const SocketAddress& address, const ListenOptions& options);

}  // namespace weft::net
