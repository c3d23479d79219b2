// RouteMode: which routes of a server run on its pool.
#pragma once

#include <cstdint>

namespace weft::app {

enum class RouteMode : std::uint8_t {
  in_place,  // none: there is no pool
  marked,    // those that say so
  all,       // also those that say nothing
  adaptive,  // also those that say nothing and are found to hold a worker up
};

}  // namespace weft::app
