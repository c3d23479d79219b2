#include "http/unrouted.hpp"

#include "http/method.hpp"
#include "http/site.hpp"
#include "http/trailing_slash.hpp"

namespace weft::http {

void answer_unrouted(Exchange& exchange, const Match& match) {
  const RequestHead& head = exchange.head().head();
  Response& response = exchange.response();
  response.content_type = "text/plain; charset=utf-8";
  if (head.method == Method::options && head.form == TargetForm::asterisk) {
    response.status = 204;
    response.add_field("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    return;
  }
  const bool refused = head.method == Method::trace || head.method == Method::connect;
  if (match.state == MatchState::other_slash) {
    const bool safe = head.method == Method::get || head.method == Method::head;
    // 308 keeps the method and the body; for the others every client knows 301.
    response.status = safe ? 301 : 308;
    response.add_field("Location",
                       location_of(with_other_slash(exchange.path()), exchange.head().query()));
    return;
  }
  if (match.state == MatchState::method_not_allowed || refused) {
    MethodSet allowed = match.allowed;
    allowed.add(Method::options);
    response.status = head.method == Method::options ? 204 : 405;
    response.add_field("Allow", allowed.allow_text());
    if (response.status == 405) {
      answer_error(exchange.site().error_wording, response, 405, "Method Not Allowed\n");
    }
    return;
  }
  answer_error(exchange.site().error_wording, response, 404, "Not Found\n");
}

}  // namespace weft::http
