#include "http/route_pattern.hpp"

#include <algorithm>

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

// Takes one segment, without its slash; returns what is wrong with it, or nothing.
std::string_view take_segment(std::string_view segment, bool is_last, RoutePattern& parsed) {
  using Kind = PatternPiece::Kind;
  const bool is_param = segment.starts_with(':');
  if (!is_param && !segment.starts_with('*')) {
    if (segment.find('*') != std::string_view::npos) return "'*' must begin a segment";
    if (!is_static_text(segment)) return "it holds a byte that a path cannot hold";
    parsed.pieces.back().text += segment;
    return {};
  }
  const std::string_view name = segment.substr(1);
  if (!is_name(name)) return "a parameter's name is made of letters, digits and underscores";
  if (!is_param && !is_last) return "'*' must be in the last segment";
  const std::vector<std::string> names = parsed.names();
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return "two parameters have the same name";
  }
  if (names.size() == max_route_params) return "it has too many parameters";
  parsed.pieces.push_back({is_param ? Kind::param : Kind::wildcard, std::string(name)});
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
      parsed.pieces.push_back({PatternPiece::Kind::text, {}});
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
