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

#include "app/route_mode.hpp"
#include "http/awaited_end.hpp"
#include "http/endpoint.hpp"
#include "weft/middleware.hpp"
#include "weft/worker_routes.hpp"

namespace weft::app {

struct RouteEntry {
  std::size_t number = 0;  // of those of its App
  std::string method;      // empty: any
  std::string pattern;
  std::vector<Middleware> links;
  Handler handler;
  std::shared_ptr<const RouteDescription> description;  // null: it says nothing of itself
  std::shared_ptr<const detail::Placement> placement;   // null: nor where its handler runs
  // What the handler is behind the links; null: the handler.
  void (*last)(RouteEntry& entry, Context& context) = nullptr;
};

http::Endpoint endpoint_of(RouteEntry& entry, RouteMode mode) noexcept;

// Calls a handler of any kind and returns when it has ended.
void call_and_wait(Handler& handler, Context& context);
// Waits for what has not been waited for yet, on this stack, and gives the answer.
void wait_and_fill(http::AwaitedEnd& end, Context& context);
// Behind the middleware: throws HttpError 413 when the request announces more than it may have, and
// 415 when its body is packed and nothing has unpacked it.
void require_body_that_fits(Context& context);

}  // namespace weft::app
