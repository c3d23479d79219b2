// CookieJar: cookies as a client keeps them for one host (RFC 6265 §5).
//
// Domains are not looked at, and neither is `Secure`: there is one host, and it is a test's. Not
// shared between threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::app {

class CookieJar {
 public:
  // A Set-Cookie field of an answer to a request for `path`. One that is none is left out.
  void take(std::string_view field, std::string_view path, std::int64_t unix_seconds);
  void set(std::string name, std::string value, std::string path);
  void clear() noexcept { cookies_.clear(); }

  // The Cookie field for a request for `path`; empty: none.
  std::string field(std::string_view path, std::int64_t unix_seconds) const;
  // Of several of that name, the one set last.
  std::string_view find(std::string_view name) const noexcept;

 private:
  struct Cookie {
    std::string name;
    std::string value;
    std::string path;
    std::optional<std::int64_t> expires;
  };

  void put(Cookie cookie, std::int64_t unix_seconds);

  std::vector<Cookie> cookies_;
};

}  // namespace weft::app
