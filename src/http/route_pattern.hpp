// A route pattern taken apart: `/users/:id/files/*path` as static texts and named parameters.
//
// Invariants of a parsed pattern: it begins with '/'; `:name` fills a whole segment; `*name` is
// last; names are letters, digits and underscores, and differ; at most max_route_params of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::http {

inline constexpr std::size_t max_route_params = 16;

struct PatternPiece {
  enum class Kind : std::uint8_t { text, param, wildcard };
  Kind kind;
  std::string text;  // the static text, or the name
};

struct RoutePattern {
  std::string text;
  std::vector<PatternPiece> pieces;

  [[nodiscard]] std::vector<std::string> names() const;
};

// The pattern, or a sentence that says what is wrong with it.
[[nodiscard]] std::variant<RoutePattern, std::string> parse_route_pattern(std::string_view pattern);

}  // namespace weft::http
