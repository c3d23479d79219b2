// ClientUrl: what a client needs to know of an http:// URL, and how a redirect's is found.
//
// Invariants: host and port make a connection, authority is fit for a Host field, and target for a
// request line; none of them holds a byte that would break out. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::http {

struct ClientUrl {
  std::string host;  // a name in lower case, or an address without brackets
  std::uint16_t port = 80;
  std::string authority;  // as the URL has it, in lower case, without port 80
  std::string target;     // path and query; begins with a slash

  [[nodiscard]] bool same_origin(const ClientUrl& other) const {
    return host == other.host && port == other.port;
  }
  [[nodiscard]] std::string text() const { return "http://" + authority + target; }
};

// Reads an absolute URL of at most so many bytes; a fragment is left out. Empty when it could, else
// a sentence that says why not.
[[nodiscard]] std::string parse_url(std::string_view text, std::size_t most_bytes, ClientUrl& url);

// What `reference`, the value of a Location field say, means in an answer from `base` (RFC 3986
// §5.2); the same as parse_url() otherwise.
[[nodiscard]] std::string resolve_url(const ClientUrl& base, std::string_view reference,
                                      std::size_t most_bytes, ClientUrl& url);

}  // namespace weft::http
