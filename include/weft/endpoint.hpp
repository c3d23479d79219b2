// Endpoint: an IPv4 or IPv6 address and a port, what a TCP connection has at either end.
//
// A value; no name is looked up here: see dns.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "weft/result.hpp"

namespace weft {

class Endpoint {
 public:
  using Ipv4Bytes = std::array<std::uint8_t, 4>;   // in the order they are written in
  using Ipv6Bytes = std::array<std::uint8_t, 16>;  // in the order they are written in

  // 0.0.0.0:0
  Endpoint() noexcept = default;
  // An IPv4 address.
  Endpoint(const Ipv4Bytes& address, std::uint16_t port) noexcept;
  // An IPv6 address. `scope` is the number of the interface that a link-local address is of.
  Endpoint(const Ipv6Bytes& address, std::uint16_t port, std::uint32_t scope = 0) noexcept
      : address_(address), scope_(scope), port_(port), is_ipv6_(true) {}

  // `host` is an address: "192.0.2.7", "2001:db8::7", "fe80::7%eth0", or "localhost", which is
  // 127.0.0.1. Anything else is an invalid_argument.
  static Result<Endpoint> parse(const std::string& host, std::uint16_t port);

  // Otherwise it is IPv4.
  bool is_ipv6() const noexcept { return is_ipv6_; }
  // The address. Of an IPv4 address the first four.
  const Ipv6Bytes& bytes() const noexcept { return address_; }
  // The number of a link-local address's interface; 0: none.
  std::uint32_t scope() const noexcept { return scope_; }
  // 0 to 65,535.
  std::uint16_t port() const noexcept { return port_; }
  // The address alone, as parse() takes it.
  std::string host() const;
  // "192.0.2.7:80", "[2001:db8::7]:80"
  std::string to_string() const;

  // Whether address, interface and port are the same.
  friend bool operator==(const Endpoint&, const Endpoint&) = default;

 private:
  Ipv6Bytes address_{};
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  bool is_ipv6_ = false;
};

}  // namespace weft
