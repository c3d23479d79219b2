// The bounds of the HTTP layer: every limit on bytes, counts and time, its default, and its reason.
//
// Invariants: plain data, copied freely; what reads it never changes it. A parser or driver keeps a
// pointer to one Limits, which must outlive it. Configuration overrides the values here, nowhere
// else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weft::http {

struct Limits {
  // Request line and all fields. Browsers with large cookies stay below 8 KiB. At most 65,535,
  // because a parsed head keeps 16-bit offsets; larger values are cut to that.
  std::size_t head_bytes = 16 * 1024;
  // The request target alone; over it the answer is 414. RFC 9112 §3 asks for at least 8,000.
  std::size_t uri_bytes = 8 * 1024;
  // Field lines; over it the answer is 431. At most RequestHead::header_capacity.
  std::size_t header_count = 100;
  // One field line without its CRLF; over it the answer is 431. Leaves room for one huge cookie.
  std::size_t header_field_bytes = 8 * 1024;

  // A body, decoded; over it the answer is 413. Routes that take uploads raise it.
  std::uint64_t body_bytes = 1024 * 1024;
  // Chunk extensions of one whole body. Nobody uses them honestly, and unbounded they let a
  // client make the server read for free (CVE-2024-22019, CVE-2023-39326).
  std::size_t chunk_extension_bytes = 1024;
  // Trailer section of a chunked body: bytes and lines; over either the answer is 431.
  std::size_t trailer_bytes = 4 * 1024;
  std::size_t trailer_count = 32;

  // Handlers of one worker that are parked at once; beyond that requests are answered 503. Each
  // holds a stack, so this bounds memory at a few hundred MiB.
  std::size_t parked_handlers = 50'000;
  // What may wait behind the request a handler is working on before reading stops.
  std::size_t pipelined_bytes = 64 * 1024;

  // A head must have arrived this long after its first part, and so must a body that a handler
  // waits for, from then on; otherwise 408.
  std::chrono::milliseconds request_timeout{30'000};
  // A connection with no request under way is closed after this. Longer than the 60 s at which
  // common load balancers drop theirs, so that the side that closes first is not the server.
  std::chrono::milliseconds idle_timeout{75'000};
  // A step of a response (send_step_bytes) that is not taken in this time is abandoned with a
  // reset: a reader of less than 4 KiB a second holds memory for nothing.
  std::chrono::milliseconds write_timeout{30'000};

  // After an answer that came before the end of the request body: so much of the rest is read and
  // dropped to keep the connection; with more to come, or after this time, it is closed. A close
  // drops what comes for this time too, so that the client sees the answer instead of a reset.
  std::size_t early_response_drain_bytes = 64 * 1024;
  std::chrono::milliseconds early_response_linger{1'000};

  // A long response goes out in steps of this size, and the write timeout holds for each.
  std::size_t send_step_bytes = 128 * 1024;

  // After the system ran out of descriptors or memory: long enough not to spin, short enough not
  // to be felt.
  std::chrono::milliseconds accept_pause{100};
  // At most one line of complaint in this time and per worker; what is left out is counted.
  std::chrono::milliseconds log_pause{1'000};

  // Graceful shutdown: once new clients are turned away, how long those that have shaken hands may
  // take to be accepted.
  std::chrono::milliseconds accept_rest{50};
  // A request may be on its way: an idle client is left alone for this long.
  std::chrono::milliseconds drain_quiet{300};
  // Graceful shutdown: running requests get this long before they are cut off.
  std::chrono::milliseconds drain_grace{10'000};
  // Start: a port is held for some milliseconds after a process that used it has ended.
  std::chrono::milliseconds bind_patience{500};
};

}  // namespace weft::http
