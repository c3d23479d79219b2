#include "app/openapi_paths.hpp"

#include <algorithm>
#include <array>
#include <variant>

namespace weft::app {

namespace {

// What a Path Item has, in the order of the specification; CONNECT is not among them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kMethods{{
    {"GET", "get"},
    {"PUT", "put"},
    {"POST", "post"},
    {"DELETE", "delete"},
    {"OPTIONS", "options"},
    {"HEAD", "head"},
    {"PATCH", "patch"},
    {"TRACE", "trace"},
}};
// What is said of a route for any method: HEAD and OPTIONS go without saying.
constexpr std::array<std::size_t, 5> kOfAny{0, 1, 2, 3, 6};

void add_route(DocumentPaths& paths, const RouteEntry& route) {
  if (route.method == "CONNECT") return;
  auto parsed = http::parse_route_pattern(route.pattern);
  auto* const pattern = std::get_if<http::RoutePattern>(&parsed);
  if (pattern == nullptr) return;
  std::string shape;
  std::string shown;
  std::vector<std::string> names;
  for (const http::PatternPiece& piece : pattern->pieces) {
    if (piece.kind == http::PatternPiece::Kind::text) {
      shape += piece.text;
      shown += piece.text;
    } else {
      shape += "{}";
      shown += "{" + piece.text + "}";
      names.push_back(piece.text);
    }
  }
  DocumentPath& path = paths[shape];
  if (path.shown.empty()) {
    path.shown = std::move(shown);
    path.names = std::move(names);
  }
  const auto add = [&](std::size_t method) {
    DocumentOperation& operation = path.operations[method];
    if (operation.route == nullptr) {
      operation.route = &route;
      operation.pattern = *pattern;
    } else if (!route.method.empty() && operation.pattern.text != pattern->text) {
      operation.others.emplace_back(&route, *pattern);
    }
  };
  if (route.method.empty()) std::for_each(kOfAny.begin(), kOfAny.end(), add);
  for (std::size_t i = 0; i < kMethods.size(); ++i) {
    if (kMethods[i].first == route.method) add(i);
  }
}

}  // namespace

std::string_view item_name(std::size_t method) { return kMethods.at(method).second; }

const RouteNotes& notes_of(const RouteEntry& route) {
  static const RouteNotes kNone;
  return route.description ? route.description->notes() : kNone;
}

DocumentPaths paths_of(const std::deque<RouteEntry>& routes) {
  DocumentPaths paths;
  // A route for any method has what the others leave, whichever was added first.
  for (const bool for_any : {false, true}) {
    for (const RouteEntry& route : routes) {
      if (route.method.empty() == for_any && !notes_of(route).hidden) add_route(paths, route);
    }
  }
  return paths;
}

}  // namespace weft::app
