// The member functions of Connection that read a request's body, parking until it has arrived.
#pragma once

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "http/connection.hpp"
#include "http/connection_time_impl.hpp"
#include "http/service.hpp"
#include "weft/cancel.hpp"

namespace weft::http {

// Where the budget for slow clients is spent.
inline constexpr std::string_view kTooSlow = "Too many clients are slow\n";

// What is written is gathered in one place for whoever runs, and would go to the wrong client.
template <class Worker, class Model>
void Connection<Worker, Model>::assert_own_turn() const noexcept {
  const gvt::ParkObserver* const observer = service_.worker().running().observer;
  WEFT_ASSERT((observer == nullptr || observer == this) &&
              "a handler uses the Context of another request, which can wait or write by it");
}

template <class Worker, class Model>
void Connection<Worker, Model>::before_park() {
  assert_own_turn();
  if (!request_->times) request_begins_to_wait();
  close_chunk();
  // First: should there be no memory for the buffer, nothing may stay behind in the arena.
  flush();
  input_.detach(service_.backend().buffers());
}

// Before a wait. A coroutine that goes on, and what a handler spawns, run on stacks that are not
// observed.
template <class Worker, class Model>
void Connection<Worker, Model>::let_go_unobserved() {
  if (!is_observed()) before_park();
}

template <class Worker, class Model>
std::string_view Connection<Worker, Model>::read_body() {
  ActiveRequest& request = *request_;
  if (request.incoming) throw std::logic_error("the body is read as a stream already");
  if (request.body_read || !request.head.has_body()) return request.body;
  // A handler that goes on after a failure must not take what arrives then for the body.
  if (request.aborted) throw *request.aborted;
  require_readable(request);
  const std::string_view arrived = input_.front().substr(request.head_bytes);
  struct Awaited {
    ~Awaited() {
      if (request.times) request.times->body = ksvc::kNoDeadline;
    }
    ActiveRequest& request;
  } const awaited{request};
  try {
    request.body = request.head.chunked ? read_chunked_body(arrived) : body_in_front(arrived);
  } catch (const RequestAborted& aborted) {
    request.aborted = aborted;
    throw;
  } catch (const Cancelled&) {
    // What had arrived of it is gone, whoever catches this.
    request.aborted = RequestAborted{408, "the request body did not arrive in time"};
    throw;
  }
  request.body_read = true;
  return request.body;
}

// Where what is still to come of a body is put.
template <class Worker, class Model>
auto& Connection<Worker, Model>::need_body_spill() {
  try {
    return input_.need_spill(service_.budget());
  } catch (const BudgetSpent&) {
    throw RequestAborted{503, kTooSlow};
  }
}

template <class Worker, class Model>
std::string_view Connection<Worker, Model>::body_in_front(std::string_view arrived) {
  const std::uint64_t size = request_->head.content_length;
  if (arrived.size() < size) return assemble_sized_body(arrived);
  request_->body_bytes = static_cast<std::size_t>(size);
  return arrived.substr(0, request_->body_bytes);
}

template <class Worker, class Model>
std::string_view Connection<Worker, Model>::assemble_sized_body(std::string_view arrived) {
  const auto size = static_cast<std::size_t>(request_->head.content_length);
  auto& spill = need_body_spill();
  // What is announced is not trusted with memory before it arrives.
  spill.body.reserve(std::min<std::size_t>(size, 64 * 1024));
  spill.body.assign(arrived);
  request_->body_bytes = arrived.size();
  for (;;) {
    const std::size_t missing = size - spill.body.size();
    const std::size_t taken = std::min(missing, spill.behind.size());
    spill.body.append(spill.behind, 0, taken);
    spill.behind.erase(0, taken);
    if (spill.body.size() == size) return spill.body;
    spill.count();
    wait_for_body(spill.body.size());
  }
}

template <class Worker, class Model>
std::string_view Connection<Worker, Model>::read_chunked_body(std::string_view arrived) {
  auto& spill = need_body_spill();
  ChunkedDecoder decoder(service_.limits(), body_limit(*request_));
  decoder.keep_trailers_in(request_->exchange.trailers());
  const auto append = [&](std::string_view bytes) { spill.body.append(bytes); };
  const auto check = [&](const ChunkedDecoder::Step& step) {
    if (step.state == ChunkedState::error) {
      throw RequestAborted{decoder.error_status(), decoder.error_reason()};
    }
    return step.state == ChunkedState::complete;
  };
  spill.body.clear();
  auto step = decoder.advance(arrived, append);
  request_->body_bytes = step.consumed;
  if (check(step)) return spill.body;
  std::uint64_t consumed = step.consumed;
  for (;;) {
    step = decoder.advance(spill.behind, append);
    spill.behind.erase(0, step.consumed);
    if (check(step)) return spill.body;
    consumed += step.consumed;
    spill.count();
    wait_for_body(consumed);
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::wait_for_body(std::uint64_t arrived) {
  // The caller has looked at all that arrived before it asks for more.
  if (ended_ || failed_) throw RequestAborted{ended_ ? 400 : 0, "the body ended too early"};
  if (request_->timed_out) throw RequestAborted{408, "the request body did not arrive in time"};
  ensure_receiving();
  // Only now: what is written must be flushed before anything else runs.
  send_continue();
  let_go_unobserved();
  detail::Waiter waiter("for a request's body", this);
  RequestTimes& times = *request_->times;
  const std::size_t step = std::max<std::size_t>(service_.limits().body_step_bytes, 1);
  if (!std::exchange(request_->waited, true) || arrived - times.body_step_began >= step) {
    times.body = service_.worker().turn_time() + service_.limits().body_timeout;
    times.body_step_began = arrived;
    arm_for_request();
  }
  request_->waiter = &waiter;
  const detail::Outcome outcome = waiter.wait();
  request_->waiter = nullptr;
  if (outcome == detail::Outcome::woken || failed_ || request_->timed_out) return;
  // By whoever called the handler, or by the time or the end of its request.
  if (request_->cancel.reason() != detail::CancelReason::timed_out)
    throw detail::own_cancellation();
  throw RequestAborted{408, "the request body did not arrive in time"};
}

template <class Worker, class Model>
void Connection<Worker, Model>::send_continue() {
  if (!request_->head.expect_continue || request_->sent_continue) return;
  // Behind the head of an answer it would be taken for a part of that.
  if (request_->outgoing && request_->outgoing->begun) return;
  request_->sent_continue = true;
  OutputArena& arena = service_.arena();
  char* out = arena.reserve(kContinue.size());
  std::memcpy(out, kContinue.data(), kContinue.size());
  arena.commit(out + kContinue.size());
}

}  // namespace weft::http
