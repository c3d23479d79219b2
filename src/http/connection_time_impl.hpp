// The member functions of Connection that know what time it is: deadlines, and what becomes of a
// handler whose request is late or whose client has gone.
//
// One timer serves all. A client that is there and silent is told from one that is gone like this:
// a reset ends the receive. An end of stream does not tell, for a client may shut its side and wait
// for the answer (RFC 9112 §9.6 wants it served), and TCP has no other sign of one that has closed.
// So it is asked, by a "100 Continue": whoever is there discards that (RFC 9110 §15.2.1), and the
// kernel of whoever is not answers with a reset. HTTP/1.0 has no such thing; its clients are
// believed to be there until something is sent. Asked is also who has sent so much behind a request
// that is waited for that nothing more is received: its end, or its reset, lies behind all that.
#pragma once

#include <algorithm>
#include <new>
#include <utility>

#include "http/connection.hpp"
#include "http/service.hpp"

namespace weft::http {

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

template <class Worker, class Model>
void Connection<Worker, Model>::expired(gvt::Timer& timer) {
  auto& self = static_cast<Connection&>(timer);
  // The deadline may have moved since the timer was set: set it again rather than at every request.
  if (self.deadline_ == ksvc::kNoDeadline) return;
  if (self.service_.worker().turn_time() < self.deadline_) {
    self.service_.worker().timers().set(self, self.deadline_);
    return;
  }
  self.on_timeout();
}

template <class Worker, class Model>
void Connection<Worker, Model>::on_timeout() {
  if (handling()) return on_request_timeout();
  // What arrived in this very turn, before timers were looked at, has not been served yet.
  if (state_ == State::serving && queued_ && (!input_.empty() || starved_)) {
    return arm_in(std::chrono::milliseconds(1));
  }
  // An answer is on its way to the kernel: closing now would overtake it.
  if (unsettled()) return arm_in(std::chrono::milliseconds(1));
  deadline_ = ksvc::kNoDeadline;
  const auto* spill = input_.spill();
  if (state_ == State::serving && outgoing_ == nullptr && spill != nullptr && spill->parsing) {
    try {
      respond_error(spill->parser, 408, "the request head did not arrive in time");
      flush();
    } catch (const std::bad_alloc&) {
      service_.arena().take_piece();
      failed_ = true;
    }
    return settle_down();
  }
  if (outgoing_ != nullptr) {
    // A reader that takes nothing: closing with a reset also drops what the kernel holds for it.
    failed_ = true;
    reset_ = true;
  }
  close_now();
}

template <class Worker, class Model>
void Connection<Worker, Model>::on_request_timeout() {
  deadline_ = ksvc::kNoDeadline;
  if (!request_->times) return;
  RequestTimes& times = *request_->times;
  const gvt::TimePoint now = service_.worker().turn_time();
  const bool awaits_body = times.body != ksvc::kNoDeadline;
  if (awaits_body && now >= std::min(times.body, times.answer)) {
    give_up_body();
  } else if (now >= times.answer) {
    times.answer = ksvc::kNoDeadline;
    times.probe = ksvc::kNoDeadline;
    request_->cancel.cancel(detail::CancelReason::timed_out);
  } else if (now >= times.probe) {
    probe_client();
  }
  arm_for_request();
}

// A handler that waits for more of the body learns that none will come.
template <class Worker, class Model>
void Connection<Worker, Model>::give_up_body() noexcept {
  if (!handling() || !request_->times || request_->times->body == ksvc::kNoDeadline) return;
  request_->times->body = ksvc::kNoDeadline;
  // More may have arrived in this turn; then the handler is ready already and looks at this next.
  request_->timed_out = true;
  wake_body_waiter();
}

template <class Worker, class Model>
void Connection<Worker, Model>::wake_body_waiter() noexcept {
  wake(request_->waiter);
}

// The connection is broken; so is what a handler does for it.
template <class Worker, class Model>
void Connection<Worker, Model>::lose_client() noexcept {
  failed_ = true;
  if (!handling()) return;
  request_->cancel.cancel(detail::CancelReason::cancelled);
  wake_body_waiter();
}

// The handler waits, and may do so for long.
template <class Worker, class Model>
void Connection<Worker, Model>::request_begins_to_wait() {
  ActiveRequest& request = *request_;
  request.cancel.put_below(service_.handlers_cancel());
  const auto* spill = input_.spill();
  const bool in_pieces = spill != nullptr && spill->parsing;
  const gvt::TimePoint began = in_pieces ? spill->began : service_.worker().turn_time();
  request.times.emplace().answer = began + service_.limits().request_timeout;
  if (request.outgoing && request.outgoing->upgraded) note_progress();
  if (ended_ || hides_its_end()) begin_to_probe();
  arm_for_request();
  // Usually it is still received; but what came when no block was free came alone.
  ensure_receiving();
}

template <class Worker, class Model>
void Connection<Worker, Model>::begin_to_probe() noexcept {
  if (!handling() || !request_->times || request_->head.minor_version == 0) return;
  RequestTimes& times = *request_->times;
  if (!ended_ && times.probe != ksvc::kNoDeadline) return;
  // One that is listened to by turns is not asked as often as that.
  if (ended_ || times.probe_gap.count() == 0) times.probe_gap = service_.limits().gone_probe;
  times.probe = service_.worker().turn_time() + times.probe_gap;
  arm_for_request();
}

template <class Worker, class Model>
void Connection<Worker, Model>::probe_client() {
  RequestTimes& times = *request_->times;
  // Behind the head of an answer it would be taken for a part of that, whose sending asks anyway.
  // And whoever is listened to again need not be asked.
  const bool is_heard = !ended_ && !hides_its_end();
  if (is_heard || (request_->outgoing && request_->outgoing->begun)) {
    times.probe = ksvc::kNoDeadline;
    return;
  }
  const gvt::TimePoint now = service_.worker().turn_time();
  if (unsettled()) {
    times.probe = now + std::chrono::milliseconds(1);
    return;
  }
  times.probe_gap *= 2;
  times.probe = now + times.probe_gap;
  // What is being sent asks as well.
  if (outgoing_ == nullptr && !failed_) send_now(kContinue);
}

template <class Worker, class Model>
void Connection<Worker, Model>::arm_for_request() noexcept {
  const RequestTimes& times = *request_->times;
  arm_at(std::min({times.answer, times.body, times.probe}));
}

// Moves the deadline. The timer is touched only when it would fire too late: one that fires too
// early looks at the deadline and sets itself again, which is rarer than requests are.
template <class Worker, class Model>
void Connection<Worker, Model>::arm_at(gvt::TimePoint deadline) noexcept {
  deadline_ = deadline;
  if (deadline == ksvc::kNoDeadline) return;
  if (is_set() && gvt::TimerWheel::due(*this) <= deadline_) return;
  service_.worker().timers().set(*this, deadline_);
}

template <class Worker, class Model>
void Connection<Worker, Model>::arm_in(std::chrono::milliseconds delay) noexcept {
  arm_at(service_.worker().turn_time() + delay);
}

template <class Worker, class Model>
void Connection<Worker, Model>::arm_for_idleness() {
  arm_in(service_.draining() ? service_.limits().drain_quiet : service_.limits().idle_timeout);
}

// Sets the deadline for whatever is waited for now, without a handler.
template <class Worker, class Model>
void Connection<Worker, Model>::arm_for_state() {
  const Limits& limits = service_.limits();
  if (sending_) return arm_in(limits.write_timeout);
  if (state_ == State::skipping) return arm_in(limits.early_response_linger);
  if (state_ != State::serving) return;
  const auto* spill = input_.spill();
  if (spill != nullptr && spill->parsing) return arm_in(limits.head_timeout);
  arm_for_idleness();
}

}  // namespace weft::http
