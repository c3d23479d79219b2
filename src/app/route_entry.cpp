#include "app/route_entry.hpp"

#include <stdexcept>
#include <utility>

#include "app/place_chooser.hpp"
#include "app/route_places.hpp"
#include "gvt/scheduler.hpp"
#include "http/exchange.hpp"
#include "http/pending_answer.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/http_error.hpp"

namespace weft {

namespace app {

namespace {

Handler& handler_of(void* self) noexcept { return static_cast<RouteEntry*>(self)->handler; }

void call(void* self, http::Exchange& exchange) {
  Context context(exchange);
  (*handler_of(self).get_if<Handler::Call>())(context);
}

Task<void> begin(void* self, http::Exchange& exchange) {
  return (*handler_of(self).get_if<Handler::Coroutine>())(exchange.show_as<Context>());
}

void ask(void* self, http::Exchange& exchange, Respond respond) {
  (*handler_of(self).get_if<Handler::Callback>())(exchange.show_as<Context>(), std::move(respond));
}

void call_chain(void* self, http::Exchange& exchange) {
  Next(*static_cast<RouteEntry*>(self), 0, exchange.show_as<Context>())();
}

// The wait of a stack for a handler that answers by its Respond.
class AnswerWait {
 public:
  explicit AnswerWait(http::AwaitedEnd& answer) noexcept : answer_(answer) {}
  ~AnswerWait() { answer_.request_ended(); }
  AnswerWait(const AnswerWait&) = delete;
  AnswerWait& operator=(const AnswerWait&) = delete;

  void wait(detail::CancelNode* node) {
    detail::Waiter waiter("for a Respond to be called");
    waiter_ = &waiter;
    // What cancels it ends it in its own way: the answer comes round then, too.
    if (!answer_.has_ended({this, &AnswerWait::came_round}, node)) waiter.wait_uncancelled();
  }

 private:
  static void came_round(void* self) noexcept {
    detail::Waiter& waiter = *static_cast<AnswerWait*>(self)->waiter_;
    if (waiter.claim(detail::Outcome::woken)) waiter.wake();
  }

  http::AwaitedEnd& answer_;
  detail::Waiter* waiter_ = nullptr;
};

void ask_and_wait(Handler::Callback& function, Context& context) {
  http::PendingAnswer& answer = http::PendingAnswer::make(*gvt::current_scheduler());
  AnswerWait wait(answer);
  try {
    function(context, Respond(answer));
  } catch (...) {
    // What is on its way must have come round before the request may go.
    if (!answer.give_up()) wait.wait(nullptr);
    throw;
  }
  wait.wait(detail::current_task().cancel);
  answer.fill(context);
}

}  // namespace

http::Endpoint endpoint_of(RouteEntry& entry, RouteMode mode) noexcept {
  // What it chooses from brings its own middleware.
  if (entry.links.empty() && chooser_of(entry.handler) != nullptr) return {&choose_place, &entry};
  if (entry.links.empty() && may_leave_loop(entry, mode)) return {&hand_over, &entry};
  if (!entry.links.empty() || entry.last != nullptr) {
    http::Endpoint chain(&call_chain, &entry);
    chain.may_unpack = true;
    return chain;
  }
  if (entry.handler.get_if<Handler::Coroutine>() != nullptr) return {&begin, &entry};
  if (entry.handler.get_if<Handler::Callback>() != nullptr) return {&ask, &entry};
  return {&call, &entry};
}

void wait_and_fill(http::AwaitedEnd& end, Context& context) {
  AnswerWait wait(end);
  wait.wait(detail::current_task().cancel);
  end.fill(context);
}

void require_body_that_fits(Context& context) {
  http::Exchange& exchange = context.exchange();
  const auto& head = exchange.head().head();
  if (head.content_length > exchange.body_limit()) [[unlikely]] {
    throw HttpError(413, std::string(http::body_too_long().reason));
  }
  if (head.encoded_body) [[unlikely]]
    http::require_unpacked(exchange);
}

void call_and_wait(Handler& handler, Context& context) {
  if (auto* const coroutine = handler.get_if<Handler::Coroutine>()) {
    return coro::wait((*coroutine)(context));
  }
  if (auto* const callback = handler.get_if<Handler::Callback>()) {
    return ask_and_wait(*callback, context);
  }
  (*handler.get_if<Handler::Call>())(context);
}

}  // namespace app

void Next::operator()() {
  if (called_) throw std::logic_error("a middleware has called next() twice");
  called_ = true;
  if (done_ < entry_.links.size()) {
    Next rest(entry_, done_ + 1, context_);
    return entry_.links[done_](context_, rest);
  }
  if (entry_.last != nullptr) return entry_.last(entry_, context_);
  // The innermost limit of the chain counts, so that this is the first to know it.
  app::require_body_that_fits(context_);
  app::call_and_wait(entry_.handler, context_);
}

}  // namespace weft
