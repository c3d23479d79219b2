#include "weft/middleware/etag.hpp"

// Compiled into this file alone, so whoever links weft needs none of it.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "app/middleware/conditional.hpp"
#include "http/exchange.hpp"
#include "http/method.hpp"
#include "http/response_fields.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

char* put_hex(char* out, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[value >> shift & 15];
  return out;
}

void add_tag(http::Response& response, bool weak) {
  const std::string_view body = response.body.view();
  const XXH128_hash_t hash = XXH3_128bits(body.data(), body.size());
  std::array<char, 36> text{'W', '/', '"'};
  char* end = put_hex(put_hex(text.data() + 3, hash.high64), hash.low64);
  *end++ = '"';
  const std::string_view whole(text.data(), text.size());
  response.add_field("ETag", weak ? whole : whole.substr(2));
}

}  // namespace

Middleware etag(const EtagOptions& options) {
  return [weak = options.weak](Context& context, Next& next) {
    next();
    http::Exchange& exchange = context.exchange();
    http::Response& response = exchange.response();
    const http::Method method = exchange.head().head().method;
    const bool is_head = method == http::Method::head;
    if ((method != http::Method::get && !is_head) || response.status != 200 ||
        response.head_is_out || exchange.bodies().answer_is_streamed()) {
      return;
    }
    if (!http::find_field(response, "etag")) {
      // A route of its own for HEAD may not have made the body.
      if (is_head && response.body.size() == 0) return;
      add_tag(response, weak);
    }
    app::answer_conditionally(exchange);
  };
}

}  // namespace weft
