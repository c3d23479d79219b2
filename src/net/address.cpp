#include "net/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace weft::net {

namespace {

sockaddr_in& v4_of(SocketAddress& address) noexcept {
  return reinterpret_cast<sockaddr_in&>(address.storage);
}
sockaddr_in6& v6_of(SocketAddress& address) noexcept {
  return reinterpret_cast<sockaddr_in6&>(address.storage);
}

// What stands behind the % of a link-local address: an interface's number or name. 0: neither.
std::uint32_t scope_of(const std::string& text) noexcept {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec == std::errc{} && parsed.ptr == end) return number;
  return ::if_nametoindex(text.c_str());
}

bool parse_v6(const std::string& text, sockaddr_in6& into) noexcept {
  const std::size_t percent = text.find('%');
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &into.sin6_addr) != 1) return false;
  if (percent == std::string::npos) return true;
  into.sin6_scope_id = scope_of(text.substr(percent + 1));
  return into.sin6_scope_id != 0;
}

using NameOf = int (*)(int, sockaddr*, socklen_t*) noexcept;

Result<Endpoint> endpoint_by(NameOf name_of, int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (name_of(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
    return Error::from_errno(errno);
  }
  // Clients of a Unix socket have no address.
  if (address.family() != AF_INET && address.family() != AF_INET6) {
    return Error::from_errno(EAFNOSUPPORT);
  }
  return endpoint_of(address);
}

}  // namespace

void SocketAddress::set_port(std::uint16_t port) noexcept {
  (family() == AF_INET6 ? v6_of(*this).sin6_port : v4_of(*this).sin_port) = htons(port);
}

Result<SocketAddress> parse_address(const std::string& host, std::uint16_t port) {
  const std::string text = host == "localhost" ? "127.0.0.1" : host;
  // What inet_pton() is given ends at the first zero.
  if (text.find('\0') != std::string::npos) return Error{ErrorCode::invalid_argument, EINVAL};
  SocketAddress result;
  if (::inet_pton(AF_INET, text.c_str(), &v4_of(result).sin_addr) == 1) {
    result.storage.ss_family = AF_INET;
    result.size = sizeof(sockaddr_in);
  } else if (parse_v6(text, v6_of(result))) {
    result.storage.ss_family = AF_INET6;
    result.size = sizeof(sockaddr_in6);
  } else {
    return Error{ErrorCode::invalid_argument, EINVAL};
  }
  result.set_port(port);
  return result;
}

Result<SocketAddress> unix_address(const std::string& path) {
  SocketAddress result;
  auto* address = reinterpret_cast<sockaddr_un*>(&result.storage);
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Error{ErrorCode::invalid_argument, EINVAL};
  }
  // A path of the file system ends in a zero.
  const std::size_t size = path.size() + (is_abstract(path) ? 0 : 1);
  if (size > sizeof address->sun_path) return Error::from_errno(ENAMETOOLONG);
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.data(), path.size());
  if (is_abstract(path)) address->sun_path[0] = '\0';
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  return result;
}

SocketAddress address_of(const Endpoint& endpoint) noexcept {
  SocketAddress result;
  if (endpoint.is_ipv6()) {
    sockaddr_in6& address = v6_of(result);
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, endpoint.bytes().data(), sizeof address.sin6_addr);
    address.sin6_scope_id = endpoint.scope();
    result.size = sizeof address;
  } else {
    sockaddr_in& address = v4_of(result);
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, endpoint.bytes().data(), sizeof address.sin_addr);
    result.size = sizeof address;
  }
  result.set_port(endpoint.port());
  return result;
}

Endpoint endpoint_of(const SocketAddress& address) noexcept {
  SocketAddress copy = address;
  if (address.family() == AF_INET6) {
    const sockaddr_in6& v6 = v6_of(copy);
    Endpoint::Ipv6Bytes bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return {bytes, ntohs(v6.sin6_port), v6.sin6_scope_id};
  }
  const sockaddr_in& v4 = v4_of(copy);
  Endpoint::Ipv4Bytes bytes;
  std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
  return {bytes, ntohs(v4.sin_port)};
}

std::uint16_t bound_port(int fd) noexcept {
  auto endpoint = local_endpoint(fd);
  return endpoint ? endpoint->port() : std::uint16_t{0};
}

Result<Endpoint> local_endpoint(int fd) {
  return endpoint_by([](int of, sockaddr* into,
                        socklen_t* size) noexcept { return ::getsockname(of, into, size); },
                     fd);
}

Result<Endpoint> peer_endpoint(int fd) {
  return endpoint_by([](int of, sockaddr* into,
                        socklen_t* size) noexcept { return ::getpeername(of, into, size); },
                     fd);
}

}  // namespace weft::net
