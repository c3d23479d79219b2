#include "net/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>

namespace weft::net {

namespace {
std::uint16_t* port_of(sockaddr_storage& storage) noexcept {
  return storage.ss_family == AF_INET6 ? &reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                                       : &reinterpret_cast<sockaddr_in*>(&storage)->sin_port;
}
}  // namespace

void SocketAddress::set_port(std::uint16_t port) noexcept { *port_of(storage) = htons(port); }

Result<SocketAddress> parse_address(const std::string& host, std::uint16_t port) {
  const char* text = host == "localhost" ? "127.0.0.1" : host.c_str();
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    result.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    result.size = sizeof *v6;
  } else {
    return Error{ErrorCode::invalid_argument, EINVAL};
  }
  result.set_port(port);
  return result;
}

std::uint16_t bound_port(int fd) noexcept {
  SocketAddress address;
  address.size = sizeof address.storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  return ntohs(*port_of(address.storage));
}

}  // namespace weft::net
