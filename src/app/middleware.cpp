// AnswerView, and what Context has for middleware.
#include "weft/middleware.hpp"

#include <stdexcept>
#include <string>

#include "app/application.hpp"
#include "app/route_entry.hpp"
#include "gvt/symbols.hpp"
#include "http/exchange.hpp"
#include "http/letter_case.hpp"
#include "http/response_fields.hpp"
#include "http/site.hpp"
#include "weft/answer_view.hpp"
#include "weft/context.hpp"
#include "weft/http_error.hpp"

namespace weft {

// ---- AnswerView

int AnswerView::status() const noexcept { return exchange_.response().status; }

std::string_view AnswerView::content_type() const noexcept {
  return exchange_.response().content_type;
}

std::string_view AnswerView::header(std::string_view name, std::string_view fallback) const {
  return http::find_field(exchange_.response(), http::in_lower_case(std::string(name)))
      .value_or(fallback);
}

void AnswerView::remove_header(std::string_view name) {
  http::require_head_to_come(exchange_.response());
  http::remove_fields(exchange_.response(), http::in_lower_case(std::string(name)));
}

void AnswerView::lasting_header(std::string_view name, std::string_view value) {
  http::Response::require_field(name, value);
  remove_header(name);
  exchange_.response().add_lasting_field(name, value);
}

bool AnswerView::streamed() const noexcept { return exchange_.bodies().answer_is_streamed(); }

bool AnswerView::head_is_sent() const noexcept { return exchange_.response().head_is_out; }

std::string_view AnswerView::body() const noexcept { return exchange_.response().body.view(); }

void AnswerView::replace_body(std::string_view body) {
  if (streamed()) throw std::logic_error("the body is streamed, and cannot be replaced");
  // The new one may be a part of the old one.
  exchange_.response().body.assign(std::string(body));
}

std::uint64_t AnswerView::size() const noexcept {
  return streamed() ? exchange_.bodies().written() : exchange_.response().body.size();
}

void AnswerView::clear() {
  http::require_head_to_come(exchange_.response());
  http::Response& response = exchange_.response();
  response.status = 200;
  response.content_type = {};
  response.content_type_chosen = false;
  response.drop_fields();
  response.body.clear();
}

// ---- Context

AnswerView Context::answer() noexcept { return AnswerView(exchange_); }

void Context::abort(int status, std::string_view text) {
  throw HttpError(status, std::string(text));
}

std::string_view Context::route() const noexcept {
  const auto* const entry = static_cast<const app::RouteEntry*>(exchange_.route_object());
  return entry != nullptr ? std::string_view(entry->pattern) : std::string_view();
}

Values& Context::values() { return exchange_.values(); }

const http::Forwarded& Context::forwarded() const {
  auto& kept = exchange_.forwarded();
  if (kept != nullptr) return *kept;
  const http::Site& site = exchange_.site();
  static const http::TrustedProxies nobody;
  const auto peer = exchange_.bodies().peer();
  const bool may_be_proxy = peer || site.serves_unix;
  kept = std::make_unique<http::Forwarded>(http::find_client(
      exchange_.head(), peer, may_be_proxy ? site.trusted_proxies : nobody, site.proxy_fields));
  return *kept;
}

std::optional<Endpoint> Context::client_address() const { return forwarded().address; }

std::string_view Context::scheme() const { return forwarded().scheme; }

std::string_view Context::host() const { return forwarded().host; }

std::optional<Endpoint> Context::peer() const { return exchange_.bodies().peer(); }

void* Context::find_state(const std::type_info& type) const noexcept {
  const auto* const application =
      static_cast<const app::Application*>(exchange_.site().application);
  return application != nullptr ? application->find_state(type) : nullptr;
}

void Context::require_state(const void* found, const std::type_info& type) {
  if (found != nullptr) return;
  throw std::logic_error("the application has no state of type " + gvt::demangle(type.name()) +
                         "; give it some with App::state() before it starts");
}

}  // namespace weft
