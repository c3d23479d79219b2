// AnswerObserver: who is told of every request and its answer, for logs and figures.
//
// One worker's, and called on its thread alone. What is told includes what never reaches a handler:
// malformed heads, refused connections, paths without a route. It must neither wait nor throw.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ksvc/core/clock.hpp"
#include "weft/endpoint.hpp"

namespace weft::http {

class Exchange;

// Views are valid during the call.
struct EndedAnswer {
  Exchange* exchange = nullptr;  // null: the head could not be read
  std::string_view raw;          // then: as much of its first line as has arrived
  int status = 0;                // 0: none was sent, for the client had gone
  // Of the bodies, without framing: what was handed to the kernel, and what a handler has read.
  std::uint64_t body_bytes = 0;
  std::uint64_t request_body_bytes = 0;
  bool complete = false;  // the answer was not cut off
  bool keep_alive = false;
  ksvc::TimePoint began;
  ksvc::TimePoint ended;
  ksvc::TimePoint wall;                                 // the time of day at the end
  const std::optional<weft::Endpoint>* peer = nullptr;  // null: nobody wants it
};

class AnswerObserver {
 public:
  // Whether it is to be told who has asked. Those that middleware adds always are.
  bool wants_peer() const noexcept { return wants_peer_; }
  // A head has been read. What follows is one of the other two.
  virtual void request_began() noexcept = 0;
  // There was no memory to go on with it, and its connection is closed.
  virtual void request_lost() noexcept = 0;
  // Also without a request_began(), where the head could not be read.
  virtual void answer_ended(const EndedAnswer& answer) noexcept = 0;

 protected:
  explicit AnswerObserver(bool wants_peer = true) noexcept : wants_peer_(wants_peer) {}
  ~AnswerObserver() = default;

 private:
  const bool wants_peer_;
};

}  // namespace weft::http
