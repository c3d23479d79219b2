// response_time(): tells the client how long the answer has taken to make.
//
//     app.use(weft::response_time({.format = weft::ResponseTimeFormat::server_timing}));
//
// Of a streamed answer or a file that is the time until its head is sent, for what comes later can
// be told by no header. What a handler throws is timed, too. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "weft/middleware.hpp"

namespace weft {

// Which header says it.
enum class ResponseTimeFormat : std::uint8_t {
  x_response_time,  // X-Response-Time: 1.234ms
  server_timing,    // Server-Timing: app;dur=1.234, which browsers show to developers
};

// How response_time() tells it.
struct ResponseTimeOptions {
  // The header.
  ResponseTimeFormat format = ResponseTimeFormat::x_response_time;
  // What Server-Timing calls it: a token. Other entries that a handler sets stay.
  std::string metric = "app";
};

// Measures from where it stands in the chain: put it first to have all of it. It tells a client how
// long a look into a database takes; leave it out where that is a secret.
Middleware response_time(const ResponseTimeOptions& options = {});

}  // namespace weft
