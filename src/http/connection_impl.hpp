// The member functions of Connection, for the files that instantiate it: what comes from the
// kernel, the scheduler and the clock, and the requests. Bodies, output and closing have headers of
// their own.
#pragma once

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>

#include "http/connection_body_impl.hpp"
#include "http/connection_output_impl.hpp"
#include "http/service.hpp"
#include "http/status.hpp"

namespace weft::http {

template <class Worker>
Connection<Worker>::Connection(Service<Worker>& service, int fd) noexcept
    : CompletionTarget(&Connection::completed),
      Runnable(&Connection::take_turn),
      Timer(&Connection::expired),
      service_(service),
      fd_(fd) {}

template <class Worker>
void Connection<Worker>::start() {
  ensure_receiving();
  arm_for_idleness();
}

template <class Worker>
void Connection<Worker>::completed(CompletionTarget& target, unsigned tag,
                                   const ksvc::Completion& completion) {
  auto& self = static_cast<Connection&>(target);
  switch (tag) {
    case kReceive: return self.received(completion);
    case kSendNow: return self.send_fell_short(completion.result);
    default: return self.sent(completion.result);
  }
}

template <class Worker>
void Connection<Worker>::received(const ksvc::Completion& completion) {
  if (completion.lease) arrive(completion.lease);
  if (!completion.more) receive_ended(completion.result);
  if (progress_ != nullptr && progress_->waiter != nullptr) {
    service_.worker().make_ready(*std::exchange(progress_->waiter, nullptr));
  } else if (!handling_ || starved_) {
    schedule();
  }
}

template <class Worker>
void Connection<Worker>::arrive(const ksvc::BufferLease& lease) {
  try {
    input_.arrive(lease, service_.backend().buffers(), service_.limits());
  } catch (const std::bad_alloc&) {
    failed_ = true;
  }
  if (backlogged()) pause_receiving();
}

template <class Worker>
void Connection<Worker>::receive_ended(std::int32_t result) {
  receiving_ = false;
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
  } else if (result == -ENOBUFS) {
    starved_ = true;
  } else if (result < 0 && result != -ECANCELED) {
    failed_ = true;
  }
}

template <class Worker>
void Connection<Worker>::send_fell_short(std::int32_t result) {
  if (result < 0 && result != -EAGAIN) {
    failed_ = true;
  } else {
    const std::size_t done = result > 0 ? static_cast<std::size_t>(result) : 0;
    try {
      if (outgoing_ == nullptr) outgoing_ = std::make_unique<Outgoing>();
      // In front of what was queued behind it meanwhile.
      outgoing_->queued.insert(0, piece_ + done, piece_size_ - done);
    } catch (const std::bad_alloc&) {
      failed_ = true;
    }
  }
  schedule();
}

template <class Worker>
void Connection<Worker>::sent(std::int32_t result) {
  sending_ = false;
  if (result < 0) {
    failed_ = true;
  } else {
    outgoing_->sent += static_cast<std::size_t>(result);
  }
  schedule();
}

template <class Worker>
void Connection<Worker>::schedule() {
  if (queued_) return;
  queued_ = true;
  service_.worker().make_ready(*this);
}

template <class Worker>
void Connection<Worker>::take_turn(gvt::Runnable& self) {
  static_cast<Connection&>(self).on_turn();
}

template <class Worker>
void Connection<Worker>::on_turn() {
  queued_ = false;
  if (state_ == State::closing) return finish_close();
  const bool handler_is_parked = handling_;
  try {
    advance();
  } catch (const std::bad_alloc&) {
    // No memory for this client: it is given up, the others go on.
    failed_ = true;
    if (handler_is_parked) return;
    service_.worker().running().observer = nullptr;
    progress_ = nullptr;
    handling_ = false;
    flush();
    close_now();
  }
}

// Does all that can be done for now.
template <class Worker>
void Connection<Worker>::advance() {
  if (handling_) {
    // A handler of ours is parked: all there is to do is to get its earlier output out.
    flush_outgoing();
    return ensure_receiving();
  }
  if (failed_) return close_now();
  if (!flush_outgoing()) return settle_down();
  if (state_ == State::skipping) skip_body();
  if (state_ == State::serving) serve();
  if (state_ == State::lingering) linger();
  settle_down();
}

template <class Worker>
void Connection<Worker>::expired(gvt::Timer& timer) {
  auto& self = static_cast<Connection&>(timer);
  // The deadline may have moved since the timer was set: set it again rather than at every request.
  if (self.deadline_ == ksvc::kNoDeadline) return;
  if (self.service_.worker().turn_time() < self.deadline_) {
    self.service_.worker().timers().set(self, self.deadline_);
    return;
  }
  self.on_timeout();
}

template <class Worker>
void Connection<Worker>::on_timeout() {
  // What arrived in this very turn, before timers were looked at, has not been served yet.
  if (state_ == State::serving && !handling_ && queued_ && (!input_.empty() || starved_)) {
    return arm_in(std::chrono::milliseconds(1));
  }
  deadline_ = ksvc::kNoDeadline;
  if (progress_ != nullptr && progress_->waited && !progress_->body_read) {
    // More may have arrived in this turn; then the handler is ready already and looks at this next.
    timed_out_ = true;
    if (progress_->waiter == nullptr) return;
    service_.worker().make_ready(*std::exchange(progress_->waiter, nullptr));
    return;
  }
  const auto* spill = input_.spill();
  if (state_ == State::serving && !handling_ && outgoing_ == nullptr && spill != nullptr &&
      spill->parsing) {
    respond_error(spill->parser, 408, "the request head did not arrive in time");
    flush();
    return settle_down();
  }
  if (outgoing_ != nullptr) {
    // A reader that takes nothing: closing with a reset also drops what the kernel holds for it.
    failed_ = true;
    reset_ = true;
  }
  if (!handling_) close_now();
}

template <class Worker>
void Connection<Worker>::serve() {
  gvt::GreenThread& here = service_.worker().running();
  here.observer = this;
  while (state_ == State::serving && !failed_ && outgoing_ == nullptr && !input_.empty()) {
    if (!serve_one()) break;
  }
  here.observer = nullptr;
  flush();
}

template <class Worker>
bool Connection<Worker>::serve_one() {
  auto* spill = input_.spill();
  if (spill != nullptr && spill->parsing) return parse_and_handle(spill->parser);
  HeadParser parser(service_.limits());
  return parse_and_handle(parser);
}

template <class Worker>
bool Connection<Worker>::parse_and_handle(HeadParser& parser) {
  switch (parser.advance(input_.front())) {
    case ParseState::complete: handle(parser.head(), parser.consumed()); return true;
    case ParseState::error:
      respond_error(parser, parser.error_status(), parser.error_reason());
      return false;
    case ParseState::incomplete: keep_partial_head(parser); return false;
  }
  return false;
}

template <class Worker>
void Connection<Worker>::keep_partial_head(const HeadParser& parser) {
  auto& spill = input_.need_spill(service_.limits());
  if (!spill.parsing) {
    spill.parser = parser;
    spill.parsing = true;
    arm_in(service_.limits().request_timeout);
  }
}

template <class Worker>
void Connection<Worker>::handle(const RequestHead& head, std::size_t head_bytes) {
  handling_ = true;
  input_.pin();
  Progress progress;
  progress.head = &head;
  progress.head_bytes = head_bytes;
  progress_ = &progress;
  sent_continue_ = false;
  timed_out_ = false;

  Exchange exchange(HeadView(head, input_.front().data()), *this);
  bool keep_alive = head.keep_alive;
  call_endpoint(exchange, keep_alive);

  WorkerCounters& counters = service_.counters();
  counters.requests.add(1);
  keep_alive =
      keep_alive && next_request_can_be_found() && (!service_.draining() || more_has_arrived());
  if (!failed_ && exchange.response().status != 0) {
    const Framing framing{keep_alive, head.minor_version == 0, head.method != Method::head};
    respond(exchange.response(), framing);
  } else {
    keep_alive = false;
  }
  end_request(keep_alive);
  progress_ = nullptr;
  handling_ = false;
}

template <class Worker>
void Connection<Worker>::call_endpoint(Exchange& exchange, bool& keep_alive) {
  const HeadView& head = exchange.head();
  const Match match = service_.router().match(head.head().method, head.path(), exchange.params());
  if (match.state != MatchState::found) return answer_unrouted(exchange, match);
  if (service_.worker().parked() >= service_.limits().parked_handlers) [[unlikely]] {
    return answer_overloaded(exchange.response());
  }
  const Endpoint& endpoint = service_.site().endpoints[match.route];
  const auto fail = [&](int status, std::string_view text) {
    Response& response = exchange.response();
    response.status = status;
    response.fields.clear();
    response.content_type = "text/plain; charset=utf-8";
    response.body.assign(text);
  };
  try {
    endpoint.call(endpoint.self, exchange);
  } catch (const RequestAborted& aborted) {
    keep_alive = false;
    fail(aborted.status, aborted.reason);
  } catch (const std::exception& error) {
    service_.log_handler_error(head.target(), error.what());
    fail(500, "Internal Server Error\n");
  } catch (...) {
    service_.log_handler_error(head.target(), "an exception that is no std::exception");
    fail(500, "Internal Server Error\n");
  }
}

template <class Worker>
void Connection<Worker>::answer_overloaded(Response& response) {
  response.status = 503;
  response.content_type = "text/plain; charset=utf-8";
  response.add_field("Retry-After", "1");
  response.body.assign("Too many requests are waiting\n");
}

template <class Worker>
void Connection<Worker>::answer_unrouted(Exchange& exchange, const Match& match) {
  const RequestHead& head = exchange.head().head();
  Response& response = exchange.response();
  response.content_type = "text/plain; charset=utf-8";
  if (head.method == Method::options && head.form == TargetForm::asterisk) {
    response.status = 204;
    response.add_field("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    return;
  }
  const bool refused = head.method == Method::trace || head.method == Method::connect;
  if (match.state == MatchState::method_not_allowed || refused) {
    MethodSet allowed = match.allowed;
    allowed.add(Method::options);
    response.status = head.method == Method::options ? 204 : 405;
    response.add_field("Allow", allowed.allow_text());
    if (response.status == 405) response.body.assign("Method Not Allowed\n");
    return;
  }
  response.status = 404;
  response.body.assign("Not Found\n");
}

template <class Worker>
void Connection<Worker>::respond(const Response& response, const Framing& framing) {
  service_.counters().answers[static_cast<unsigned>(response.status) / 100 % 6].add(1);
  const bool with_body = framing.body_allowed && allows_body(response.status);
  const std::string_view body = with_body ? response.body.view() : std::string_view{};
  const CommonFields& common = service_.common_fields();
  const std::size_t bound = head_size_bound(response, common) + body.size();
  OutputArena& arena = service_.arena();
  if (arena.piece_size() + bound <= OutputArena::kMaxPiece) [[likely]] {
    char* end = write_head(arena.reserve(bound), response, framing, common);
    return arena.commit(std::copy(body.begin(), body.end(), end));
  }
  std::string whole(bound, '\0');
  char* end = write_head(whole.data(), response, framing, common);
  end = std::copy(body.begin(), body.end(), end);
  whole.resize(static_cast<std::size_t>(end - whole.data()));
  queue_output(arena.take_piece());
  queue_output(whole);
}

template <class Worker>
void Connection<Worker>::respond_error(const HeadParser& parser, int status,
                                       std::string_view reason) {
  Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body.append(reason_phrase(status));
  response.body.append(": ");
  response.body.append(reason);
  response.body.append("\n");
  respond(response, Framing{false, false, parser.head().method != Method::head});
  if (auto* spill = input_.spill(); spill != nullptr) spill->parsing = false;
  input_.consume(input_.front().size(), service_.backend().buffers());
  input_.drop_spill_if_unused();
  state_ = State::finishing;
}

// Whether it will be known where a body that was not read to its end is over.
template <class Worker>
bool Connection<Worker>::next_request_can_be_found() const {
  const Progress& progress = *progress_;
  const RequestHead& head = *progress.head;
  if (progress.body_read || !head.has_body()) return true;
  // A chunked body has no length to skip by; of one that failed, some is gone already.
  if (head.chunked || progress.aborted) return false;
  // Without the 100, its sender decides whether the body comes at all.
  if (head.expect_continue && !sent_continue_) return false;
  const std::uint64_t arrived = input_.front().size() - progress.head_bytes;
  return head.content_length <= arrived + service_.limits().early_response_drain_bytes;
}

// Whether the client has sent something behind the request in progress, as far as that can be
// known: without a receive of the usual kind in flight, the kernel may have what we have not.
template <class Worker>
bool Connection<Worker>::more_has_arrived() const {
  if (!ended_ && (!receiving_ || borrowed_)) return true;
  const Progress& progress = *progress_;
  const std::uint64_t unread_body =
      progress.body_read ? progress.body_bytes : progress.head->content_length;
  return input_.front().size() > progress.head_bytes + unread_body || input_.behind_size() > 0;
}

template <class Worker>
void Connection<Worker>::end_request(bool keep_alive) {
  const Progress& progress = *progress_;
  const RequestHead& head = *progress.head;
  const std::string_view front = input_.front();
  std::size_t used = progress.head_bytes + progress.body_bytes;
  std::uint64_t left = 0;
  if (keep_alive && !progress.body_read && head.has_body()) {
    const auto taken = static_cast<std::size_t>(
        std::min<std::uint64_t>(front.size() - progress.head_bytes, head.content_length));
    used += taken;
    left = head.content_length - taken;
  }
  if (auto* spill = input_.spill(); spill != nullptr && spill->parsing) {
    spill->parsing = false;
    spill->parser.reset();
  }
  input_.unpin(used, service_.backend().buffers(), service_.limits());
  if (!keep_alive) {
    state_ = State::finishing;
  } else if (left > 0) {
    skip_left_ = left;
    state_ = State::skipping;
  }
  arm_for_state();
  if (state_ == State::skipping) skip_body();
}

template <class Worker>
void Connection<Worker>::skip_body() {
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
