#include "http/route_pattern.hpp"

#include <algorithm>
#include <utility>

#include "http/scan.hpp"

namespace weft::http {

namespace {

bool is_name(std::string_view text) {
  const auto is_name_byte = [](char byte) {
    const char lower = static_cast<char>(byte | 0x20);
    return (byte >= '0' && byte <= '9') || (lower >= 'a' && lower <= 'z') || byte == '_';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_name_byte);
}

// Static text is compared with paths as sent, so it can only hold what a path can hold.
bool is_static_text(std::string_view text) {
  return scan::target_end(text, 0) == text.size() && text.find('?') == std::string_view::npos;
}

std::string refuse(std::string_view pattern, std::string_view reason) {
  return "route " + std::string(pattern) + ": " + std::string(reason);
}

// What a segment says, or what is wrong with it.
using Segment = std::variant<PatternPiece, std::string_view>;

Segment parameter(PatternPiece::Kind kind, std::string_view name,
                  std::optional<ParamType> type = {}) {
  if (!is_name(name)) return "a parameter's name is made of letters, digits and underscores";
  return PatternPiece{kind, std::string(name), type};
}

// What is between the braces of `{name}` or `{name:type}`.
Segment braced_parameter(std::string_view inside) {
  using Kind = PatternPiece::Kind;
  const std::size_t colon = inside.find(':');
  const std::string_view name = inside.substr(0, colon);
  if (colon == std::string_view::npos) return parameter(Kind::param, name);
  const std::string_view type = inside.substr(colon + 1);
  if (type == "path") return parameter(Kind::wildcard, name);
  const auto known = param_type_from(type);
  if (!known) return "a parameter's type is one of int, uint, alpha, hex, uuid and path";
  return parameter(Kind::param, name, known);
}

Segment parse_segment(std::string_view segment) {
  using Kind = PatternPiece::Kind;
  if (segment.starts_with(':')) return parameter(Kind::param, segment.substr(1));
  if (segment.starts_with('*')) return parameter(Kind::wildcard, segment.substr(1));
  if (segment.starts_with('{') && segment.ends_with('}')) {
    return braced_parameter(segment.substr(1, segment.size() - 2));
  }
  if (segment.find('*') != std::string_view::npos) return "'*' must begin a segment";
  if (segment.find_first_of("{}") != std::string_view::npos) {
    return "'{' and '}' must enclose a whole segment";
  }
  if (!is_static_text(segment)) return "it holds a byte that a path cannot hold";
  return PatternPiece{Kind::text, std::string(segment), {}};
}

// Takes one segment, without its slash; returns what is wrong with it, or nothing.
std::string_view take_segment(std::string_view text, bool is_last, RoutePattern& parsed) {
  using Kind = PatternPiece::Kind;
  Segment segment = parse_segment(text);
  if (const auto* reason = std::get_if<std::string_view>(&segment)) return *reason;
  auto& piece = std::get<PatternPiece>(segment);
  if (piece.kind == Kind::text) {
    parsed.pieces.back().text += piece.text;
    return {};
  }
  if (piece.kind == Kind::wildcard && !is_last) {
    return "what takes the rest of the path must be the last segment";
  }
  const std::vector<std::string> names = parsed.names();
  if (std::find(names.begin(), names.end(), piece.text) != names.end()) {
    return "two parameters have the same name";
  }
  if (names.size() == max_route_params) return "it has too many parameters";
  parsed.pieces.push_back(std::move(piece));
  return {};
}

}  // namespace

std::vector<std::string> RoutePattern::names() const {
  std::vector<std::string> names;
  for (const PatternPiece& piece : pieces) {
    if (piece.kind != PatternPiece::Kind::text) names.push_back(piece.text);
  }
  return names;
}

std::variant<RoutePattern, std::string> parse_route_pattern(std::string_view pattern) {
  if (!pattern.starts_with('/')) return refuse(pattern, "a pattern begins with '/'");
  RoutePattern parsed{std::string(pattern), {}};
  std::string_view rest = pattern;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    if (parsed.pieces.empty() || parsed.pieces.back().kind != PatternPiece::Kind::text) {
      parsed.pieces.push_back({PatternPiece::Kind::text, {}, {}});
    }
    parsed.pieces.back().text += '/';
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    const std::string_view reason = take_segment(segment, rest.empty(), parsed);
    if (!reason.empty()) return refuse(pattern, reason);
  }
  return parsed;
}

}  // namespace weft::http
