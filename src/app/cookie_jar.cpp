#include "app/cookie_jar.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>
#include <utility>

#include "http/date.hpp"
#include "http/head_parser.hpp"

namespace weft::app {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Takes what stands before the next `end`, and that.
std::string_view take_until(std::string_view& rest, char end) {
  const std::size_t size = std::min(rest.find(end), rest.size());
  const std::string_view taken = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return trimmed(taken);
}

// RFC 6265 §5.1.4: the folder that the path is in.
std::string_view default_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : path.substr(0, slash);
}

bool is_on(std::string_view path, std::string_view cookie_path) {
  if (!path.starts_with(cookie_path)) return false;
  return path.size() == cookie_path.size() || cookie_path.ends_with('/') ||
         path[cookie_path.size()] == '/';
}

// §5.2.2; nothing where it is no number.
std::optional<std::int64_t> expiry_by_age(std::string_view value, std::int64_t now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (end != value.data() + value.size() || value.empty()) return std::nullopt;
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  if (error == std::errc::result_out_of_range) return value[0] == '-' ? 0 : kNever;
  if (error != std::errc{}) return std::nullopt;
  if (seconds <= 0) return 0;
  return seconds > kNever - now ? kNever : now + seconds;
}

}  // namespace

void CookieJar::take(std::string_view field, std::string_view path, std::int64_t unix_seconds) {
  std::string_view pair = take_until(field, ';');
  if (pair.find('=') == std::string_view::npos) return;
  Cookie cookie;
  cookie.name = take_until(pair, '=');
  cookie.value = trimmed(pair);
  if (cookie.name.empty()) return;
  cookie.path = default_path(path);
  bool has_age = false;
  while (!field.empty()) {
    std::string_view value = take_until(field, ';');
    const std::string_view name = take_until(value, '=');
    value = trimmed(value);
    if (http::equals_ignoring_case(name, "path")) {
      cookie.path = value.starts_with('/') ? value : default_path(path);
    } else if (http::equals_ignoring_case(name, "max-age")) {
      const auto expires = expiry_by_age(value, unix_seconds);
      if (!expires) continue;
      cookie.expires = expires;
      has_age = true;
    } else if (http::equals_ignoring_case(name, "expires") && !has_age) {
      cookie.expires = http::parse_http_date(value);
    }
  }
  put(std::move(cookie), unix_seconds);
}

void CookieJar::set(std::string name, std::string value, std::string path) {
  put({std::move(name), std::move(value), std::move(path), std::nullopt}, 0);
}

void CookieJar::put(Cookie cookie, std::int64_t unix_seconds) {
  std::erase_if(cookies_, [&](const Cookie& kept) {
    return kept.name == cookie.name && kept.path == cookie.path;
  });
  if (cookie.expires && *cookie.expires <= unix_seconds) return;
  cookies_.push_back(std::move(cookie));
}

std::string CookieJar::field(std::string_view path, std::int64_t unix_seconds) const {
  // §5.4: longer paths first, and what was set first before the rest.
  std::vector<const Cookie*> sent;
  const auto is_longer = [](const Cookie* a, const Cookie* b) {
    return a->path.size() > b->path.size();
  };
  for (const Cookie& cookie : cookies_) {
    const bool expired = cookie.expires && *cookie.expires <= unix_seconds;
    if (expired || !is_on(path, cookie.path)) continue;
    sent.insert(std::upper_bound(sent.begin(), sent.end(), &cookie, is_longer), &cookie);
  }
  std::string field;
  for (const Cookie* cookie : sent) {
    if (!field.empty()) field += "; ";
    field.append(cookie->name).append("=").append(cookie->value);
  }
  return field;
}

std::string_view CookieJar::find(std::string_view name) const noexcept {
  for (auto cookie = cookies_.rbegin(); cookie != cookies_.rend(); ++cookie) {
    if (cookie->name == name) return cookie->value;
  }
  return {};
}

}  // namespace weft::app
