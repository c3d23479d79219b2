#include "http/query.hpp"

#include <algorithm>

#include "http/uri.hpp"

namespace weft::http {

namespace {

// Whether the encoded name decodes to `name`; decodes only as far as they agree.
bool decodes_to(std::string_view encoded, std::string_view name) {
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

}  // namespace

void Query::Iterator::next() {
  while (rest_.starts_with('&')) rest_.remove_prefix(1);
  at_end_ = rest_.empty();
  const std::string_view pair = rest_.substr(0, rest_.find('&'));
  rest_.remove_prefix(pair.size());
  const std::size_t equals = std::min(pair.find('='), pair.size());
  pair_.name = pair.substr(0, equals);
  pair_.value = pair.substr(std::min(equals + 1, pair.size()));
}

std::optional<std::string_view> Query::find_raw(std::string_view name) const {
  for (const QueryPair& pair : *this) {
    if (decodes_to(pair.name, name)) return pair.value;
  }
  return std::nullopt;
}

std::optional<std::string> Query::find(std::string_view name) const {
  const auto raw = find_raw(name);
  return raw ? percent_decode(*raw, UriPart::query) : std::nullopt;
}

}  // namespace weft::http
