#include "http/cookie.hpp"

#include "http/header_text.hpp"

namespace weft::http {

bool take_cookie(std::string_view& rest, Cookie& cookie) {
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find(';'));
    rest.remove_prefix(pair.size() == rest.size() ? pair.size() : pair.size() + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    cookie.name = trim_blanks(pair.substr(0, equals));
    if (cookie.name.empty()) continue;
    cookie.value = trim_blanks(pair.substr(equals + 1));
    return true;
  }
  return false;
}

std::optional<std::string_view> Cookies::find(std::string_view name) const {
  for (const Cookie& cookie : *this) {
    if (cookie.name == name) return cookie.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> find_cookie(const HeadView& head, std::string_view name) {
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const HeaderField field = head.header(i);
    if (!equals_ignoring_case(field.name, "cookie")) continue;
    if (const auto value = Cookies(field.value).find(name)) return value;
  }
  return std::nullopt;
}

}  // namespace weft::http
