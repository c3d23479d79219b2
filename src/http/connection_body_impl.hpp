// The member functions of Connection that read a request's body, parking until it has arrived.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "http/connection.hpp"
#include "http/service.hpp"

namespace weft::http {

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
  // The caller has looked at all that arrived before it asks for more.
  if (ended_ || failed_) throw RequestAborted{ended_ ? 400 : 0, "the body ended too early"};
  if (timed_out_) throw RequestAborted{408, "the request body did not arrive in time"};
  ensure_receiving();
  service_.worker().prepare_park();
  if (!std::exchange(progress_->waited, true)) arm_in(service_.limits().request_timeout);
  progress_->waiter = &service_.worker().running();
  service_.worker().park_prepared();
}

template <class Worker>
void Connection<Worker>::send_continue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  if (!progress_->head->expect_continue || sent_continue_) return;
  sent_continue_ = true;
  OutputArena& arena = service_.arena();
  char* out = arena.reserve(kContinue.size());
  std::memcpy(out, kContinue.data(), kContinue.size());
  arena.commit(out + kContinue.size());
}

}  // namespace weft::http
