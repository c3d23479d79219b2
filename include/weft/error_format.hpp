// ErrorFormat: the shape of all answers to errors that are not a handler's own.
//
//     app.error_format(weft::ErrorFormat::problem);
//
// Those are what handlers throw, HttpError and c.abort() included, what bind() and typed handlers
// refuse, a path or a method that no route fits, what middleware refuses, and what the server says
// by itself: a head that is malformed, a body that is too long, a client too many. What a handler
// answers with a status of 400 or more is its own affair. Plain data.
#pragma once

#include <cstdint>

namespace weft {

// What the body is.
enum class ErrorFormat : std::uint8_t {
  text,     // text/plain: "Not Found"
  json,     // application/json: {"error":"Not Found"}
  problem,  // application/problem+json, RFC 9457:
            // {"type":"about:blank","title":"Not Found","status":404,"detail":"no such user"}
};

}  // namespace weft
