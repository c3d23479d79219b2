#include "app/handler_endpoint.hpp"

#include <utility>

#include "http/exchange.hpp"
#include "weft/context.hpp"

namespace weft::app {

namespace {

void call(void* self, http::Exchange& exchange) {
  Context context(exchange);
  (*static_cast<Handler::Call*>(self))(context);
}

Task<void> begin(void* self, http::Exchange& exchange) {
  return (*static_cast<Handler::Coroutine*>(self))(exchange.show_as<Context>());
}

void ask(void* self, http::Exchange& exchange, Respond respond) {
  (*static_cast<Handler::Callback*>(self))(exchange.show_as<Context>(), std::move(respond));
}

}  // namespace

http::Endpoint endpoint_of(Handler& handler) noexcept {
  if (auto* const function = handler.get_if<Handler::Coroutine>()) return {&begin, function};
  if (auto* const function = handler.get_if<Handler::Callback>()) return {&ask, function};
  return {&call, handler.get_if<Handler::Call>()};
}

}  // namespace weft::app
