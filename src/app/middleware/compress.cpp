#include "weft/middleware/compress.hpp"

#include <memory>

#include "app/middleware/coded_bodies.hpp"
#include "app/middleware/compression.hpp"
#include "http/exchange.hpp"
#include "weft/context.hpp"

namespace weft {

Middleware compress(const CompressOptions& options) {
  auto compression = std::make_shared<const app::Compression>(options);
  return [compression](Context& context, Next& next) {
    http::Exchange& exchange = context.exchange();
    app::CodedBodies bodies(exchange, *compression);
    next();
    bodies.finish();
  };
}

}  // namespace weft
