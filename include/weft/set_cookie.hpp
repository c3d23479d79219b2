// CookieOptions: what a cookie that is set says beside its name and value.
//
// Plain data. set_cookie_text() checks all of it against RFC 6265 and what browsers make of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

// Which requests from other sites carry the cookie; `unset` leaves it to the browser.
enum class SameSite : std::uint8_t { unset, lax, strict, none };

struct CookieOptions {
  std::string path = "/";   // empty: the folder of the request's path
  std::string domain = {};  // empty: this host alone, without those below it
  // How long it lives; goes before `expires`. Neither: until the browser ends.
  std::optional<std::chrono::seconds> max_age = {};
  // Until when it lives.
  std::optional<std::chrono::system_clock::time_point> expires = {};
  bool secure = false;                 // over TLS only
  bool http_only = true;               // out of reach of scripts
  SameSite same_site = SameSite::lax;  // whether other sites' requests carry it
};

// The value of a Set-Cookie field. Throws std::invalid_argument, with what to do, for a name that
// is no token; a value with blanks, quotes, commas, semicolons, backslashes, control bytes or bytes
// beyond ASCII; a path or domain that would break out; a name that begins with `__Secure-` without
// `secure`, or with `__Host-` without that, with a domain, or with another path than /;
// SameSite=None without `secure`; and more than 4,096 bytes, which browsers drop.
std::string set_cookie_text(std::string_view name, std::string_view value,
                            const CookieOptions& options = {});

}  // namespace weft
