#include "weft/set_cookie.hpp"

#include <algorithm>
#include <ctime>
#include <stdexcept>

#include "http/date.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

// What browsers keep of name and value, and roughly of the rest (draft-ietf-httpbis-rfc6265bis
// §5.6).
constexpr std::size_t kMostBytes = 4096;

[[noreturn]] void refuse(std::string_view name, const std::string& why) {
  throw std::invalid_argument("the cookie \"" + std::string(name.substr(0, 64)) + "\" " + why);
}

// RFC 6265 §4.1.1, cookie-octet.
bool is_cookie_octet(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\';
}

bool is_path_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && c != ';';
}

bool is_domain_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.';
}

bool begins_with(std::string_view text, std::string_view prefix) {
  return http::equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

void check_attributes(std::string_view name, const CookieOptions& options) {
  if (!options.path.empty() && options.path.front() != '/') {
    refuse(name, "has a path that does not begin with a slash");
  }
  if (!std::all_of(options.path.begin(), options.path.end(), is_path_byte)) {
    refuse(name, "has a path with a semicolon or a control byte in it");
  }
  if (!std::all_of(options.domain.begin(), options.domain.end(), is_domain_byte)) {
    refuse(name, "has a domain that is no host name");
  }
  // Browsers compare these without case.
  const bool is_host = begins_with(name, "__host-");
  if ((is_host || begins_with(name, "__secure-")) && !options.secure) {
    refuse(name, "has a name that only cookies with .secure = true may have");
  }
  if (is_host && (!options.domain.empty() || options.path != "/")) {
    refuse(name, "has a name that needs the path / and no domain");
  }
  if (options.same_site == SameSite::none && !options.secure) {
    refuse(name, "has SameSite::none, which browsers take with .secure = true only");
  }
}

}  // namespace

std::string set_cookie_text(std::string_view name, std::string_view value,
                            const CookieOptions& options) {
  if (!http::is_token(name)) refuse(name, "has a name that is no token");
  if (!std::all_of(value.begin(), value.end(), is_cookie_octet)) {
    refuse(name,
           "has a value with a blank, quote, comma, semicolon, backslash, control byte or a byte "
           "beyond ASCII: encode it, in base64 say");
  }
  check_attributes(name, options);
  std::string text(name);
  text.append("=").append(value);
  if (!options.path.empty()) text.append("; Path=").append(options.path);
  if (!options.domain.empty()) text.append("; Domain=").append(options.domain);
  if (options.max_age) text.append("; Max-Age=").append(std::to_string(options.max_age->count()));
  if (options.expires) {
    char date[http::http_date_length];
    http::format_http_date(std::chrono::system_clock::to_time_t(*options.expires), date);
    text.append("; Expires=").append(date, sizeof date);
  }
  if (options.secure) text += "; Secure";
  if (options.http_only) text += "; HttpOnly";
  switch (options.same_site) {
    case SameSite::unset: break;
    case SameSite::lax: text += "; SameSite=Lax"; break;
    case SameSite::strict: text += "; SameSite=Strict"; break;
    case SameSite::none: text += "; SameSite=None"; break;
  }
  if (text.size() > kMostBytes) refuse(name, "is longer than the 4,096 bytes that browsers keep");
  return text;
}

Context& Context::set_cookie(std::string_view name, std::string_view value,
                             const CookieOptions& options) {
  return add_header("Set-Cookie", set_cookie_text(name, value, options));
}

Context& Context::clear_cookie(std::string_view name, CookieOptions options) {
  options.max_age = std::chrono::seconds(0);
  // For those that do not know Max-Age.
  options.expires = std::chrono::system_clock::time_point{};
  return set_cookie(name, "", options);
}

}  // namespace weft
