#include "http/trusted_proxies.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "http/header_text.hpp"
#include "http/log_text.hpp"

namespace weft::http {

namespace {

constexpr unsigned kMappedBits = 96;
// Of an entry that makes no sense so much is repeated.
constexpr std::size_t kShownBytes = 60;

weft::Endpoint::Ipv6Bytes as_ipv6(const weft::Endpoint& address) noexcept {
  if (address.is_ipv6()) return address.bytes();
  weft::Endpoint::Ipv6Bytes bytes{};
  bytes[10] = bytes[11] = 0xff;
  std::copy_n(address.bytes().begin(), 4, bytes.begin() + 12);
  return bytes;
}

bool same_beginning(const weft::Endpoint::Ipv6Bytes& left, const weft::Endpoint::Ipv6Bytes& right,
                    unsigned bits) noexcept {
  const unsigned whole = bits / 8;
  if (!std::equal(left.begin(), left.begin() + whole, right.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((left[whole] ^ right[whole]) >> (8 - rest)) == 0;
}

}  // namespace

bool parse_plain_address(std::string_view text, std::uint16_t port, weft::Endpoint& into) noexcept {
  char copy[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof copy) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  if (std::strlen(copy) != text.size()) return false;
  weft::Endpoint::Ipv4Bytes ipv4;
  if (::inet_pton(AF_INET, copy, ipv4.data()) == 1) {
    into = weft::Endpoint(ipv4, port);
    return true;
  }
  weft::Endpoint::Ipv6Bytes ipv6;
  if (::inet_pton(AF_INET6, copy, ipv6.data()) != 1) return false;
  into = without_mapping(weft::Endpoint(ipv6, port));
  return true;
}

weft::Endpoint without_mapping(const weft::Endpoint& endpoint) noexcept {
  constexpr weft::Endpoint::Ipv6Bytes kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!endpoint.is_ipv6() || !same_beginning(endpoint.bytes(), kMapped, kMappedBits)) {
    return endpoint;
  }
  weft::Endpoint::Ipv4Bytes ipv4;
  std::copy_n(endpoint.bytes().begin() + 12, 4, ipv4.begin());
  return {ipv4, endpoint.port()};
}

std::variant<TrustedProxies, std::string> TrustedProxies::parse(std::string_view list) {
  TrustedProxies proxies;
  while (!list.empty()) {
    const std::string_view entry = take_element(list);
    if (entry.empty() || proxies.add(entry)) continue;
    return "no network to trust is \"" + printable(entry.substr(0, kShownBytes)) +
           "\": use addresses, networks such as 10.0.0.0/8 or fd00::/8, loopback, private or unix, "
           "with commas between them";
  }
  return proxies;
}

bool TrustedProxies::add(std::string_view entry) {
  if (entry == "unix") return unix_ = true;
  if (entry == "loopback") {
    add_network("127.0.0.0", 8);
    add_network("::1", 128);
    return true;
  }
  if (entry == "private") {
    add_network("10.0.0.0", 8);
    add_network("172.16.0.0", 12);
    add_network("192.168.0.0", 16);
    add_network("fc00::", 7);
    return true;
  }
  const std::size_t slash = entry.find('/');
  weft::Endpoint address;
  if (!parse_plain_address(entry.substr(0, slash), 0, address)) return false;
  const unsigned most = address.is_ipv6() ? 128 : 32;
  unsigned bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = entry.substr(slash + 1);
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, bits);
    if (digits.empty() || stop != end || error != std::errc{} || bits > most) return false;
  }
  networks_.push_back({as_ipv6(address), bits + (address.is_ipv6() ? 0 : kMappedBits)});
  return true;
}

void TrustedProxies::add_network(const char* address, unsigned bits) {
  weft::Endpoint first;
  parse_plain_address(address, 0, first);
  networks_.push_back({as_ipv6(first), bits + (first.is_ipv6() ? 0 : kMappedBits)});
}

bool TrustedProxies::trust(const weft::Endpoint& address) const noexcept {
  const weft::Endpoint::Ipv6Bytes bytes = as_ipv6(address);
  return std::ranges::any_of(networks_, [&](const Network& network) {
    return same_beginning(bytes, network.bytes, network.bits);
  });
}

}  // namespace weft::http
