// A route pattern taken apart: `/users/{id:int}/files/*path` as static texts and parameters.
//
// Invariants of a parsed pattern: it begins with '/'; `:name`, `{name}` and `{name:type}` fill a
// whole segment; `*name`, which is also spelled `{name:path}`, is last; names are letters, digits
// and underscores, and differ; at most max_route_params of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/param_type.hpp"

namespace weft::http {

inline constexpr std::size_t max_route_params = 16;

struct PatternPiece {
  enum class Kind : std::uint8_t { text, param, wildcard };
  Kind kind;
  std::string text;               // the static text, or the name
  std::optional<ParamType> type;  // of a parameter that has one
};

struct RoutePattern {
  std::string text;
  std::vector<PatternPiece> pieces;

  [[nodiscard]] std::vector<std::string> names() const;
};

// The pattern, or a sentence that says what is wrong with it.
[[nodiscard]] std::variant<RoutePattern, std::string> parse_route_pattern(std::string_view pattern);

}  // namespace weft::http
