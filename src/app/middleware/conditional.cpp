#include "app/middleware/conditional.hpp"

#include "http/entity_tag.hpp"
#include "http/response_fields.hpp"
#include "http/site.hpp"

namespace weft::app {

void answer_conditionally(http::Exchange& exchange) {
  http::Response& response = exchange.response();
  const auto tag = http::find_field(response, "etag");
  if (!tag) return;
  const auto status = http::status_by_tag(exchange.head(), *tag);
  if (!status) return;
  response.status = *status;
  http::remove_fields(response, "content-encoding");
  response.body.clear();
  if (*status != 412) return;
  http::remove_fields(response, "etag");
  http::remove_fields(response, "cache-control");
  http::answer_error(exchange.site().error_wording, response, 412, "Precondition Failed\n");
}

}  // namespace weft::app
