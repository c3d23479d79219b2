// The member functions of Connection, for the files that instantiate it.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "http/connection.hpp"
#include "http/service.hpp"
#include "http/status.hpp"

namespace weft::http {

namespace {
// A long response goes out in steps of this size; the write timeout holds for each.
constexpr std::size_t kSendStepBytes = 128 * 1024;
// While draining, a request may be on its way: an idle client is left alone for this long.
constexpr std::chrono::milliseconds kQuietTime{300};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
}  // namespace

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

// ---- What comes from the kernel, the scheduler and the clock ------------------------------------

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
  if (completion.lease) {
    input_.arrive(completion.lease, service_.backend().buffers(), service_.limits());
    if (backlogged()) pause_receiving();
  }
  if (!completion.more) {
    receiving_ = false;
    pausing_ = false;
    if (completion.result == 0) {
      ended_ = true;
    } else if (completion.result == -ENOBUFS) {
      // Blocks come back when this turn's handlers are done.
      if (!queued_) {
        queued_ = true;
        service_.run_next_turn(*this);
        service_.worker().keep_awake();
      }
      return;
    } else if (completion.result < 0 && completion.result != -ECANCELED) {
      failed_ = true;
    }
  }
  if (progress_ != nullptr && progress_->waiter != nullptr) {
    service_.worker().make_ready(*std::exchange(progress_->waiter, nullptr));
  } else if (!handling_) {
    schedule();
  }
}

template <class Worker>
void Connection<Worker>::send_fell_short(std::int32_t result) {
  if (result < 0 && result != -EAGAIN) {
    failed_ = true;
  } else {
    const std::size_t done = result > 0 ? static_cast<std::size_t>(result) : 0;
    if (outgoing_ == nullptr) outgoing_ = std::make_unique<Outgoing>();
    // In front of what was queued behind it meanwhile.
    outgoing_->queued.insert(0, piece_ + done, piece_size_ - done);
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
    const ::linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  if (!handling_) close_now();
}

// ---- Requests ----------------------------------------------------------------------------------

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
  keep_alive = keep_alive && !service_.draining() && next_request_can_be_found();
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
    arm_in(service_.limits().early_response_linger);
    skip_body();
  } else {
    arm_for_idleness();
  }
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
  arm_for_idleness();
}

// ---- Bodies ------------------------------------------------------------------------------------

template <class Worker>
void Connection<Worker>::before_park() {
  input_.detach(service_.backend().buffers());
  flush();
}

template <class Worker>
std::string_view Connection<Worker>::read_body() {
  Progress& progress = *progress_;
  if (progress.body_read || !progress.head->has_body()) return progress.body;
  // A handler that goes on after a failure must not take what arrives then for the body.
  if (progress.aborted) throw *progress.aborted;
  const std::string_view arrived = input_.front().substr(progress.head_bytes);
  try {
    progress.body = progress.head->chunked ? read_chunked_body(arrived) : body_in_front(arrived);
  } catch (const RequestAborted& aborted) {
    progress.aborted = aborted;
    deadline_ = ksvc::kNoDeadline;
    throw;
  }
  progress.body_read = true;
  deadline_ = ksvc::kNoDeadline;
  return progress.body;
}

template <class Worker>
std::string_view Connection<Worker>::body_in_front(std::string_view arrived) {
  const std::uint64_t size = progress_->head->content_length;
  if (arrived.size() < size) return assemble_sized_body(arrived);
  progress_->body_bytes = static_cast<std::size_t>(size);
  return arrived.substr(0, progress_->body_bytes);
}

template <class Worker>
std::string_view Connection<Worker>::assemble_sized_body(std::string_view arrived) {
  const auto size = static_cast<std::size_t>(progress_->head->content_length);
  auto& spill = input_.need_spill(service_.limits());
  // What is announced is not trusted with memory before it arrives.
  spill.body.reserve(std::min<std::size_t>(size, 64 * 1024));
  spill.body.assign(arrived);
  progress_->body_bytes = arrived.size();
  send_continue();
  for (;;) {
    const std::size_t missing = size - spill.body.size();
    const std::size_t taken = std::min(missing, spill.behind.size());
    spill.body.append(spill.behind, 0, taken);
    spill.behind.erase(0, taken);
    if (spill.body.size() == size) return spill.body;
    wait_for_body();
  }
}

template <class Worker>
std::string_view Connection<Worker>::read_chunked_body(std::string_view arrived) {
  auto& spill = input_.need_spill(service_.limits());
  ChunkedDecoder decoder(service_.limits());
  const auto append = [&](std::string_view bytes) { spill.body.append(bytes); };
  const auto check = [&](const ChunkedDecoder::Step& step) {
    if (step.state == ChunkedState::error) {
      throw RequestAborted{decoder.error_status(), decoder.error_reason()};
    }
    return step.state == ChunkedState::complete;
  };
  spill.body.clear();
  auto step = decoder.advance(arrived, append);
  progress_->body_bytes = step.consumed;
  if (check(step)) return spill.body;
  send_continue();
  for (;;) {
    step = decoder.advance(spill.behind, append);
    spill.behind.erase(0, step.consumed);
    if (check(step)) return spill.body;
    wait_for_body();
  }
}

template <class Worker>
void Connection<Worker>::wait_for_body() {
  if (ended_ || failed_) throw RequestAborted{ended_ ? 400 : 0, "the body ended too early"};
  if (!timed_out_) {
    ensure_receiving();
    if (!std::exchange(progress_->waited, true)) arm_in(service_.limits().request_timeout);
    progress_->waiter = &service_.worker().running();
    service_.worker().park();
  }
  if (timed_out_) throw RequestAborted{408, "the request body did not arrive in time"};
}

template <class Worker>
void Connection<Worker>::send_continue() {
  if (!progress_->head->expect_continue || sent_continue_) return;
  sent_continue_ = true;
  OutputArena& arena = service_.arena();
  char* out = arena.reserve(kContinue.size());
  std::memcpy(out, kContinue.data(), kContinue.size());
  arena.commit(out + kContinue.size());
}

// ---- Output ------------------------------------------------------------------------------------

template <class Worker>
bool Connection<Worker>::unsettled() const noexcept {
  return piece_ != nullptr && !service_.settled_since(send_turn_);
}

template <class Worker>
void Connection<Worker>::wait_until_settled() {
  if (queued_) return;
  queued_ = true;
  service_.run_when_settled(*this);
  service_.worker().keep_awake();
}

template <class Worker>
void Connection<Worker>::flush() {
  const std::string_view piece = service_.arena().take_piece();
  if (piece.empty() || failed_) return;
  // The last answer is sent with a completion: our side is shut only when it is out.
  if (outgoing_ != nullptr || state_ == State::finishing || unsettled()) [[unlikely]] {
    return queue_output(piece);
  }
  piece_ = piece.data();
  piece_size_ = static_cast<std::uint32_t>(piece.size());
  send_turn_ = service_.turn();
  service_.backend().submit(ksvc::SendNow{fd_, piece_, piece_size_}, corr_id(kSendNow));
}

template <class Worker>
void Connection<Worker>::queue_output(std::string_view bytes) {
  if (bytes.empty()) return;
  if (outgoing_ == nullptr) outgoing_ = std::make_unique<Outgoing>();
  outgoing_->queued.append(bytes);
  schedule();
}

// True when nothing is left to send.
template <class Worker>
bool Connection<Worker>::flush_outgoing() {
  if (outgoing_ == nullptr) return true;
  if (failed_ || sending_) return false;
  if (unsettled()) {
    wait_until_settled();
    return false;
  }
  Outgoing& out = *outgoing_;
  if (out.sent == out.in_flight.size()) {
    out.in_flight = std::exchange(out.queued, {});
    out.sent = 0;
  }
  if (out.in_flight.empty()) {
    outgoing_.reset();
    if (state_ == State::serving && !handling_) arm_for_idleness();
    return true;
  }
  const std::size_t step = std::min(out.in_flight.size() - out.sent, kSendStepBytes);
  sending_ = true;
  if (!handling_) arm_in(service_.limits().write_timeout);
  service_.backend().submit(
      ksvc::Send{fd_, out.in_flight.data() + out.sent, static_cast<std::uint32_t>(step)},
      corr_id(kSend));
  return false;
}

// ---- Waiting and closing -----------------------------------------------------------------------

// What a connection does when it has nothing more to do for now.
template <class Worker>
void Connection<Worker>::settle_down() {
  if (state_ == State::closing) return;
  if (failed_) return close_now();
  if (outgoing_ == nullptr && state_ == State::finishing) begin_linger();
  if (state_ == State::closing) return;
  if (ended_ && outgoing_ == nullptr) {
    // A send that falls short leaves something to do.
    if (!unsettled()) return close_now();
    wait_until_settled();
  }
  auto& buffers = service_.backend().buffers();
  input_.spill_lease(buffers, service_.limits());
  input_.drop_spill_if_unused();
  if (backlogged()) return pause_receiving();
  ensure_receiving();
}

// More has arrived than may wait: behind a running handler, or behind output that is not sent.
template <class Worker>
bool Connection<Worker>::backlogged() const noexcept {
  const std::size_t waiting = handling_ ? input_.behind_size() : input_.front().size();
  return (handling_ || outgoing_ != nullptr) && waiting > service_.limits().pipelined_bytes;
}

template <class Worker>
void Connection<Worker>::ensure_receiving() {
  if (receiving_ || ended_ || failed_ || state_ == State::closing || backlogged()) return;
  receiving_ = true;
  service_.backend().submit(ksvc::Receive{fd_}, corr_id(kReceive));
}

template <class Worker>
void Connection<Worker>::pause_receiving() {
  if (!receiving_ || pausing_) return;
  pausing_ = true;
  service_.backend().submit(ksvc::Cancel{fd_, corr_id(kReceive)}, 0);
}

// Moves the deadline. The timer is touched only when it would fire too late: one that fires too
// early looks at the deadline and sets itself again, which is rarer than requests are.
template <class Worker>
void Connection<Worker>::arm_in(std::chrono::milliseconds delay) {
  deadline_ = service_.worker().turn_time() + delay;
  if (is_set() && gvt::TimerWheel::due(*this) <= deadline_) return;
  service_.worker().timers().set(*this, deadline_);
}

template <class Worker>
void Connection<Worker>::arm_for_idleness() {
  arm_in(service_.draining() ? kQuietTime : service_.limits().idle_timeout);
}

template <class Worker>
void Connection<Worker>::begin_drain() {
  if (handling_ || state_ != State::serving || outgoing_ != nullptr) return;
  const auto* spill = input_.spill();
  if (spill == nullptr || !spill->parsing) arm_for_idleness();
}

template <class Worker>
void Connection<Worker>::begin_linger() {
  if (ended_) return close_now();
  ::shutdown(fd_, SHUT_WR);
  state_ = State::lingering;
  arm_in(service_.limits().early_response_linger);
  linger();
}

// Closing with unread input would reset the connection and could destroy the answer on its way. So
// whatever comes is dropped until the client ends its side, or the time for it is over.
template <class Worker>
void Connection<Worker>::linger() {
  input_.consume(input_.front().size(), service_.backend().buffers());
  input_.drop_spill_if_unused();
  if (ended_) close_now();
}

template <class Worker>
void Connection<Worker>::close_now() {
  if (state_ != State::closing) {
    state_ = State::closing;
    service_.worker().timers().clear(*this);
    // Ends the receive, and a send that waits for room.
    if (receiving_ || sending_) ::shutdown(fd_, SHUT_RDWR);
  }
  schedule();
}

// Called from on_turn() alone and as its last step, for it ends the connection's life.
template <class Worker>
void Connection<Worker>::finish_close() {
  if (receiving_ || sending_ || handling_) return;
  if (unsettled()) return wait_until_settled();
  input_.clear(service_.backend().buffers());
  service_.backend().submit(ksvc::Close{fd_}, 0);
  service_.release(*this);
}

}  // namespace weft::http
