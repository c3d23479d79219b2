// Forwarded: who a request's client is, as the proxies that are trusted tell it (RFC 7239, and the
// X-Forwarded-… fields that came before it).
//
// A proxy adds what it knows at the right end of a field, and passes on what stood there, which
// anybody may have written. So a field is read from its right end: while what it names is a trusted
// proxy the element before it counts, too. What is malformed ends that, and what is to the left of
// it is not looked at. Nothing is copied; views are of the head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/head_parser.hpp"
#include "http/trusted_proxies.hpp"
#include "weft/endpoint.hpp"

namespace weft::http {

struct Forwarded {
  std::optional<weft::Endpoint> address;  // none where that is not known
  std::string_view scheme = "http";
  std::string_view host;
};

// Which fields the proxies write. The others are whatever a client has sent.
enum class ProxyFields : std::uint8_t { x_forwarded, forwarded };

// More proxies one behind the other than this are not believed in: the walk ends there.
inline constexpr std::size_t kMostProxies = 32;

// `peer` is the other end of the connection; none: it came over a Unix socket.
Forwarded find_client(const HeadView& head, const std::optional<weft::Endpoint>& peer,
                      const TrustedProxies& trusted, ProxyFields fields) noexcept;

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"
std::optional<weft::Endpoint> parse_node(std::string_view text) noexcept;

}  // namespace weft::http
