#include "weft/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "net/address.hpp"

namespace weft {

Endpoint::Endpoint(const Ipv4Bytes& address, std::uint16_t port) noexcept : port_(port) {
  std::copy(address.begin(), address.end(), address_.begin());
}

Result<Endpoint> Endpoint::parse(const std::string& host, std::uint16_t port) {
  auto address = net::parse_address(host, port);
  if (!address) return address.error();
  return net::endpoint_of(*address);
}

std::string Endpoint::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(is_ipv6_ ? AF_INET6 : AF_INET, address_.data(), text, sizeof text);
  std::string result = text;
  if (scope_ != 0) result += '%' + std::to_string(scope_);
  return result;
}

std::string Endpoint::to_string() const {
  const std::string port = ':' + std::to_string(port_);
  return is_ipv6_ ? '[' + host() + ']' + port : host() + port;
}

}  // namespace weft
