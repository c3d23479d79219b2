// answer_unrouted(): the answer to a request that no route fits: 404, 405, a redirect to the path
// with the other slash, or what OPTIONS asks.
#pragma once

#include "http/exchange.hpp"
#include "http/router.hpp"

namespace weft::http {

void answer_unrouted(Exchange& exchange, const Match& match);

}  // namespace weft::http
