// The member functions of Connection that call handlers, of whatever kind, and wait for their end.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "http/connection.hpp"
#include "http/pending_answer.hpp"
#include "http/service.hpp"
#include "http/unrouted.hpp"
#include "weft/cancel.hpp"
#include "weft/coro.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/http_error.hpp"

namespace weft::http {

// What has begun cannot be answered otherwise any more, only cut off.
template <class Answer>
void fail_by(ActiveRequest& request, const Answer& answer) {
  if (request.outgoing && request.outgoing->begun) {
    request.outgoing->broken = true;
    return;
  }
  request.outgoing.reset();
  Response& response = request.exchange.response();
  response.drop_fields();
  answer(request.exchange.site().error_wording, response);
}

inline void fail(ActiveRequest& request, int status, std::string_view text) {
  fail_by(request, [&](const ErrorWording& wording, Response& response) {
    answer_error(wording, response, status, text);
  });
}

// The same, with the words that a handler has thrown.
inline void fail(ActiveRequest& request, const HttpError& error) {
  fail_by(request, [&](const ErrorWording& wording, Response& response) {
    answer_thrown(wording, response, error);
  });
}

template <class Worker, class Model>
bool Connection<Worker, Model>::call_endpoint(ActiveRequest& request) {
  Exchange& exchange = request.exchange;
  const HeadView& head = exchange.head();
  if (service_.site().rewrite) [[unlikely]]
    service_.site().rewrite(exchange);
  const Match match =
      service_.router().match(head.head().method, exchange.path(), exchange.params());
  if (match.state != MatchState::found) {
    const auto& unrouted = service_.site().unrouted;
    if (!unrouted) {
      answer_unrouted(exchange, match);
      return true;
    }
    exchange.set_unrouted(&match);
    run_handler(request, [&] { unrouted->call(unrouted->object, exchange); });
    return true;
  }
  if (service_.handlers_waiting() >= service_.limits().parked_handlers) [[unlikely]] {
    answer_overloaded(exchange.response(), "Too many requests are waiting\n");
    return true;
  }
  const Endpoint endpoint = service_.endpoint(match.route);
  exchange.set_route_object(endpoint.object);
  if (head.head().encoded_body && !endpoint.may_unpack) [[unlikely]] {
    run_handler(request, [&] { require_unpacked(exchange); });
    return true;
  }
  if (endpoint.kind == Endpoint::Kind::call) [[likely]] {
    run_handler(request, [&] { endpoint.call(endpoint.object, exchange); });
    return true;
  }
  if (endpoint.kind == Endpoint::Kind::begin) return begin_coroutine(request, endpoint);
  if (endpoint.kind == Endpoint::Kind::hand_over) return hand_over(request, endpoint);
  return ask_for_answer(request, endpoint);
}

// Runs a part of the handler; what it throws becomes the answer. False when it threw.
template <class Worker, class Model>
template <class Step>
bool Connection<Worker, Model>::run_handler(ActiveRequest& request, const Step& step) {
  const HeadView& head = request.exchange.head();
  // The function that runs is the handler, for as long as it does.
  const struct Handling {
    explicit Handling(detail::TaskState& of) noexcept : task(of) {}
    ~Handling() {
      if (task.locals != nullptr) detail::drop_locals(task);
      task = {};
    }
    detail::TaskState& task;
  } handling(service_.worker().running().task);
  handling.task.cancel = &request.cancel;
  // One that begins behind the end of the grace period is cancelled from its beginning.
  if (service_.draining()) [[unlikely]]
    request.cancel.put_below(service_.handlers_cancel());
  bool failed = true;
  try {
    step();
    failed = false;
  } catch (const Cancelled&) {
    request.keep_alive = false;
    const bool late = request.cancel.reason() == detail::CancelReason::timed_out;
    fail(request, 503, late ? "The request took too long\n" : "The server is shutting down\n");
  } catch (const RequestAborted& aborted) {
    request.keep_alive = false;
    fail(request, aborted.status, aborted.reason);
  } catch (const HttpError& error) {
    fail(request, error);
  } catch (const std::exception& error) {
    service_.log_handler_error(head.target(), error.what());
    fail_with(request, error);
  } catch (...) {
    service_.log_handler_error(head.target(), "an exception that is no std::exception");
    fail(request, 500, "Internal Server Error\n");
  }
  if (request.cancel.reason() != detail::CancelReason::none) request.keep_alive = false;
  return !failed;
}

// What the application makes of an exception; where that fails, too, the plain answer stands.
template <class Worker, class Model>
void Connection<Worker, Model>::fail_with(ActiveRequest& request, const std::exception& error) {
  fail(request, 500, "Internal Server Error\n");
  const auto& on_error = service_.site().on_error;
  if (!on_error || (request.outgoing && request.outgoing->begun)) return;
  try {
    on_error(request.exchange, error);
  } catch (...) {
    service_.log_handler_error(request.exchange.head().target(), "the error handler failed, too");
    fail(request, 500, "Internal Server Error\n");
  }
}

template <class Worker, class Model>
bool Connection<Worker, Model>::begin_coroutine(ActiveRequest& request, const Endpoint& endpoint) {
  HandlerStrand::Coroutine coroutine;
  const bool made = run_handler(request, [&] {
    // A coroutine that has begun must be waited for, whatever happens.
    Model::prepare_to_wait(*this);
    Task<void> task = endpoint.begin(endpoint.object, request.exchange);
    if (!task) throw std::logic_error("it returned an empty Task");
    coroutine = detail::TaskAccess::take(task);
  });
  if (!made) return true;
  request.strand.emplace(request, std::move(coroutine));
  request.strand->begin(&request.cancel);
  if (request.ended) settle(request);
  return request.ended;
}

template <class Worker, class Model>
bool Connection<Worker, Model>::ask_for_answer(ActiveRequest& request, const Endpoint& endpoint) {
  try {
    request.failed = !run_handler(request, [&] {
      Model::prepare_to_wait(*this);
      PendingAnswer& answer = PendingAnswer::make(service_.worker());
      request.answer = &answer;
      endpoint.ask(endpoint.object, request.exchange, Respond(answer));
    });
  } catch (const std::bad_alloc&) {
    // What is on its way already comes round to what nobody will have given back.
    if (request.answer != nullptr && request.answer->give_up()) request.answer->request_ended();
    throw;
  }
  if (request.answer == nullptr) return true;
  // Of one that has failed nothing is expected, but what is on its way must have come round.
  detail::CancelNode* const node = request.failed ? nullptr : &request.cancel;
  if (request.failed && request.answer->give_up()) request.ended = true;
  if (!request.ended)
    request.ended = request.answer->has_ended({&request, &ActiveRequest::answer_came_round}, node);
  if (request.ended) settle(request);
  return request.ended;
}

template <class Worker, class Model>
bool Connection<Worker, Model>::hand_over(ActiveRequest& request, const Endpoint& endpoint) {
  HandedOver handed;
  run_handler(request, [&] {
    const bool may_wait = !Model::kOnStacks || request.in_record;
    handed = endpoint.hand_over(endpoint.object, request.exchange, may_wait);
  });
  request.to_move = handed.waits_elsewhere;
  if (request.to_move) return false;
  if (handed.end == nullptr) return true;
  request.answer = handed.end;
  // First: from then on others look at what has been received, too.
  let_go();
  request.ended =
      request.answer->has_ended({&request, &ActiveRequest::answer_came_round}, &request.cancel);
  if (request.ended) settle(request);
  return request.ended;
}

template <class Worker, class Model>
void Connection<Worker, Model>::settle(ActiveRequest& request) {
  // Also when there is no memory to say what went wrong.
  const struct End {
    ~End() {
      if (request.answer != nullptr) request.answer->request_ended();
    }
    ActiveRequest& request;
  } end{request};
  if (!request.failed) {
    run_handler(request, [&] {
      if (request.strand) return request.strand->finish();
      request.answer->fill(request.exchange.template shown_as<Context>());
    });
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::let_go() noexcept {
  try {
    before_park();
  } catch (const std::bad_alloc&) {
    lose_client();
    // The piece that is open is another's next.
    if (request_->outgoing) request_->outgoing->chunk_at = AnswerStream::kNoChunk;
    service_.arena().take_piece();
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::wait_in(void* kept_at, ActiveRequest& request) noexcept {
  let_go();
  service_.request_waits();
  request.waits_at = kept_at;
  request.tell_end = &Connection::resume_later;
}

template <class Worker, class Model>
void Connection<Worker, Model>::resume_later(ActiveRequest& request) {
  of(request).schedule();
}

template <class Worker, class Model>
void Connection<Worker, Model>::leave_request() const noexcept {
  if (!handling()) return;
  // Its handler may be parked on a stack all the same.
  if (!Model::kOnStacks || request_->in_record) gvt::sanitizer::leave_for_good(request_);
  if (request_->waits_at != nullptr) request_->leave_for_good();
}

}  // namespace weft::http
