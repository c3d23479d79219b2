// ActiveRequest: one request in progress: its head, what of its body has been read, its answer.
//
// Stands where the connection model keeps what is not finished when its handler first waits: on a
// stack, in a coroutine's frame, in a record of a pool. Made once a head is complete, gone when the
// answer is written; it does not move. Worker's thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "gvt/green_thread.hpp"
#include "gvt/sanitizer.hpp"
#include "http/answer_stream.hpp"
#include "http/awaited_end.hpp"
#include "http/body_stream.hpp"
#include "http/exchange.hpp"
#include "http/handler_strand.hpp"
#include "http/request_cancel.hpp"
#include "ksvc/core/clock.hpp"

namespace weft::http {

// What is due while a handler waits.
struct RequestTimes {
  ksvc::TimePoint answer = ksvc::kNoDeadline;
  ksvc::TimePoint body = ksvc::kNoDeadline;   // while it waits for that
  std::uint64_t body_step_began = 0;          // so much of it had arrived then
  ksvc::TimePoint probe = ksvc::kNoDeadline;  // once the client has ended its side
  std::chrono::milliseconds probe_gap{0};
};

struct ActiveRequest {
  // `bytes` begin with the head, and stay.
  ActiveRequest(const HeadParser& parser, const char* bytes, BodySource& body_source) noexcept
      : head(parser.head()),
        head_bytes(parser.consumed()),
        keep_alive(head.keep_alive),
        exchange(HeadView(head, bytes), body_source) {}
  ActiveRequest(const ActiveRequest&) = delete;
  ActiveRequest& operator=(const ActiveRequest&) = delete;

  // Of one whose first call has returned without that.
  void handler_has_ended() noexcept {
    ended = true;
    if (tell_end != nullptr) tell_end(*this);
  }

  static void answer_came_round(void* request) noexcept {
    static_cast<ActiveRequest*>(request)->handler_has_ended();
  }

  // Its worker will not run again, but others may still write to what it keeps.
  void leave_for_good() const noexcept {
    gvt::sanitizer::leave_for_good(waits_at);
    if (strand) strand->leave_for_good();
    if (answer != nullptr) gvt::sanitizer::leave_for_good(answer);
  }

  const RequestHead& head;
  std::size_t head_bytes;
  bool keep_alive;
  bool body_read = false;
  bool waited = false;     // for more of the body
  bool timed_out = false;  // while it did
  bool sent_continue = false;
  std::size_t body_bytes = 0;  // of the input in front, once read
  std::string_view body;
  RequestCancel cancel;
  std::optional<RequestTimes> times;   // from when its handler first waits
  std::size_t body_given = 0;          // of a whole body, to one who reads it piece by piece
  std::optional<BodyStream> incoming;  // from the first part on
  std::optional<AnswerStream> outgoing;
  std::optional<RequestAborted> aborted;  // why the body will never be read
  detail::Waiter* waiter = nullptr;       // parked for more of the body
  // ---- Of a handler that is more than a call
  bool ended = false;
  bool failed = false;                         // its answer is written already
  void (*tell_end)(ActiveRequest&) = nullptr;  // set while the model waits for the end
  void* waits_at = nullptr;                    // where the model goes on then
  AwaitedEnd* answer = nullptr;
  bool to_move = false;    // it must stand in a record before its handler is called
  bool in_record = false;  // of a model that otherwise keeps requests on stacks
  std::optional<HandlerStrand> strand;

  Exchange exchange;
};

}  // namespace weft::http
