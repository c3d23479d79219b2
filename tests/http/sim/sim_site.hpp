// SimSite: the routes of the simulated server, one of every kind of handler, and what it complains.
#pragma once

#include <string>
#include <vector>

#include "http/models/model.hpp"
#include "http/site.hpp"

namespace weft::http::test {

class SimSite {
 public:
  // A site whose limits are generous: no client that does its part, through a slow network, exceeds
  // one.
  // The handlers that wait are of the model's own kind, but for those that throw: all are there.
  explicit SimSite(Model model = Model::green);
  SimSite(const SimSite&) = delete;
  SimSite& operator=(const SimSite&) = delete;

  Site site;
  int file = -1;  // what /file/:bytes gives the beginning of
  std::vector<std::string> complaints;

 private:
  using Handle = void (*)(SimSite& self, Exchange& exchange);
  struct Route {
    SimSite* self;
    Handle handle;
  };

  void add(Method method, std::string_view pattern, Handle handle);
  void add(Method method, std::string_view pattern, const Endpoint& endpoint);
  void add_parking();
  void add_coroutines();
  void add_callbacks();

  std::vector<Route> routes_;
};

}  // namespace weft::http::test
