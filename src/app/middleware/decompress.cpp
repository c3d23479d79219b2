#include "weft/middleware/decompress.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "app/middleware/decoded_bodies.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "weft/context.hpp"
#include "weft/http_error.hpp"

namespace weft {

namespace {

void require_positive(const char* name, std::uint64_t value) {
  if (value > 0) return;
  throw std::invalid_argument("decompress: " + std::string(name) + " must not be 0");
}

std::shared_ptr<app::Decompression> bounds_of(const DecompressOptions& options) {
  require_positive("max_bytes", options.max_bytes);
  require_positive("max_ratio", options.max_ratio);
  require_positive("at_a_time", options.at_a_time);
  auto bounds = std::make_shared<app::Decompression>();
  for (const std::string& name : options.codings) {
    const auto coding = app::body_coding_of(name);
    if (!coding) {
      throw std::invalid_argument("decompress: unknown coding '" + name +
                                  "'; there are gzip, deflate, br and zstd");
    }
    bounds->taken[static_cast<std::size_t>(*coding)] = true;
    bounds->accepted.append(bounds->accepted.empty() ? "" : ", ").append(app::name_of(*coding));
  }
  if (options.codings.empty()) {
    throw std::invalid_argument(
        "decompress: no codings; name one of gzip, deflate, br and zstd at least");
  }
  bounds->max_bytes = options.max_bytes;
  bounds->max_ratio = options.max_ratio;
  bounds->ratio_from_bytes = options.ratio_from_bytes;
  bounds->at_a_time = options.at_a_time;
  return bounds;
}

// The one coding that the body is in; nothing when there are several, or it is not taken.
std::optional<app::BodyCoding> coding_of(const http::HeadView& head,
                                         const app::Decompression& bounds) {
  std::optional<app::BodyCoding> found;
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const http::HeaderField field = head.header(i);
    if (!http::equals_ignoring_case(field.name, "content-encoding")) continue;
    std::string_view list = field.value;
    do {
      const std::string_view name = http::take_element(list);
      if (http::equals_ignoring_case(name, "identity")) continue;
      const auto coding = app::body_coding_of(name);
      if (!coding || found || !bounds.taken[static_cast<std::size_t>(*coding)]) return std::nullopt;
      found = coding;
    } while (!list.empty());
  }
  return found;
}

}  // namespace

Middleware decompress(const DecompressOptions& options) {
  return [bounds = bounds_of(options)](Context& context, Next& next) {
    http::Exchange& exchange = context.exchange();
    if (!exchange.head().head().encoded_body || exchange.bodies().unpacks_body()) return next();
    const auto coding = coding_of(exchange.head(), *bounds);
    if (!coding) {
      exchange.response().add_lasting_field("Accept-Encoding", bounds->accepted);
      throw HttpError(415, "Send the body as it is, or in one of: " + bounds->accepted + "\n");
    }
    app::DecodedBodies bodies(exchange, *bounds, *coding);
    next();
  };
}

}  // namespace weft
