// endpoint_of(): a handler as the http layer calls it. It must stay where it is.
#pragma once

#include "http/endpoint.hpp"
#include "weft/handler.hpp"

namespace weft::app {

http::Endpoint endpoint_of(Handler& handler) noexcept;

}  // namespace weft::app
