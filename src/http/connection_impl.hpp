// The member functions of Connection, for the files that instantiate it: what comes from the
// kernel and the scheduler, and the requests. Handlers, bodies, output and closing, and time have
// headers of their own.
#pragma once

#include <algorithm>
#include <cerrno>
#include <new>

#include "http/connection_body_impl.hpp"
#include "http/connection_file_impl.hpp"
#include "http/connection_handler_impl.hpp"
#include "http/connection_observer_impl.hpp"
#include "http/connection_output_impl.hpp"
#include "http/connection_stream_impl.hpp"
#include "http/connection_time_impl.hpp"
#include "http/service.hpp"
#include "http/status.hpp"

namespace weft::http {

template <class Worker, class Model>
Connection<Worker, Model>::Connection(Service<Worker, Model>& service, int fd) noexcept
    : CompletionTarget(&Connection::completed),
      Runnable(&Connection::take_turn),
      Timer(&Connection::expired),
      service_(service),
      fd_(fd) {}

template <class Worker, class Model>
void Connection<Worker, Model>::start() {
  ensure_receiving();
  arm_for_idleness();
}

template <class Worker, class Model>
void Connection<Worker, Model>::refuse() {
  refused_ = true;
  ensure_receiving();
  refuse_with("Too many connections\n");
}

// Whatever comes, this is the only answer, or what is closed without one.
template <class Worker, class Model>
void Connection<Worker, Model>::refuse_with(std::string_view text) noexcept {
  try {
    Response response;
    answer_overloaded(response, text);
    const SentAnswer sent = respond(response, Framing{false, false, true});
    if (service_.observer() != nullptr) tell_refusal(sent, service_.worker().turn_time());
    state_ = State::finishing;
    flush();
  } catch (const std::bad_alloc&) {
    service_.arena().take_piece();
    failed_ = true;
    schedule();
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::completed(CompletionTarget& target, unsigned tag,
                                          const ksvc::Completion& completion) {
  auto& self = static_cast<Connection&>(target);
  switch (tag) {
    case kReceive: return self.received(completion);
    case kSendNow: return self.send_fell_short(completion.result);
    case kSendFile: return self.file_sent(completion.result);
    default: return self.sent(completion.result);
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::received(const ksvc::Completion& completion) {
  if (completion.lease) arrive(completion.lease);
  if (!completion.more) receive_ended(completion.result);
  if (request_ != nullptr && request_->incoming) wake(request_->incoming->reader);
  if (request_ != nullptr && request_->waiter != nullptr) {
    wake_body_waiter();
  } else if (!handling() || !receiving_) {
    // While a handler is parked, so that it is received again.
    schedule();
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::arrive(const ksvc::BufferLease& lease) {
  try {
    input_.arrive(lease, service_.backend().buffers(), service_.budget());
  } catch (const BudgetSpent&) {
    const bool may_answer = !handling() && state_ == State::serving && outgoing_ == nullptr;
    const bool is_ignored = state_ == State::finishing || state_ == State::lingering;
    if (may_answer) {
      refuse_with(kTooSlow);
    } else if (!is_ignored) {
      lose_client();
    }
  } catch (const std::bad_alloc&) {
    lose_client();
  }
  if (backlogged()) pause_receiving();
}

template <class Worker, class Model>
void Connection<Worker, Model>::receive_ended(std::int32_t result) {
  receiving_ = false;
  service_.operation_ends();
  pausing_ = false;
  if (borrowed_) {
    ksvc::BufferLease lease = std::exchange(borrowed_, {});
    if (result > 0) {
      lease.size = static_cast<std::uint32_t>(result);
      return arrive(lease);
    }
    service_.backend().buffers().release(lease);
  }
  if (result == 0) {
    ended_ = true;
    begin_to_probe();
  } else if (result == -ENOBUFS) {
    starved_ = true;
  } else if (result < 0 && result != -ECANCELED) {
    lose_client();
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::send_fell_short(std::int32_t result) {
  if (result < 0 && result != -EAGAIN) {
    lose_client();
  } else {
    const std::size_t done = result > 0 ? static_cast<std::size_t>(result) : 0;
    try {
      need_outgoing(piece_size_ - done);
      // In front of what was queued behind it meanwhile.
      outgoing_->queued.insert(0, piece_ + done, piece_size_ - done);
      outgoing_->count();
    } catch (const std::bad_alloc&) {
      lose_client();
    }
  }
  schedule();
}

template <class Worker, class Model>
void Connection<Worker, Model>::sent(std::int32_t result) {
  sending_ = false;
  service_.operation_ends();
  if (result < 0) {
    lose_client();
  } else {
    outgoing_->sent += static_cast<std::size_t>(result);
  }
  schedule();
}

template <class Worker, class Model>
void Connection<Worker, Model>::schedule() {
  if (queued_) return;
  queued_ = true;
  service_.worker().make_ready(*this);
}

template <class Worker, class Model>
void Connection<Worker, Model>::take_turn(gvt::Runnable& self) {
  static_cast<Connection&>(self).on_turn();
}

template <class Worker, class Model>
void Connection<Worker, Model>::on_turn() {
  queued_ = false;
  if (state_ == State::closing) return finish_close();
  const bool handler_goes_on = handling() && !may_resume();
  try {
    advance();
  } catch (const std::bad_alloc&) {
    // No memory for this client: it is given up, the others go on.
    if (handler_goes_on) return lose_client();
    failed_ = true;
    if (request_ != nullptr && !told_ && service_.observer() != nullptr) {
      service_.observer()->request_lost();
    }
    service_.worker().running().observer = nullptr;
    request_ = nullptr;
    flush();
    close_now();
  }
}

// Does all that can be done for now.
template <class Worker, class Model>
void Connection<Worker, Model>::advance() {
  if (may_resume()) {
    // What the handler wrote last may have asked for this very turn.
    flush_outgoing();
    service_.request_goes_on();
    observed([this] { Model::resume(*this, std::exchange(request_->waits_at, nullptr)); });
  } else if (handling()) {
    // All there is to do is to get its earlier output out.
    flush_outgoing();
    wake_streams();
    return ensure_receiving();
  } else {
    if (failed_) return close_now();
    if (!flush_outgoing()) return settle_down();
    if (state_ == State::skipping) skip_body();
    if (state_ == State::serving) observed([this] { Model::serve(*this); });
    if (state_ == State::lingering) linger();
  }
  if (handling()) return ensure_receiving();
  settle_down();
}

template <class Worker, class Model>
template <class Serve>
void Connection<Worker, Model>::observed(const Serve& serve) {
  gvt::GreenThread& here = service_.worker().running();
  here.observer = this;
  batch_left_ = static_cast<std::uint16_t>(
      std::clamp<std::size_t>(service_.limits().pipelined_requests, 1, UINT16_MAX));
  serve();
  here.observer = nullptr;
  flush();
  // In the next turn, when what was said in this one has been sent.
  if (batch_left_ == 0 && !handling() && has_something_to_serve()) wait_until_settled();
}

template <class Worker, class Model>
HeadParser* Connection<Worker, Model>::parse(HeadParser& fresh) {
  auto* const spill = input_.spill();
  HeadParser& parser = spill != nullptr && spill->parsing ? spill->parser : fresh;
  switch (parser.advance(input_.front())) {
    case ParseState::complete: return &parser;
    case ParseState::error:
      respond_error(parser, parser.error_status(), parser.error_reason());
      return nullptr;
    case ParseState::incomplete: keep_partial_head(parser); return nullptr;
  }
  return nullptr;
}

template <class Worker, class Model>
void Connection<Worker, Model>::keep_partial_head(const HeadParser& parser) {
  if (input_.spill() == nullptr && !service_.budget().admits()) {
    return respond_error(parser, 503, "too many clients are slow");
  }
  auto& spill = input_.need_spill(service_.budget());
  if (!spill.parsing) {
    spill.parser = parser;
    spill.parsing = true;
    spill.began = service_.worker().turn_time();
    arm_in(service_.limits().head_timeout);
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::begin(ActiveRequest& request) {
  request_ = &request;
  --batch_left_;
  input_.pin();
  request.exchange.begins(service_.worker().turn_time());
  if (service_.observer() != nullptr) [[unlikely]] {
    told_ = false;
    request.exchange.watch();
    service_.observer()->request_began();
  }
}

template <class Worker, class Model>
void Connection<Worker, Model>::move_to(ActiveRequest& request) noexcept {
  request.exchange.begins(request_->exchange.began());
  if (request_->exchange.is_watched()) request.exchange.watch();
  request.in_record = true;
  request_ = &request;
}

template <class Worker, class Model>
void Connection<Worker, Model>::finish(ActiveRequest& request) {
  service_.counters().requests.add(1);
  Response& response = request.exchange.response();
  bool keep_alive = request.keep_alive && next_request_can_be_found() &&
                    (!service_.draining() || more_has_arrived());
  const std::size_t most = service_.limits().requests_per_connection;
  if (most > 0 && ++requests_ >= most) keep_alive = false;
  if (request.outgoing) [[unlikely]]
    keep_alive = end_answer_stream(keep_alive);
  SentAnswer sent;
  if (request.outgoing) {
    // It has been written already.
  } else if (!failed_ && response.status != 0) {
    const RequestHead& head = request.head;
    sent = respond(response,
                   Framing{keep_alive, head.minor_version == 0, head.method != Method::head});
  } else {
    keep_alive = false;
  }
  if (request.exchange.is_watched()) [[unlikely]]
    tell_end(request, sent, keep_alive);
  end_request(keep_alive);
  request_ = nullptr;
}

template <class Worker, class Model>
void Connection<Worker, Model>::answer_overloaded(Response& response, std::string_view text) {
  answer_error(service_.site().error_wording, response, 503, text);
  response.add_field("Retry-After", "1");
}

template <class Worker, class Model>
auto Connection<Worker, Model>::respond(const Response& response, const Framing& framing)
    -> SentAnswer {
  const bool with_body = framing.body_allowed && allows_body(response.status);
  return put_answer(response, framing, with_body ? response.body.view() : std::string_view{});
}

// A head and what comes right behind it.
template <class Worker, class Model>
auto Connection<Worker, Model>::put_answer(const Response& response, const Framing& framing,
                                           std::string_view body) -> SentAnswer {
  const CommonFields& common = service_.common_fields();
  const std::size_t bound = head_size_bound(response, common) + body.size();
  OutputArena& arena = service_.arena();
  if (arena.piece_size() + bound > OutputArena::kMaxPiece) [[unlikely]] {
    return put_long_answer(response, framing, body, bound);
  }
  service_.count_answer(response.status);
  char* const end = write_head(arena.reserve(bound), response, framing, common);
  arena.commit(std::copy(body.begin(), body.end(), end));
  return {response.status, body.size()};
}

// One that has no room behind what is gathered already, or takes at most `bound` bytes of its own.
template <class Worker, class Model>
auto Connection<Worker, Model>::put_long_answer(const Response& response, const Framing& framing,
                                                std::string_view body, std::size_t bound)
    -> SentAnswer {
  flush();
  if (bound <= OutputArena::kMaxPiece) return put_answer(response, framing, body);
  // Of a stream nothing but the head is here.
  if (!body.empty() && outgoing_ == nullptr && !service_.budget().admits()) {
    Response refusal;
    answer_overloaded(refusal, kTooSlow);
    return put_answer(refusal, framing, refusal.body.view());
  }
  service_.count_answer(response.status);
  std::string whole(bound, '\0');
  char* end = write_head(whole.data(), response, framing, service_.common_fields());
  end = std::copy(body.begin(), body.end(), end);
  whole.resize(static_cast<std::size_t>(end - whole.data()));
  queue_output(whole);
  return {response.status, body.size()};
}

template <class Worker, class Model>
void Connection<Worker, Model>::respond_error(const HeadParser& parser, int status,
                                              std::string_view reason) {
  Response response;
  const ErrorWording& wording = service_.site().error_wording;
  if (wording.text != nullptr) [[unlikely]] {
    answer_error(wording, response, status, reason);
  } else {
    response.status = status;
    response.content_type = "text/plain; charset=utf-8";
    response.body.append(reason_phrase(status));
    response.body.append(": ");
    response.body.append(reason);
    response.body.append("\n");
  }
  const SentAnswer sent =
      respond(response, Framing{false, false, parser.head().method != Method::head});
  if (service_.observer() != nullptr) {
    const auto* const began = input_.spill();
    const bool in_pieces = began != nullptr && began->parsing;
    tell_refusal(sent, in_pieces ? began->began : service_.worker().turn_time());
  }
  service_.log_refused_head(status, reason, fd_);
  if (auto* spill = input_.spill(); spill != nullptr) spill->parsing = false;
  input_.consume(input_.front().size(), service_.backend().buffers());
  input_.drop_spill_if_unused();
  state_ = State::finishing;
}

// Whether it will be known where a body that was not read to its end is over.
template <class Worker, class Model>
bool Connection<Worker, Model>::next_request_can_be_found() const {
  const ActiveRequest& request = *request_;
  const RequestHead& head = request.head;
  if (request.body_read || !head.has_body()) return true;
  // A chunked body has no length to skip by; of one that failed, some is gone already.
  if (head.chunked || request.aborted) return false;
  // Without the 100, its sender decides whether the body comes at all.
  if (head.expect_continue && !request_->sent_continue) return false;
  const std::uint64_t arrived = input_.front().size() - request.head_bytes - request.body_bytes;
  return body_left() <= arrived + service_.limits().early_response_drain_bytes;
}

// Whether the client has sent something behind the request in progress, as far as that can be
// known: without a receive of the usual kind in flight, the kernel may have what we have not.
template <class Worker, class Model>
bool Connection<Worker, Model>::more_has_arrived() const {
  if (!ended_ && (!receiving_ || borrowed_)) return true;
  const ActiveRequest& request = *request_;
  const std::uint64_t body = request.body_bytes + body_left();
  return input_.front().size() > request.head_bytes + body || input_.behind_size() > 0;
}

template <class Worker, class Model>
void Connection<Worker, Model>::end_request(bool keep_alive) {
  const ActiveRequest& request = *request_;
  const RequestHead& head = request.head;  // until its input is let go
  last_request_ =
      !head.keep_alive && !head.has_body() && !(request.outgoing && request.outgoing->upgraded);
  if (request.incoming) return_window();
  const std::string_view front = input_.front();
  std::size_t used = request.head_bytes + request.body_bytes;
  std::uint64_t left = 0;
  if (keep_alive && !request.body_read && head.has_body()) {
    const auto taken =
        static_cast<std::size_t>(std::min<std::uint64_t>(front.size() - used, body_left()));
    used += taken;
    left = body_left() - taken;
  }
  if (auto* spill = input_.spill(); spill != nullptr && spill->parsing) {
    spill->parsing = false;
    spill->parser.reset();
  }
  input_.unpin(used, service_.backend().buffers(), service_.budget());
  if (!keep_alive) {
    state_ = State::finishing;
  } else if (left > 0) {
    skip_left_ = left;
    state_ = State::skipping;
  }
  arm_for_state();
  if (state_ == State::skipping) skip_body();
}

template <class Worker, class Model>
void Connection<Worker, Model>::skip_body() {
  const std::size_t dropped =
      static_cast<std::size_t>(std::min<std::uint64_t>(skip_left_, input_.front().size()));
  input_.consume(dropped, service_.backend().buffers());
  input_.drop_spill_if_unused();
  skip_left_ -= dropped;
  if (skip_left_ > 0) return;
  state_ = State::serving;
  arm_for_state();
}

}  // namespace weft::http
