#include "http/forwarded.hpp"

#include <algorithm>
#include <charconv>

#include "http/header_text.hpp"
#include "http/uri.hpp"

namespace weft::http {

namespace {

// A name of 253 bytes (RFC 1035), its final dot, and a port.
constexpr std::size_t kMostHostBytes = 260;

// The elements of all fields of one name, from the last to the first.
class FromTheRight {
 public:
  FromTheRight(const HeadView& head, std::string_view lower_case_name) noexcept
      : head_(head), name_(lower_case_name), next_field_(head.header_count()) {}

  // The next one that is not empty; false at the end.
  bool take(std::string_view& element) noexcept {
    for (;;) {
      while (rest_.empty()) {
        if (!find_field()) return false;
      }
      element = trim_blanks(take_last(rest_));
      if (!element.empty()) return true;
    }
  }

 private:
  bool find_field() noexcept {
    while (next_field_ > 0) {
      const HeaderField field = head_.header(--next_field_);
      if (!equals_ignoring_case(field.name, name_)) continue;
      rest_ = field.value;
      return true;
    }
    return false;
  }

  // A comma in quotes separates nothing; a quote with an odd number of backslashes in front of it
  // neither begins nor ends any.
  static std::string_view take_last(std::string_view& list) noexcept {
    bool quoted = false;
    for (std::size_t at = list.size(); at-- > 0;) {
      if (list[at] == '"') {
        std::size_t first = at;
        while (first > 0 && list[first - 1] == '\\') --first;
        if ((at - first) % 2 == 0) quoted = !quoted;
        at = first;
      } else if (list[at] == ',' && !quoted) {
        const std::string_view last = list.substr(at + 1);
        list = list.substr(0, at);
        return last;
      }
    }
    const std::string_view last = list;
    list = {};
    return last;
  }

  const HeadView& head_;
  std::string_view name_;
  std::size_t next_field_;
  std::string_view rest_;
};

std::optional<std::uint16_t> parse_port(std::string_view digits) noexcept {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  if (digits.empty() || stop != end || error != std::errc{}) return std::nullopt;
  return port;
}

std::string_view scheme_of(std::string_view text) noexcept {
  if (equals_ignoring_case(text, "https")) return "https";
  return equals_ignoring_case(text, "http") ? "http" : std::string_view();
}

bool is_host(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMostHostBytes && is_authority(text);
}

// What one element of a Forwarded field says; empty where it says nothing.
struct Hop {
  std::string_view node;
  std::string_view scheme;
  std::string_view host;
};

// A token or a quoted string at the start of the text, which is shortened by it.
std::optional<std::string_view> take_value(std::string_view& text) noexcept {
  if (!text.starts_with('"')) {
    const std::string_view value = text.substr(0, text.find(';'));
    text.remove_prefix(value.size());
    const std::string_view trimmed = trim_blanks(value);
    // Who forgets the quotes around a port or an IPv6 address is understood all the same.
    const bool is_plain = trimmed.find_first_of("\"\\ \t=") == std::string_view::npos;
    return is_plain && !trimmed.empty() ? std::optional(trimmed) : std::nullopt;
  }
  const std::size_t end = text.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view value = text.substr(1, end - 1);
  text = trim_blanks(text.substr(end + 1));
  // Nothing that is of use needs an escape.
  return value.find('\\') == std::string_view::npos ? std::optional(value) : std::nullopt;
}

// False when it is malformed.
bool parse_hop(std::string_view element, Hop& hop) noexcept {
  for (;;) {
    element = trim_blanks(element);
    const std::size_t sign = element.find('=');
    if (sign == std::string_view::npos) return false;
    const std::string_view name = element.substr(0, sign);
    if (!is_token(name)) return false;
    element.remove_prefix(sign + 1);
    const auto value = take_value(element);
    if (!value) return false;
    std::string_view* const known = equals_ignoring_case(name, "for")     ? &hop.node
                                    : equals_ignoring_case(name, "proto") ? &hop.scheme
                                    : equals_ignoring_case(name, "host")  ? &hop.host
                                                                          : nullptr;
    if (known != nullptr) {
      // Each at most once (RFC 7239 §4).
      if (known->data() != nullptr) return false;
      *known = *value;
    }
    if (element.empty()) return true;
    if (element.front() != ';') return false;
    element.remove_prefix(1);
  }
}

void read_forwarded(const HeadView& head, const TrustedProxies& trusted,
                    Forwarded& client) noexcept {
  FromTheRight elements(head, "forwarded");
  std::string_view element;
  for (std::size_t i = 0; i < kMostProxies && elements.take(element); ++i) {
    Hop hop;
    if (!parse_hop(element, hop)) return;
    if (const auto scheme = scheme_of(hop.scheme); !scheme.empty()) client.scheme = scheme;
    if (is_host(hop.host)) client.host = hop.host;
    // One that is "unknown" or hidden is not looked behind.
    const auto node = parse_node(hop.node);
    if (!node) return;
    client.address = *node;
    if (!trusted.trust(*node)) return;
  }
}

// The element of the proxy that named the client. One that has fewer was written anew on its way,
// and its first is by the proxy nearest to the client.
std::string_view element_at(const HeadView& head, std::string_view name,
                            std::size_t from_the_right) noexcept {
  FromTheRight elements(head, name);
  std::string_view found;
  for (std::size_t i = 0; i <= from_the_right && elements.take(found); ++i) {
  }
  return found;
}

void read_x_forwarded(const HeadView& head, const TrustedProxies& trusted,
                      Forwarded& client) noexcept {
  FromTheRight elements(head, "x-forwarded-for");
  std::string_view element;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < kMostProxies && elements.take(element); ++i) {
    const auto node = parse_node(element);
    if (!node) break;
    client.address = *node;
    depth = i;
    if (!trusted.trust(*node)) break;
  }
  const auto scheme = scheme_of(element_at(head, "x-forwarded-proto", depth));
  if (!scheme.empty()) client.scheme = scheme;
  const auto host = element_at(head, "x-forwarded-host", depth);
  if (is_host(host)) client.host = host;
}

}  // namespace

std::optional<weft::Endpoint> parse_node(std::string_view text) noexcept {
  std::string_view address = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    address = text.substr(1, end - 1);
    if (address.find(':') == std::string_view::npos) return std::nullopt;
    port = text.substr(end + 1);
    has_port = !port.empty();
    if (has_port && port.front() != ':') return std::nullopt;
    port = port.substr(has_port ? 1 : 0);
  } else if (std::ranges::count(text, ':') == 1) {
    const std::size_t colon = text.find(':');
    address = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  const auto number = has_port ? parse_port(port) : std::uint16_t{0};
  weft::Endpoint endpoint;
  if (!number || !parse_plain_address(address, *number, endpoint)) return std::nullopt;
  return endpoint;
}

Forwarded find_client(const HeadView& head, const std::optional<weft::Endpoint>& peer,
                      const TrustedProxies& trusted, ProxyFields fields) noexcept {
  Forwarded client;
  client.host = head.host();
  if (peer) client.address = without_mapping(*peer);
  const bool is_proxy = client.address ? trusted.trust(*client.address) : trusted.trust_unix();
  if (!is_proxy) return client;
  if (fields == ProxyFields::forwarded) {
    read_forwarded(head, trusted, client);
  } else {
    read_x_forwarded(head, trusted, client);
  }
  return client;
}

}  // namespace weft::http
