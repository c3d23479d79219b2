// RouteEntry: a route as the application keeps it: its pattern, its middleware and its handler; and
// how the http layer calls it.
//
// It stays where it is while a server runs, and is only read then. A route without middleware is
// called directly and pays nothing for what others have.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "http/endpoint.hpp"
#include "weft/middleware.hpp"

namespace weft::app {

struct RouteEntry {
  std::size_t number = 0;  // of those of its App
  std::string method;      // empty: any
  std::string pattern;
  std::vector<Middleware> links;
  Handler handler;
  std::shared_ptr<const RouteDescription> description;  // null: it says nothing of itself
  // What the handler is behind the links; null: the handler.
  void (*last)(RouteEntry& entry, Context& context) = nullptr;
};

http::Endpoint endpoint_of(RouteEntry& entry) noexcept;

// Calls a handler of any kind and returns when it has ended.
void call_and_wait(Handler& handler, Context& context);

}  // namespace weft::app
