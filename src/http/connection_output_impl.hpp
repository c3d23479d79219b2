// The member functions of Connection that send what it has to say, wait, and close.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "http/connection.hpp"
#include "http/service.hpp"

namespace weft::http {

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
    if (!handling_) arm_for_state();
    return true;
  }
  const std::size_t step =
      std::min(out.in_flight.size() - out.sent, service_.limits().send_step_bytes);
  sending_ = true;
  if (!handling_) arm_in(service_.limits().write_timeout);
  service_.backend().submit(
      ksvc::Send{fd_, out.in_flight.data() + out.sent, static_cast<std::uint32_t>(step)},
      corr_id(kSend));
  return false;
}

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
  if (starved_) [[unlikely]] {
    // What waits is taken at once, for the blocks may be gone again next time.
    auto& buffers = service_.backend().buffers();
    borrowed_ = buffers.borrow();
    starved_ = false;
    receiving_ = true;
    return service_.backend().submit(ksvc::ReceiveInto{fd_, borrowed_.data, buffers.block_bytes()},
                                     corr_id(kReceive));
  }
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
  arm_in(service_.draining() ? service_.limits().drain_quiet : service_.limits().idle_timeout);
}

// Sets the deadline for whatever is waited for now, without a handler.
template <class Worker>
void Connection<Worker>::arm_for_state() {
  const Limits& limits = service_.limits();
  if (sending_) return arm_in(limits.write_timeout);
  if (state_ == State::skipping) return arm_in(limits.early_response_linger);
  if (state_ != State::serving) return;
  const auto* spill = input_.spill();
  if (spill != nullptr && spill->parsing) return arm_in(limits.request_timeout);
  arm_for_idleness();
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
  service_.backend().submit(ksvc::Shutdown{fd_, SHUT_WR}, 0);
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
    if (!at_rest()) service_.backend().submit(ksvc::Shutdown{fd_, SHUT_RDWR}, 0);
  }
  schedule();
}

// Called from on_turn() alone and as its last step, for it ends the connection's life.
template <class Worker>
void Connection<Worker>::finish_close() {
  if (!at_rest() || handling_) return;
  if (unsettled()) return wait_until_settled();
  close();
  service_.release(*this);
}

template <class Worker>
void Connection<Worker>::cut_off() {
  service_.worker().timers().clear(*this);
  if (state_ != State::closing && !at_rest()) {
    service_.backend().submit(ksvc::Shutdown{fd_, SHUT_RDWR}, 0);
  }
  state_ = State::closing;
}

template <class Worker>
void Connection<Worker>::close() {
  input_.clear(service_.backend().buffers());
  service_.backend().submit(ksvc::Close{fd_, reset_}, 0);
}

}  // namespace weft::http
