// TrustedProxies: the addresses whose word is taken for who the client is.
//
// Plain data, made once and then only read; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weft/endpoint.hpp"

namespace weft::http {

class TrustedProxies {
 public:
  // Nobody.
  TrustedProxies() = default;
  // Of addresses ("192.0.2.1"), networks ("10.0.0.0/8", "fd00::/8") and the names "loopback",
  // "private" (RFC 1918, RFC 4193) and "unix" (who comes over a Unix socket), with commas between
  // them. Or a sentence that says what is wrong.
  static std::variant<TrustedProxies, std::string> parse(std::string_view list);

  bool empty() const noexcept { return networks_.empty() && !unix_; }
  bool trust(const weft::Endpoint& address) const noexcept;
  bool trust_unix() const noexcept { return unix_; }

 private:
  // IPv4 as ::ffff:0:0/96 has it.
  struct Network {
    weft::Endpoint::Ipv6Bytes bytes;
    unsigned bits;
  };

  bool add(std::string_view entry);
  void add_network(const char* address, unsigned bits);

  std::vector<Network> networks_;
  bool unix_ = false;
};

// Of digits as inet_pton() takes them, with no port; what is IPv4 in the shape of IPv6 becomes
// IPv4. False when it is no address.
bool parse_plain_address(std::string_view text, std::uint16_t port, weft::Endpoint& into) noexcept;
// The same for an endpoint that there is.
weft::Endpoint without_mapping(const weft::Endpoint& endpoint) noexcept;

}  // namespace weft::http
