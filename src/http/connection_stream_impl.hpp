// The member functions of Connection that give a body as it comes, and write an answer as a handler
// gives it.
//
// Of a body, what came with the head is read where it lies, and what comes later from a window: the
// bytes that had arrived when it was last empty. What a handler writes is gathered at the end of
// the worker's output arena, which is no one's for long: it is sent when the handler parks, or when
// there is enough of it. Who is not the handler itself, but was spawned by it, has nobody to see it
// park, so that what it writes is sent at once.
#pragma once

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "http/connection.hpp"
#include "http/service.hpp"
#include "http/status.hpp"
#include "http/trailers.hpp"
#include "http/upgrade.hpp"
#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/core/assert.hpp"
#include "net/address.hpp"
#include "weft/cancel.hpp"
#include "weft/green.hpp"

namespace weft::http {

// ---- The request's body

template <class Worker, class Model>
std::string_view Connection<Worker, Model>::read_part(std::size_t most) {
  ActiveRequest& request = *request_;
  if (request.aborted) throw *request.aborted;
  if (!request.incoming) {
    if (!request.head.has_body()) return {};
    if (request.body_read) {
      const std::string_view part = request.body.substr(request.body_given, most);
      request.body_given += part.size();
      return part;
    }
    require_readable(request);
    request.incoming.emplace(request.head, service_.limits(), body_limit(request));
    request.incoming->keep_trailers_in(request.exchange.trailers());
  }
  if (request.incoming->has_ended()) return {};
  try {
    return next_part(*request.incoming, most);
  } catch (const RequestAborted& aborted) {
    request.aborted = aborted;
    throw;
  }
}

template <class Worker, class Model>
std::string_view Connection<Worker, Model>::next_part(BodyStream& body, std::size_t most) {
  for (;;) {
    const BodyStream::Part part = body.take(unread_body(), most);
    drop_read(part.consumed);
    body.given += part.bytes.size();
    body.has_received(part.consumed, service_.limits().body_step_bytes);
    if (body.has_ended()) {
      request_->body_read = true;
      return_window();
    }
    if (!part.bytes.empty() || body.has_ended()) {
      note_progress();
      return part.bytes;
    }
    if (!refill_window()) wait_for_part(body);
  }
}

template <class Worker, class Model>
std::string_view Connection<Worker, Model>::unread_body() noexcept {
  const std::string_view in_front =
      input_.front().substr(request_->head_bytes + request_->body_bytes);
  if (!in_front.empty() || input_.spill() == nullptr) return in_front;
  return std::string_view(input_.spill()->body).substr(request_->incoming->window_at);
}

template <class Worker, class Model>
void Connection<Worker, Model>::drop_read(std::size_t bytes) {
  if (input_.front().size() > request_->head_bytes + request_->body_bytes) {
    request_->body_bytes += bytes;
  } else {
    request_->incoming->window_at += bytes;
  }
}

// False when nothing has arrived.
template <class Worker, class Model>
bool Connection<Worker, Model>::refill_window() {
  auto* spill = input_.spill();
  if (spill == nullptr || spill->behind.empty()) return false;
  spill->body.clear();
  spill->body.swap(spill->behind);
  request_->incoming->window_at = 0;
  // There is room behind it again.
  ensure_receiving();
  return true;
}

// A stream has the time of a request for each of its steps, and another protocol has its own.
template <class Worker, class Model>
void Connection<Worker, Model>::note_progress() noexcept {
  ActiveRequest& request = *request_;
  if (!request.times) return;
  const bool upgraded = request.outgoing && request.outgoing->upgraded;
  request.times->answer = upgraded
                              ? ksvc::kNoDeadline
                              : service_.worker().turn_time() + service_.limits().request_timeout;
}

// What is behind the body, or what a handler leaves of it. The window's bytes stay where they are.
template <class Worker, class Model>
void Connection<Worker, Model>::return_window() {
  auto* spill = input_.spill();
  std::size_t& at = request_->incoming->window_at;
  if (spill == nullptr || at == spill->body.size()) return;
  spill->behind.insert(0, spill->body, at, std::string::npos);
  spill->count();
  at = spill->body.size();
}

template <class Worker, class Model>
void Connection<Worker, Model>::wait_for_part(BodyStream& body) {
  if (failed_) throw client_gone();
  if (ended_) {
    if (!body.is_endless()) throw RequestAborted{400, "the body ended too early"};
    return body.end();
  }
  need_body_spill().count();
  ensure_receiving();
  send_continue();
  let_go_unobserved();
  detail::Waiter waiter("for more of a request's body", this);
  body.reader = &waiter;
  // While the handler does something else its client has no part in that.
  const gvt::TimePoint began = service_.worker().now();
  const std::chrono::nanoseconds patience = body.patience(service_.limits().body_timeout);
  const detail::Outcome outcome =
      waiter.wait(body.is_endless() ? detail::kNever : detail::deadline_after(patience.count()));
  body.reader = nullptr;
  body.has_waited(service_.worker().now() - began);
  if (failed_) throw client_gone();
  if (outcome == detail::Outcome::woken) return;
  const bool late = outcome == detail::Outcome::timed_out ||
                    request_->cancel.reason() == detail::CancelReason::timed_out;
  if (!late) throw detail::own_cancellation();
  throw RequestAborted{408, "the request body did not arrive in time"};
}

// Of the body, behind what has been read.
template <class Worker, class Model>
std::uint64_t Connection<Worker, Model>::body_left() const noexcept {
  const ActiveRequest& request = *request_;
  if (request.body_read) return 0;
  return request.incoming ? request.incoming->left() : request.head.content_length;
}

// ---- The answer

template <class Worker, class Model>
void Connection<Worker, Model>::begin_answer_stream(std::optional<std::uint64_t> length) {
  if (request_->outgoing) throw std::logic_error("the answer is a stream already");
  request_->outgoing.emplace().length = length;
}

template <class Worker, class Model>
AnswerStream& Connection<Worker, Model>::answer_to_write() {
  assert_own_turn();
  AnswerStream& answer = *request_->outgoing;
  if (failed_) answer.broken = true;
  if (answer.broken) throw client_gone();
  return answer;
}

template <class Worker, class Model>
void Connection<Worker, Model>::begin_answer() {
  ActiveRequest& request = *request_;
  AnswerStream& answer = *request.outgoing;
  Response& response = request.exchange.response();
  const bool http_1_0 = request.head.minor_version == 0;
  answer.framing = answer.length ? BodyFraming::sized
                   : http_1_0    ? BodyFraming::until_close
                                 : BodyFraming::chunked;
  answer.head_only = request.head.method == Method::head || !allows_body(response.status);
  // A body that is being read will most likely be read to its end.
  const std::size_t most = service_.limits().requests_per_connection;
  answer.keep_alive = request.keep_alive && !answer.upgraded && !request.aborted &&
                      (most == 0 || requests_ + 1U < most) &&
                      (request.incoming || next_request_can_be_found()) &&
                      (answer.framing != BodyFraming::until_close || answer.head_only) &&
                      (!service_.draining() || more_has_arrived());
  Framing framing{answer.keep_alive, http_1_0, !answer.head_only};
  framing.body = answer.framing;
  framing.length = answer.length.value_or(0);
  put_answer(response, framing, {});
  answer.begun = true;
  response.head_is_out = true;
}

template <class Worker, class Model>
void Connection<Worker, Model>::write_part(std::string_view bytes) {
  write_answer(bytes.size(), [&] { gather_all(bytes); });
}

// Of `size` bytes, by what sends or gathers them.
template <class Worker, class Model>
template <class Write>
void Connection<Worker, Model>::write_answer(std::uint64_t size, const Write& write) {
  AnswerStream& answer = answer_to_write();
  if (answer.length && size > *answer.length - answer.written) {
    throw std::logic_error("more is written than was announced: " + std::to_string(*answer.length) +
                           " bytes");
  }
  if (size == 0) return;
  if (!answer.upgraded && !allows_body(request_->exchange.response().status)) {
    throw std::logic_error("an answer of this status has no body");
  }
  // If it ends amid this, nobody knows what has been written.
  answer.broken = true;
  const Limits& limits = service_.limits();
  const bool is_seen_to_park = is_observed();
  const auto is_dropped = [&] { return answer.head_only && !answer.upgraded; };
  try {
    if (!answer.begun) begin_answer();
    answer.written += size;
    answer.left = size;
    if (is_dropped() && answer.written / limits.stream_unsent_bytes !=
                            (answer.written - size) / limits.stream_unsent_bytes) {
      let_others_go_first();
    }
    if (!is_dropped()) write();
    answer.left = 0;
    if (!is_seen_to_park) push_parts();
  } catch (...) {
    // There is nobody to see this end, and the arena is another's next.
    if (!is_seen_to_park) {
      answer.chunk_at = AnswerStream::kNoChunk;
      service_.arena().take_piece();
    }
    throw;
  }
  answer.broken = false;
  if (!is_dropped()) note_progress();
}

// No client holds up who writes an answer to HEAD, and none sees it make progress: it has the time
// of a request for all of it.
template <class Worker, class Model>
void Connection<Worker, Model>::let_others_go_first() {
  let_go_unobserved();
  weft::yield();
  if (failed_) throw client_gone();
  check_cancelled();
}

template <class Worker, class Model>
void Connection<Worker, Model>::gather_all(std::string_view bytes) {
  while (!bytes.empty()) {
    wait_for_room(service_.limits().stream_unsent_bytes);
    const std::size_t gathered = gather(bytes);
    bytes.remove_prefix(gathered);
    request_->outgoing->left -= gathered;
    if (service_.arena().piece_size() >= service_.limits().stream_gather_bytes) push_parts();
  }
}

// Takes what goes into the piece that is gathered, and returns how much that was.
template <class Worker, class Model>
std::size_t Connection<Worker, Model>::gather(std::string_view bytes) {
  AnswerStream& answer = *request_->outgoing;
  OutputArena& arena = service_.arena();
  const std::size_t size = std::min(bytes.size(), service_.limits().stream_gather_bytes);
  const bool in_chunks = answer.framing == BodyFraming::chunked && !answer.upgraded;
  const std::size_t room = size + AnswerStream::kChunkHeadBytes + 2;
  if (arena.piece_size() + room > OutputArena::kMaxPiece) push_parts();
  char* out = arena.reserve(room);
  if (in_chunks && answer.chunk_at == AnswerStream::kNoChunk) {
    answer.chunk_at = arena.piece_size();
    out += AnswerStream::kChunkHeadBytes;
  }
  std::memcpy(out, bytes.data(), size);
  arena.commit(out + size);
  return size;
}

template <class Worker, class Model>
void Connection<Worker, Model>::close_chunk() {
  if (request_ == nullptr || !request_->outgoing) return;
  if (request_->outgoing->chunk_at == AnswerStream::kNoChunk) return;
  OutputArena& arena = service_.arena();
  char* const end = arena.reserve(2);
  arena.commit(std::copy_n("\r\n", 2, end));
  const std::size_t at =
      std::exchange(request_->outgoing->chunk_at, std::size_t{AnswerStream::kNoChunk});
  std::size_t size = arena.piece_size() - at - AnswerStream::kChunkHeadBytes - 2;
  WEFT_ASSERT(size <= 0xffff);
  char* const head = arena.piece() + at;
  for (int digit = 3; digit >= 0; --digit, size >>= 4) head[digit] = "0123456789abcdef"[size & 15];
  std::copy_n("\r\n", 2, head + 4);
}

template <class Worker, class Model>
void Connection<Worker, Model>::push_parts() {
  close_chunk();
  flush();
}

template <class Worker, class Model>
void Connection<Worker, Model>::flush_parts() {
  AnswerStream& answer = answer_to_write();
  if (!answer.begun) begin_answer();
  push_parts();
}

// What the kernel has not taken, as far as that is known.
template <class Worker, class Model>
std::size_t Connection<Worker, Model>::unsent() const noexcept {
  std::size_t size = unsettled() ? piece_size_ : 0;
  if (outgoing_ != nullptr) {
    size += outgoing_->in_flight.size() - outgoing_->sent + outgoing_->queued.size();
  }
  return size;
}

template <class Worker, class Model>
void Connection<Worker, Model>::wait_for_room(std::size_t most_unsent) {
  AnswerStream& answer = *request_->outgoing;
  answer.most_unsent = most_unsent;
  while (unsent() > most_unsent) {
    if (failed_) throw client_gone();
    let_go_unobserved();
    detail::Waiter waiter("for room to send", this);
    answer.writer = &waiter;
    schedule();
    // It holds for each step.
    const detail::Outcome outcome = waiter.wait(
        detail::deadline_after(std::chrono::nanoseconds(service_.limits().write_timeout).count()));
    answer.writer = nullptr;
    if (!failed_ && outcome == detail::Outcome::cancelled) throw detail::own_cancellation();
    if (outcome == detail::Outcome::timed_out) {
      failed_ = true;
      reset_ = true;
    }
  }
  if (failed_) throw client_gone();
}

// In the loop, while a handler is parked: whoever waits goes on when there is a reason to.
template <class Worker, class Model>
void Connection<Worker, Model>::wake_streams() noexcept {
  if (failed_ && request_->incoming) wake(request_->incoming->reader);
  if (!request_->outgoing || request_->outgoing->writer == nullptr) return;
  if (failed_ || unsent() <= request_->outgoing->most_unsent) {
    return wake(request_->outgoing->writer);
  }
  if (outgoing_ == nullptr) wait_until_settled();
}

template <class Worker, class Model>
void Connection<Worker, Model>::add_trailer(std::string_view name, std::string_view value) {
  AnswerStream& answer = answer_to_write();
  require_trailer(name, value);
  if (answer.length || answer.upgraded) {
    throw std::logic_error("only an answer of unknown length has trailers");
  }
  if (answer.trailers.size() + name.size() + value.size() > service_.limits().trailer_bytes) {
    throw std::length_error("the trailer section is longer than the limit");
  }
  answer.trailers.append(name).append(": ").append(value).append("\r\n");
}

template <class Worker, class Model>
std::uint64_t Connection<Worker, Model>::written() const noexcept {
  return request_->outgoing ? request_->outgoing->written : 0;
}

template <class Worker, class Model>
std::optional<weft::Endpoint> Connection<Worker, Model>::peer() const noexcept {
  if (service_.site().peer) return service_.site().peer;
  if (ksvc::made_by_backend(fd_)) return std::nullopt;
  const auto endpoint = net::peer_endpoint(fd_);
  return endpoint ? std::optional(*endpoint) : std::nullopt;
}

// The handler has returned. Whether the connection may be kept; when there was nothing to stream,
// the answer is left to be written whole.
template <class Worker, class Model>
bool Connection<Worker, Model>::end_answer_stream(bool keep_alive) {
  ActiveRequest& request = *request_;
  AnswerStream& answer = *request.outgoing;
  if (failed_ || answer.upgraded) return false;
  const bool head_only = request.head.method == Method::head;
  const bool too_little = answer.length.value_or(0) > answer.written && !head_only &&
                          allows_body(request.exchange.response().status);
  if (too_little && !answer.broken) {
    service_.log_handler_error(request.exchange.head().target(),
                               "it wrote " + std::to_string(answer.written) + " bytes of " +
                                   std::to_string(*answer.length) + " that it had announced");
  }
  // A write that had no memory for its head may have been caught.
  const bool is_lost = too_little || answer.broken;
  if (!answer.begun && (is_lost || (!head_only && answer.trailers.empty()))) {
    Response& response = request.exchange.response();
    response.body.clear();
    if (is_lost) {
      response.drop_fields();
      answer_error(service_.site().error_wording, response, 500, "Internal Server Error\n");
    }
    request.outgoing.reset();
    return keep_alive;
  }
  if (!answer.begun) begin_answer();
  close_chunk();
  if (answer.broken || too_little) {
    // The end of a chunked answer is missed by its client; another's would be taken for whole.
    reset_ = answer.framing != BodyFraming::chunked && !head_only;
    return false;
  }
  if (answer.framing == BodyFraming::chunked && !answer.head_only) {
    OutputArena& arena = service_.arena();
    const std::size_t size = answer.trailers.size() + 5;
    if (arena.piece_size() + size > OutputArena::kMaxPiece) flush();
    char* end = std::copy_n("0\r\n", 3, arena.reserve(size));
    end = std::copy(answer.trailers.begin(), answer.trailers.end(), end);
    arena.commit(std::copy_n("\r\n", 2, end));
  }
  return answer.keep_alive && request.keep_alive && next_request_can_be_found();
}

// ---- Another protocol

template <class Worker, class Model>
void Connection<Worker, Model>::change_protocol(std::string_view protocol) {
  ActiveRequest& request = *request_;
  Response& response = request.exchange.response();
  if (request.outgoing) throw std::logic_error("the answer is a stream already");
  if (!request.head.upgrade || !names_protocol(request.exchange.head(), protocol)) {
    response.upgrade = protocol;
    throw RequestAborted{426, "This is for clients that ask to change the protocol\n"};
  }
  if (!request.body_read) read_body();
  request.outgoing.emplace().upgraded = true;
  request.incoming.emplace(service_.limits());
  if (auto* spill = input_.spill()) request.incoming->window_at = spill->body.size();
  response.status = 101;
  response.upgrade = protocol;
  begin_answer();
  push_parts();
  note_progress();
  if (!ksvc::made_by_backend(fd_)) {
    ksvc::ask_when_silent(fd_, service_.limits().upgraded_keep_alive);
  }
}

}  // namespace weft::http
