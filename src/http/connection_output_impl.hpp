// The member functions of Connection that send what it has to say, wait, and close.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <new>
#include <utility>

#include "http/connection.hpp"
#include "http/service.hpp"

namespace weft::http {

template <class Worker, class Model>
bool Connection<Worker, Model>::unsettled() const noexcept {
  return piece_ != nullptr && !service_.settled_since(send_turn_);
}

template <class Worker, class Model>
void Connection<Worker, Model>::wait_until_settled() {
  if (queued_) return;
  queued_ = true;
  service_.run_when_settled(*this);
  service_.worker().keep_awake();
}

template <class Worker, class Model>
void Connection<Worker, Model>::flush() {
  const std::string_view piece = service_.arena().take_piece();
  if (piece.empty() || failed_) return;
  // The last answer is sent with a completion: our side is shut only when it is out.
  if (outgoing_ != nullptr || state_ == State::finishing || unsettled()) [[unlikely]] {
    return queue_output(piece);
  }
  send_now(piece);
}

// The bytes must stay until the back end is settled.
template <class Worker, class Model>
void Connection<Worker, Model>::send_now(std::string_view bytes) {
  piece_ = bytes.data();
  piece_size_ = static_cast<std::uint32_t>(bytes.size());
  send_turn_ = service_.turn();
  service_.backend().submit(ksvc::SendNow{fd_, piece_, piece_size_}, corr_id(kSendNow));
}

template <class Worker, class Model>
void Connection<Worker, Model>::queue_output(std::string_view bytes) {
  if (bytes.empty()) return;
  try {
    need_outgoing(bytes.size());
    outgoing_->queued.append(bytes);
    outgoing_->count();
  } catch (const std::bad_alloc&) {
    // Whoever catches this may go on, but with what is lost here missing, the client would take
    // the next answer for this one.
    lose_client();
    throw;
  }
  schedule();
}

// Throws BudgetSpent. What says no more than that something went wrong can always be said.
template <class Worker, class Model>
void Connection<Worker, Model>::need_outgoing(std::size_t bytes) {
  constexpr std::size_t kAlways = 1024;
  if (outgoing_ != nullptr) return;
  if (bytes > kAlways && !service_.budget().admits()) throw BudgetSpent();
  outgoing_ = std::make_unique<Outgoing>(service_.budget());
}

// True when nothing is left to send.
template <class Worker, class Model>
bool Connection<Worker, Model>::flush_outgoing() {
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
    out.count();
  }
  if (out.in_flight.empty()) {
    outgoing_.reset();
    if (!handling()) arm_for_state();
    return true;
  }
  const std::size_t step =
      std::min(out.in_flight.size() - out.sent, service_.limits().send_step_bytes);
  sending_ = true;
  service_.operation_begins();
  if (!handling()) arm_in(service_.limits().write_timeout);
  service_.backend().submit(
      ksvc::Send{fd_, out.in_flight.data() + out.sent, static_cast<std::uint32_t>(step)},
      corr_id(kSend));
  return false;
}

// What a connection does when it has nothing more to do for now.
template <class Worker, class Model>
void Connection<Worker, Model>::settle_down() {
  if (state_ == State::closing) return;
  if (failed_) return close_now();
  if (outgoing_ == nullptr && state_ == State::finishing) {
    // Shutting our side now would overtake what the kernel is still to take.
    if (unsettled()) return wait_until_settled();
    if (last_request_ && input_.empty()) return close_now();
    begin_linger();
  }
  if (state_ == State::closing) return;
  if (ended_ && outgoing_ == nullptr) {
    // A send that falls short leaves something to do.
    if (!unsettled()) return close_now();
    wait_until_settled();
  }
  auto& buffers = service_.backend().buffers();
  // Behind the last answer nothing is looked at any more.
  if (state_ == State::finishing) input_.consume(input_.front().size(), buffers);
  input_.spill_lease(buffers, service_.budget());
  input_.drop_spill_if_unused();
  if (backlogged()) return pause_receiving();
  ensure_receiving();
}

// More has arrived than may wait: behind a running handler, or behind output that is not sent.
template <class Worker, class Model>
bool Connection<Worker, Model>::backlogged() const noexcept {
  if (!handling() && outgoing_ == nullptr) [[likely]]
    return false;
  const std::size_t waiting = handling() ? input_.behind_size() : input_.front().size();
  return waiting > service_.limits().pipelined_bytes;
}

// Whoever is not listened to cannot be heard to leave. A body is listened to when its handler reads
// on; those who upload much are many, and not all bear to be asked often.
template <class Worker, class Model>
bool Connection<Worker, Model>::hides_its_end() const noexcept {
  return handling() && backlogged() && (request_->body_read || !request_->head.has_body());
}

template <class Worker, class Model>
void Connection<Worker, Model>::ensure_receiving() {
  if (receiving_ || ended_ || failed_ || state_ == State::closing || backlogged()) return;
  if (starved_) [[unlikely]] {
    // What waits is taken at once, for the blocks may be gone again next time.
    auto& buffers = service_.backend().buffers();
    borrowed_ = buffers.borrow();
    starved_ = false;
    receiving_ = true;
    service_.operation_begins();
    return service_.backend().submit(ksvc::ReceiveInto{fd_, borrowed_.data, buffers.block_bytes()},
                                     corr_id(kReceive));
  }
  receiving_ = true;
  service_.operation_begins();
  // Many clients ask once, and others lose little; but who drains wants to know what else has come.
  const bool first = !std::exchange(received_before_, true) && !service_.draining();
  service_.backend().submit(ksvc::Receive{fd_, first}, corr_id(kReceive));
}

template <class Worker, class Model>
void Connection<Worker, Model>::pause_receiving() {
  if (hides_its_end()) begin_to_probe();
  if (!receiving_ || pausing_) return;
  pausing_ = true;
  service_.backend().submit(ksvc::Cancel{fd_, corr_id(kReceive)}, 0);
}

template <class Worker, class Model>
void Connection<Worker, Model>::begin_drain() {
  if (handling() || state_ != State::serving || outgoing_ != nullptr) return;
  const auto* spill = input_.spill();
  if (spill == nullptr || !spill->parsing) arm_for_idleness();
}

template <class Worker, class Model>
void Connection<Worker, Model>::begin_linger() {
  if (ended_ || reset_) return close_now();
  service_.backend().submit(ksvc::Shutdown{fd_, SHUT_WR}, 0);
  state_ = State::lingering;
  arm_in(service_.limits().early_response_linger);
  linger();
}

// Closing with unread input would reset the connection and could destroy the answer on its way. So
// whatever comes is dropped until the client ends its side, or the time for it is over.
template <class Worker, class Model>
void Connection<Worker, Model>::linger() {
  input_.consume(input_.front().size(), service_.backend().buffers());
  input_.drop_spill_if_unused();
  if (ended_) close_now();
}

template <class Worker, class Model>
void Connection<Worker, Model>::close_now() {
  if (state_ != State::closing) {
    state_ = State::closing;
    service_.worker().timers().clear(*this);
    // An orderly end must not go ahead of a reset: it would be taken for the end of the answer. And
    // behind the last answer to who sends no more, the close alone is one: all is sent by then.
    if ((reset_ || last_request_) && !sending_) {
      pause_receiving();
    } else if (!at_rest()) {
      // Ends the receive, and a send that waits for room.
      service_.backend().submit(ksvc::Shutdown{fd_, SHUT_RDWR}, 0);
    }
  }
  schedule();
}

// Called from on_turn() alone and as its last step, for it ends the connection's life.
template <class Worker, class Model>
void Connection<Worker, Model>::finish_close() {
  if (!at_rest() || handling()) return;
  if (unsettled()) return wait_until_settled();
  close();
  service_.release(*this);
}

template <class Worker, class Model>
void Connection<Worker, Model>::cut_off() {
  service_.worker().timers().clear(*this);
  if (state_ != State::closing && !at_rest()) {
    service_.backend().submit(ksvc::Shutdown{fd_, SHUT_RDWR}, 0);
  }
  state_ = State::closing;
}

template <class Worker, class Model>
void Connection<Worker, Model>::close() {
  input_.clear(service_.backend().buffers());
  service_.backend().submit(ksvc::Close{fd_, reset_}, 0);
}

}  // namespace weft::http
