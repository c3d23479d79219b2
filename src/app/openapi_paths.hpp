// Routes as an OpenAPI document lists them: by path, and below it by method.
//
// Two routes whose patterns differ only in the names or the types of their parameters are one path
// there. Refers to the routes it was made of.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/route_entry.hpp"
#include "http/route_pattern.hpp"
#include "weft/route_description.hpp"

namespace weft::app {

struct DocumentOperation {
  const RouteEntry* route = nullptr;
  http::RoutePattern pattern;
  // Others that only differ in the types of their parameters, which a document's paths do not have.
  std::vector<std::pair<const RouteEntry*, http::RoutePattern>> others;
};

struct DocumentPath {
  std::string shown;                                    // "/users/{id}"
  std::vector<std::string> names;                       // of its parameters; the first route's
  std::map<std::size_t, DocumentOperation> operations;  // by place in the specification's order
};

// By the path without its parameters' names, for which a document has no two.
using DocumentPaths = std::map<std::string, DocumentPath>;

DocumentPaths paths_of(const std::deque<RouteEntry>& routes);
// What a Path Item calls the method at a place: "get".
std::string_view item_name(std::size_t method);
// Those of a route, or empty ones.
const RouteNotes& notes_of(const RouteEntry& route);

}  // namespace weft::app
