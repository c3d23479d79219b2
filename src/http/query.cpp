#include "http/query.hpp"

#include <algorithm>

#include "http/uri.hpp"

namespace weft::http {

bool take_query_pair(std::string_view& rest, QueryPair& pair) {
  while (rest.starts_with('&')) rest.remove_prefix(1);
  if (rest.empty()) return false;
  const std::string_view text = rest.substr(0, rest.find('&'));
  rest.remove_prefix(text.size());
  const std::size_t equals = std::min(text.find('='), text.size());
  pair.name = text.substr(0, equals);
  pair.value = text.substr(std::min(equals + 1, text.size()));
  return true;
}

// Decodes only as far as the two agree.
bool Query::is_named(const QueryPair& pair, std::string_view name) {
  const std::string_view encoded = pair.name;
  if (is_plain(encoded, UriPart::query)) return encoded == name;
  std::size_t at = 0;
  for (std::size_t i = 0; i < encoded.size();) {
    const std::size_t width = encoded[i] == '%' ? 3 : 1;
    char decoded[3];
    const auto written = percent_decode(encoded.substr(i, width), UriPart::query, decoded);
    if (!written || at == name.size() || name[at] != decoded[0]) return false;
    ++at;
    i += width;
  }
  return at == name.size();
}

std::optional<std::string_view> Query::find_raw(std::string_view name) const {
  for (const QueryPair& pair : *this) {
    if (is_named(pair, name)) return pair.value;
  }
  return std::nullopt;
}

std::optional<std::string> Query::find(std::string_view name) const {
  const auto raw = find_raw(name);
  return raw ? percent_decode(*raw, UriPart::query) : std::nullopt;
}

}  // namespace weft::http
