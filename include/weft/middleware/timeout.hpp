// timeout(): how long the rest of the chain and the handler may take.
//
//     app.get("/report", weft::timeout(std::chrono::seconds(5)), make_report);
//
// A deadline as with_timeout() sets it: whatever the handler is parked in then ends, and so does a
// wait for more of the body, or for a client that does not take what is written. What computes is
// not interrupted, and a handler that answers all the same has answered. Any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "weft/middleware.hpp"

namespace weft {

// What timeout() answers.
struct TimeoutOptions {
  // Of the answer: 503, or 504 for what waits for other servers.
  int status = 503;
  // Its body.
  std::string text = "The request took too long\n";
  // When to come back (Retry-After); nothing: that is not said.
  std::optional<std::chrono::seconds> retry_after = {};
};

// Ends what takes longer with an HttpError. An answer whose head is sent by then is cut off, so
// that its client sees that something is missing. The nearest of several deadlines counts, and
// Limits::request_timeout is one of them. Throws std::invalid_argument for a time that is not
// positive, and for a status that is none of an error.
Middleware timeout(std::chrono::nanoseconds time, const TimeoutOptions& options = {});

}  // namespace weft
