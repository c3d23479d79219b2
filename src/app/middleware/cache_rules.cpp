#include "app/middleware/cache_rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/date.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/response_fields.hpp"

namespace weft::app {

namespace {

using std::chrono::seconds;

// §1.2.2: what is more than fits is that. Nothing when it is no number, which is stale (§4.2.1).
std::optional<seconds> parse_seconds(std::string_view text) {
  constexpr long long kMost = 1LL << 31;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  long long value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return seconds(end.ec == std::errc() ? std::min(value, kMost) : kMost);
}

bool is_storable_status(int status) {
  // Of those that may be kept unless they say otherwise (RFC 9110 §15.1), whole ones.
  constexpr std::array kStatuses{200, 203, 204, 300, 301, 308, 404, 410};
  return std::ranges::find(kStatuses, status) != kStatuses.end();
}

bool has_default_lifetime(int status) { return status < 400; }

// What Expires leaves (§5.3); one that is malformed has passed.
seconds time_until(std::string_view date) {
  const auto at = http::parse_http_date(date);
  if (!at) return seconds(0);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return seconds(*at) - std::chrono::duration_cast<seconds>(now);
}

// False for `*`.
bool read_vary(std::string_view value, std::vector<std::string>& names) {
  while (!value.empty()) {
    const std::string_view name = http::take_element(value);
    if (name == "*") return false;
    if (name.empty()) continue;
    names.push_back(http::in_lower_case(std::string(name)));
  }
  return true;
}

}  // namespace

void CacheDirectives::add(std::string_view value) {
  while (!value.empty()) {
    const std::string_view element = http::take_element(value);
    const std::size_t equals = std::min(element.find('='), element.size());
    const std::string_view name = http::trim_blanks(element.substr(0, equals));
    const std::string_view argument =
        http::trim_blanks(element.substr(std::min(equals + 1, element.size())));
    const auto is = [&](std::string_view known) { return http::equals_ignoring_case(name, known); };
    // With field names these two are about those alone; to keep nothing is on the safe side.
    if (is("no-store") || is("no-cache") || is("private")) forbidden = true;
    if (is("public") || is("must-revalidate")) is_public = true;
    if (is("max-age")) {
      max_age = parse_seconds(argument);
      forbidden |= !max_age;
    }
    if (is("s-maxage")) {
      shared_max_age = parse_seconds(argument);
      is_public = true;
      forbidden |= !shared_max_age;
    }
    if (is("stale-while-revalidate")) stale_while_revalidate = parse_seconds(argument);
    // Old answers are not to be given then.
    if (is("must-revalidate") || is("proxy-revalidate")) stale_while_revalidate = seconds(0);
  }
}

std::optional<CachePermission> permission_to_keep(const http::Response& response,
                                                  std::chrono::milliseconds ttl,
                                                  std::chrono::milliseconds stale) {
  if (!is_storable_status(response.status)) return std::nullopt;
  CacheDirectives directives;
  CachePermission permission;
  bool allowed = true;
  std::optional<seconds> until_expiry;
  http::for_each_field(
      response.fields.view(), [&](std::string_view, std::string_view name, std::string_view value) {
        if (http::equals_ignoring_case(name, "cache-control")) directives.add(value);
        if (http::equals_ignoring_case(name, "expires")) {
          until_expiry = std::min(time_until(value), until_expiry.value_or(seconds::max()));
        }
        if (http::equals_ignoring_case(name, "set-cookie")) allowed = false;
        if (http::equals_ignoring_case(name, "content-range")) allowed = false;
        if (http::equals_ignoring_case(name, "vary")) {
          allowed = allowed && read_vary(value, permission.vary);
        }
        return allowed;
      });
  if (!allowed || directives.forbidden) return std::nullopt;
  std::sort(permission.vary.begin(), permission.vary.end());
  const auto repeated = std::unique(permission.vary.begin(), permission.vary.end());
  permission.vary.erase(repeated, permission.vary.end());
  if (directives.shared_max_age) {
    permission.fresh = *directives.shared_max_age;
  } else if (directives.max_age) {
    permission.fresh = *directives.max_age;
  } else if (until_expiry) {
    permission.fresh = *until_expiry;
  } else if (has_default_lifetime(response.status)) {
    permission.fresh = ttl;
  }
  if (permission.fresh.count() <= 0) return std::nullopt;
  permission.stale = directives.stale_while_revalidate
                         ? std::chrono::milliseconds(*directives.stale_while_revalidate)
                         : stale;
  permission.is_public = directives.is_public;
  return permission;
}

bool request_says(const http::HeadView& head, std::string_view directive) {
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const http::HeaderField field = head.header(i);
    if (!http::equals_ignoring_case(field.name, "cache-control")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      if (http::equals_ignoring_case(http::take_element(list), directive)) return true;
    }
  }
  return false;
}

}  // namespace weft::app
