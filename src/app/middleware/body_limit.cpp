#include "weft/middleware/body_limit.hpp"

#include "http/exchange.hpp"
#include "weft/context.hpp"

namespace weft {

// Whoever calls the handler, or reads the body, looks at it.
Middleware body_limit(std::uint64_t bytes) {
  return [bytes](Context& context, Next& next) {
    context.exchange().limit_body(bytes);
    next();
  };
}

}  // namespace weft
