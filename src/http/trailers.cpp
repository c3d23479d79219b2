#include "http/trailers.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "http/head_parser.hpp"
#include "http/letter_case.hpp"
#include "http/response.hpp"

namespace weft::http {

namespace {

// What frames or routes a message, authenticates, or says how to read the body: whoever took such
// a field from behind the body would take it too late, or from someone else.
bool belongs_into_head(std::string_view name) {
  constexpr std::array<std::string_view, 22> kNames{"authorization",
                                                    "cache-control",
                                                    "connection",
                                                    "content-encoding",
                                                    "content-length",
                                                    "content-range",
                                                    "content-type",
                                                    "cookie",
                                                    "expect",
                                                    "host",
                                                    "keep-alive",
                                                    "max-forwards",
                                                    "pragma",
                                                    "proxy-authorization",
                                                    "proxy-authenticate",
                                                    "range",
                                                    "set-cookie",
                                                    "te",
                                                    "trailer",
                                                    "transfer-encoding",
                                                    "upgrade",
                                                    "www-authenticate"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [name](std::string_view lower) { return equals_ignoring_case(name, lower); });
}

}  // namespace

std::optional<std::string_view> find_trailer(std::string_view lines, std::string_view name) {
  if (belongs_into_head(name)) return std::nullopt;
  while (!lines.empty()) {
    std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(line.size() + 2, lines.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equal_in_any_case(line.substr(0, colon), name)) {
      continue;
    }
    line.remove_prefix(colon + 1);
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return std::string_view{};
    return line.substr(begin, line.find_last_not_of(" \t") + 1 - begin);
  }
  return std::nullopt;
}

void require_trailer(std::string_view name, std::string_view value) {
  Response::require_field(name, value);
  if (!belongs_into_head(name)) return;
  throw std::invalid_argument("header " + std::string(name) + " cannot be sent as a trailer");
}

}  // namespace weft::http
