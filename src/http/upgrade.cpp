#include "http/upgrade.hpp"

#include <algorithm>

namespace weft::http {

namespace {

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

}  // namespace

bool names_protocol(const HeadView& head, std::string_view protocol) {
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const HeaderField field = head.header(i);
    if (!equals_ignoring_case(field.name, "upgrade")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (equals_ignoring_case(without_blanks(rest.substr(0, comma)), protocol)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

}  // namespace weft::http
