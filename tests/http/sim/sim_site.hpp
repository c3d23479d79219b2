// SimSite: the routes of the simulated server, one of every kind of handler, and what it complains.
#pragma once

#include <string>
#include <vector>

#include "http/site.hpp"

namespace weft::http::test {

class SimSite {
 public:
  // A site whose limits are generous: no client that does its part, through a slow network, exceeds
  // one.
  SimSite();
  SimSite(const SimSite&) = delete;
  SimSite& operator=(const SimSite&) = delete;

  Site site;
  std::vector<std::string> complaints;

 private:
  using Handle = void (*)(SimSite& self, Exchange& exchange);
  struct Route {
    SimSite* self;
    Handle handle;
  };

  void add(Method method, std::string_view pattern, Handle handle);

  std::vector<Route> routes_;
};

}  // namespace weft::http::test
