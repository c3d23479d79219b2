#include "app/middleware/proxy_fields.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/site.hpp"
#include "http/trailing_slash.hpp"
#include "http/trusted_proxies.hpp"
#include "http/upgrade.hpp"
#include "http/uri.hpp"

namespace weft::app {

namespace {

using http::equals_ignoring_case;

bool is_one_of(std::string_view name, const auto& lower_case_names) {
  return std::any_of(lower_case_names.begin(), lower_case_names.end(),
                     [name](std::string_view lower) { return equals_ignoring_case(name, lower); });
}

// Whether the two are one to upstreams that make variables of fields (RFC 3875 §4.1.18): there an
// underscore is what a hyphen becomes.
bool become_one(std::string_view a, std::string_view b) {
  const auto folded = [](char c) { return c == '_' ? '-' : http::lower_case(c); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [folded](char x, char y) { return folded(x) == folded(y); });
}

bool becomes_one_of(std::string_view name, const auto& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view one) { return become_one(name, one); });
}

// RFC 9110 §7.6.1, and what authenticates to the proxy itself.
constexpr std::array<std::string_view, 9> kOfOneConnection{"connection",
                                                           "keep-alive",
                                                           "proxy-connection",
                                                           "proxy-authenticate",
                                                           "proxy-authorization",
                                                           "te",
                                                           "transfer-encoding",
                                                           "upgrade",
                                                           "proxy-authentication-info"};

// Of requests: what the proxy writes itself, or answers.
constexpr std::array<std::string_view, 4> kWrittenAnew{"host", "content-length", "expect", "via"};

// What says who has asked, and is not to be believed of everybody.
constexpr std::array<std::string_view, 8> kForwarding{
    "forwarded",        "x-forwarded-for",    "x-forwarded-host",   "x-forwarded-proto",
    "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-server", "x-real-ip"};

// Of answers: what the server writes itself.
constexpr std::array<std::string_view, 3> kServersOwn{"content-length", "date", "server"};

// The names that a Connection field makes fields of one connection.
class Listed {
 public:
  void add(std::string_view value) {
    while (!value.empty()) {
      if (const auto name = http::take_element(value); !name.empty()) names_.push_back(name);
    }
  }
  bool has(std::string_view name) const {
    return std::any_of(names_.begin(), names_.end(), [name](std::string_view listed) {
      return http::equal_in_any_case(listed, name);
    });
  }

 private:
  std::vector<std::string_view> names_;
};

// The byte at the front of the text, or the one that is escaped there; shortens the text by it.
char take_decoded(std::string_view& text, bool& was_escaped) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  was_escaped = text.size() >= 3 && http::has_valid_escapes(text.substr(0, 3)) && text[0] == '%';
  const char byte =
      was_escaped ? static_cast<char>(digit(text[1]) * 16 + digit(text[2])) : text.front();
  text.remove_prefix(was_escaped ? 3 : 1);
  return byte;
}

// Upstreams decode before they look for segments, or behind it, and some of them take a backslash
// for a slash; in a semicolon begins what others take off a segment. Whoever reads it how: there is
// no segment of dots.
bool has_dot_segment(std::string_view path) {
  constexpr std::size_t kOther = 3;  // no segment of one or two dots
  std::size_t dots = kOther;
  bool was_escaped = false;
  while (!path.empty()) {
    const char byte = take_decoded(path, was_escaped);
    const bool ends = byte == '/' || byte == '\\' || (byte == ';' && !was_escaped);
    if (ends && (dots == 1 || dots == 2)) return true;
    if (ends) {
      dots = byte == ';' ? kOther : 0;
    } else {
      dots = byte == '.' ? std::min(dots + 1, kOther) : kOther;
    }
  }
  return dots == 1 || dots == 2;
}

// Letters, digits and '-', '_', '.' are the same escaped (RFC 3986 §6.2.2.2), to upstreams, and not
// to routes. The tilde is left out: there are clients that escape it.
bool is_disguised(std::string_view path) {
  bool was_escaped = false;
  while (!path.empty()) {
    const char byte = take_decoded(path, was_escaped);
    const char letter = static_cast<char>(byte | 0x20);
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') ||
                          byte == '-' || byte == '_' || byte == '.';
    if (was_escaped && is_plain) return true;
  }
  return false;
}

bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// What the client has sent under that name, in one line.
std::string joined(const http::HeadView& head, std::string_view lower_case_name) {
  std::string all;
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const http::HeaderField field = head.header(i);
    if (!equals_ignoring_case(field.name, lower_case_name) || field.value.empty()) continue;
    if (!all.empty()) all += ", ";
    all += field.value;
  }
  return all;
}

// RFC 7239 §4: a token as it is, anything else in quotes.
std::string forwarded_value(std::string_view text) {
  if (http::is_token(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') quoted += '\\';
    quoted += byte;
  }
  return quoted += '"';
}

// Whether who is at the other end is one of Options::trusted_proxies.
bool is_asked_by_trusted(Context& context) {
  const http::TrustedProxies& trusted = context.exchange().site().trusted_proxies;
  const auto peer = context.peer();
  return peer ? trusted.trust(http::without_mapping(*peer)) : trusted.trust_unix();
}

void add_forwarding(const ProxyOptions& options, Context& context,
                    std::vector<ClientField>& fields) {
  const http::HeadView head = context.exchange().head();
  // What is continued ends with who is at the other end. What begins here says who has asked, which
  // is somebody else where that is a proxy the server trusts (Options::trusted_proxies).
  const bool continues = options.trust_forwarded && is_asked_by_trusted(context);
  auto client = continues ? context.peer() : context.client_address();
  if (client) client = http::without_mapping(*client);
  const auto before = [&](std::string_view name) {
    return continues ? joined(head, name) : std::string();
  };
  const auto append = [](std::string list, const std::string& element) {
    if (!list.empty() && !element.empty()) list += ", ";
    return list += element;
  };
  const std::string host(continues ? head.host() : context.host());
  const std::string scheme(continues ? "http" : context.scheme());
  if (options.x_forwarded) {
    const auto put = [&fields](const char* name, std::string value) {
      if (!value.empty()) fields.push_back({name, std::move(value)});
    };
    put("X-Forwarded-For", append(before("x-forwarded-for"), client ? client->host() : ""));
    std::string first_host = before("x-forwarded-host");
    put("X-Forwarded-Host", first_host.empty() ? host : std::move(first_host));
    std::string first_proto = before("x-forwarded-proto");
    put("X-Forwarded-Proto", first_proto.empty() ? scheme : std::move(first_proto));
    put("X-Forwarded-Prefix", append(before("x-forwarded-prefix"), options.strip_prefix));
  }
  if (!options.forwarded) return;
  std::string element = "for=";
  if (!client) {
    element += "unknown";
  } else {
    element += client->is_ipv6() ? "\"[" + client->host() + "]\"" : client->host();
  }
  if (!host.empty()) element.append(";host=").append(forwarded_value(host));
  element.append(";proto=").append(scheme);
  fields.push_back({"Forwarded", append(before("forwarded"), element)});
}

std::string location_through(const ProxyOptions& options, const ProxyUpstream& upstream,
                             std::string_view host, std::string_view location) {
  constexpr std::string_view kScheme = "http://";
  std::string_view path = location;
  if (equals_ignoring_case(path.substr(0, kScheme.size()), kScheme)) {
    path.remove_prefix(kScheme.size());
    const std::size_t end = std::min(path.find_first_of("/?#"), path.size());
    const std::string_view authority = path.substr(0, end);
    // To where the client asks already it may stay as it is, but for its path.
    if (!http::equal_in_any_case(authority, upstream.authority) && authority != host) {
      return std::string(location);
    }
    path.remove_prefix(end);
  } else if (!path.starts_with('/') || path.starts_with("//")) {
    return std::string(location);
  }
  const std::size_t path_end = std::min(path.find_first_of("?#"), path.size());
  if (!upstream.base_path.empty() && is_below(path.substr(0, path_end), upstream.base_path)) {
    path.remove_prefix(upstream.base_path.size());
  }
  std::string through = options.strip_prefix;
  through.append(path.starts_with('/') ? "" : "/").append(path);
  // By itself it would be another host's; so it is the same path, here (RFC 3986 §5.2.4).
  if (!http::stays_here(through)) through.insert(0, "/.");
  return through;
}

}  // namespace

std::optional<std::string> proxied_path(const ProxyOptions& options, std::string_view path) {
  if (!path.starts_with('/') || has_dot_segment(path) || is_disguised(path)) return std::nullopt;
  if (!options.strip_prefix.empty() && is_below(path, options.strip_prefix)) {
    path.remove_prefix(options.strip_prefix.size());
    if (path.empty()) path = "/";
  }
  return options.rewrite ? options.rewrite(path) : std::string(path);
}

std::string_view wanted_upgrade(const ProxyOptions& options, const http::HeadView& head) {
  if (!head.head().upgrade) return {};
  for (const std::string& protocol : options.upgrades) {
    if (http::names_protocol(head, protocol)) return protocol;
  }
  return {};
}

std::vector<ClientField> proxied_fields(const ProxyOptions& options, Context& context,
                                        const ProxyUpstream& upstream, std::string_view upgrade) {
  const http::HeadView head = context.exchange().head();
  Listed listed;
  bool takes_trailers = false;
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const http::HeaderField field = head.header(i);
    if (equals_ignoring_case(field.name, "connection")) listed.add(field.value);
    if (!equals_ignoring_case(field.name, "te")) continue;
    for (std::string_view list = field.value; !list.empty();) {
      takes_trailers |= equals_ignoring_case(http::take_element(list), "trailers");
    }
  }
  std::vector<ClientField> fields;
  fields.reserve(head.header_count() + 8);
  const bool by_client = options.host == ProxyHost::client && !head.host().empty();
  fields.push_back({"Host", by_client ? std::string(head.host()) : upstream.authority});
  const auto is_set = [&options](std::string_view name) {
    return std::any_of(options.headers.begin(), options.headers.end(),
                       [name](const ClientField& own) { return become_one(own.name, name); });
  };
  const bool unpacked = head.head().encoded_body && context.exchange().bodies().unpacks_body();
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const http::HeaderField field = head.header(i);
    if (unpacked && become_one("content-encoding", field.name)) continue;
    if (becomes_one_of(field.name, kOfOneConnection) || becomes_one_of(field.name, kWrittenAnew) ||
        becomes_one_of(field.name, kForwarding) || listed.has(field.name) || is_set(field.name)) {
      continue;
    }
    fields.push_back({std::string(field.name), std::string(field.value)});
  }
  fields.insert(fields.end(), options.headers.begin(), options.headers.end());
  add_forwarding(options, context, fields);
  std::string via = joined(head, "via");
  if (!options.via.empty()) {
    via.append(via.empty() ? "" : ", ").append(head.head().minor_version == 0 ? "1.0 " : "1.1 ");
    via.append(options.via);
  }
  if (!via.empty()) fields.push_back({"Via", std::move(via)});
  if (!upgrade.empty()) {
    fields.push_back({"Connection", "Upgrade"});
    fields.push_back({"Upgrade", std::string(upgrade)});
  } else if (takes_trailers) {
    fields.push_back({"Connection", "TE"});
    fields.push_back({"TE", "trailers"});
  }
  return fields;
}

void pass_back_head(const ProxyOptions& options, Context& context, const ProxyUpstream& upstream,
                    const ClientHead& head) {
  const std::vector<ClientFieldView> fields = head.headers();
  Listed listed;
  for (const ClientFieldView& field : fields) {
    if (equals_ignoring_case(field.name, "connection")) listed.add(field.value);
  }
  http::Exchange& exchange = context.exchange();
  http::Response& response = exchange.response();
  response.status = head.status();
  response.content_type = {};
  if (exchange.unrouted() != nullptr) {
    // What the server would have said by itself.
    response.body.clear();
    context.answer().remove_header("allow");
  }
  for (const ClientFieldView& field : fields) {
    if (is_one_of(field.name, kOfOneConnection) || is_one_of(field.name, kServersOwn) ||
        listed.has(field.name)) {
      continue;
    }
    const bool leads = options.rewrite_location && !options.rewrite &&
                       (equals_ignoring_case(field.name, "location") ||
                        equals_ignoring_case(field.name, "content-location"));
    if (leads) {
      context.add_header(field.name,
                         location_through(options, upstream, exchange.head().host(), field.value));
    } else {
      context.add_header(field.name, field.value);
    }
  }
}

}  // namespace weft::app
