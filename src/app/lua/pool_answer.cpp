#include "app/lua/pool_answer.hpp"

#include <utility>

#include "app/lua/thread_states.hpp"
#include "weft/context.hpp"

namespace weft::app::lua {

PoolAnswer::PoolAnswer(Generation& generation, RouteEntry& entry, Request* behind)
    : generation_(generation.shared_from_this()), entry_(entry), behind_(behind) {
  if (behind != nullptr) carried_ = read_values(*behind);
}

PoolAnswer& PoolAnswer::make(Generation& generation, RouteEntry& entry, RouteEntry& route,
                             RoutePlaces& places, http::Exchange& exchange, Request* behind) {
  const auto end = [](PoolAnswer* answer) { delete answer; };
  std::unique_ptr<PoolAnswer, decltype(end)> made(new PoolAnswer(generation, entry, behind), end);
  made->call_ =
      &places.make_call(route, exchange, {&PoolAnswer::run, made.get(), route.pattern.c_str()});
  return *made.release();
}

// On a thread of the pool.
void PoolAnswer::run(void* self, http::Exchange& exchange) {
  auto& answer = *static_cast<PoolAnswer*>(self);
  State& state = answer.generation_->script().state_of(answer.generation_);
  const Active active(state);
  Request request(exchange, state);
  request.carried = &answer.carried_;
  keep_values(request, answer.carried_);
  (*answer.entry_.handler.get_if<Handler::Call>())(request);
  if (answer.behind_ == nullptr) return;
  request.carried = nullptr;
  answer.carried_ = changes(answer.carried_, read_values(request));
  answer.has_changes_ = true;
}

// On the worker again.
void PoolAnswer::fill(Context& context) {
  if (behind_ != nullptr) {
    call_->fill(context);
    if (has_changes_) keep_values(*behind_, carried_);
    return;
  }
  if (!generation_->declared().on_error) return call_->fill(context);
  State& state = generation_->script().state_of(generation_);
  const Active active(state);
  Request request(context.exchange(), state);
  generation_->script().with_words(request, [this, &request] { call_->fill(request); });
}

void PoolAnswer::request_ended() noexcept {
  call_->request_ended();
  delete this;
}

void answer_on_pool(RouteEntry& entry, Context& context) {
  require_body_that_fits(context);
  auto& request = static_cast<Request&>(context);
  http::Exchange& exchange = context.exchange();
  if (RoutePlaces* const places = places_beside(exchange)) {
    auto& route = *static_cast<RouteEntry*>(exchange.route_object());
    return wait_and_fill(
        PoolAnswer::make(request.state.generation, entry, route, *places, exchange, &request),
        context);
  }
  (*entry.handler.get_if<Handler::Call>())(context);
}

}  // namespace weft::app::lua
