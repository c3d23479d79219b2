// What etag() and cache() make of a conditional request, once the answer is there.
//
// Belongs to its request.
#pragma once

#include "http/exchange.hpp"

namespace weft::app {

// Turns a whole answer into a 304 or 412 where its ETag and the request ask for that.
void answer_conditionally(http::Exchange& exchange);

}  // namespace weft::app
