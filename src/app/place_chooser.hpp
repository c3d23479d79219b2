// PlaceChooser: decides for each request of a route where its handler runs, and calls it: for
// routes whose handlers are exchanged while a server runs.
//
// Such a route is added with a ChosenCall as its handler, and on_loop() before it. All workers ask
// the same chooser.
#pragma once

#include <memory>

#include "http/endpoint.hpp"
#include "http/exchange.hpp"
#include "weft/context.hpp"
#include "weft/handler.hpp"
#include "weft/worker_routes.hpp"

namespace weft::app {

struct RouteEntry;
class RoutePlaces;

class PlaceChooser {
 public:
  // As Endpoint::HandOver. `places`: null where all handlers run in place, and for who is on a
  // thread of the pool already.
  virtual http::HandedOver hand_over(RouteEntry& entry, RoutePlaces* places,
                                     http::Exchange& exchange, bool may_wait) = 0;
  // Where middleware of the application stands around it: waits on its stack.
  virtual void call(http::Exchange& exchange) = 0;
  // How requests wait for the pool.
  virtual const WorkerOptions& options() const noexcept = 0;

 protected:
  ~PlaceChooser() = default;
};

struct ChosenCall {
  std::shared_ptr<PlaceChooser> chooser;
  void operator()(Context& context) const { chooser->call(context.exchange()); }
};

// Of the route with that handler; null: it has none.
inline PlaceChooser* chooser_of(Handler& handler) noexcept {
  auto* const call = handler.get_if<Handler::Call>();
  const auto* const chosen = call != nullptr ? call->target<ChosenCall>() : nullptr;
  return chosen != nullptr ? chosen->chooser.get() : nullptr;
}

}  // namespace weft::app
