// PlaceChooser: decides for each request of a route where its handler runs, and calls it: for
// routes whose handlers are exchanged while a server runs.
//
// All workers ask the same one.
#pragma once

#include "http/endpoint.hpp"
#include "http/exchange.hpp"

namespace weft::app {

struct RouteEntry;
class RoutePlaces;

class PlaceChooser {
 public:
  // As Endpoint::HandOver. `places`: null where all handlers run in place, and for who is on a
  // thread of the pool already.
  virtual http::HandedOver hand_over(RouteEntry& entry, RoutePlaces* places,
                                     http::Exchange& exchange, bool may_wait) = 0;

 protected:
  ~PlaceChooser() = default;
};

}  // namespace weft::app
