// The bounds of the HTTP layer: every limit on bytes, counts and time, its default, and its reason.
// Those that a server's owner may want to change are in weft/limits.hpp, the rest are here.
//
// Invariants: plain data, copied freely; what reads it never changes it. A parser or driver keeps a
// pointer to one Limits, which must outlive it. Configuration overrides the values here, nowhere
// else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "weft/limits.hpp"

namespace weft::http {

struct Limits : weft::Limits {
  // Chunk extensions of one whole body. Nobody uses them honestly, and unbounded they let a
  // client make the server read for free (CVE-2024-22019, CVE-2023-39326).
  std::size_t chunk_extension_bytes = 1024;
  // Trailer section of a chunked body: bytes and lines; over either the answer is 431.
  std::size_t trailer_bytes = 4 * 1024;
  std::size_t trailer_count = 32;

  // What a handler writes piece by piece is gathered up to this before it is sent, unless the
  // handler waits earlier. Larger would cost cache, smaller system calls. At most 32 KiB.
  std::size_t stream_gather_bytes = 16 * 1024;
  // And it waits while more than this is not sent: two or three windows of a usual client, so that
  // the kernel always has something to send.
  std::size_t stream_unsent_bytes = 64 * 1024;

  // A file up to this is read into the output and sent with the head; a longer one is sent by the
  // kernel itself. Measured: below, the copy costs less than a system call of its own. At most
  // 64 KiB.
  std::size_t file_gather_bytes = 64 * 1024;
  // From this on its answer is sent on the spot, while the processor has it in its cache; shorter
  // ones share a system call.
  std::size_t file_at_once_bytes = 4 * 1024;
  // A longer one goes out in steps of this size. The write timeout holds for each of them, and so
  // it may be long before that is over for a reader that has taken send_step_bytes by then.
  std::size_t file_step_bytes = 1024 * 1024;

  // After an answer that came before the end of the request body: so much of the rest is read and
  // dropped to keep the connection; with more to come, or after this time, it is closed. A close
  // drops what comes for this time too, so that the client sees the answer instead of a reset.
  std::size_t early_response_drain_bytes = 64 * 1024;
  std::chrono::milliseconds early_response_linger{1'000};

  // A long response goes out in steps of this size, and the write timeout holds for each.
  std::size_t send_step_bytes = 128 * 1024;

  // A client that has ended its side while its handler is parked has either shut it and waits for
  // the answer, or is gone altogether. It is asked after this time, and after twice as long each
  // time; the kernel of one that is gone answers the first with a reset, which the second meets. So
  // it is known within a second wherever the network takes less than this, and one that is there
  // discards a handful of interim responses in the time of a request. The same holds for one that
  // has sent more than pipelined_bytes behind its request, for its end is not seen then.
  std::chrono::milliseconds gone_probe{250};

  // Connections of one worker that are being answered 503 because there are too many; each is there
  // for as long as the client takes to see it, early_response_linger at most. Beyond these they are
  // reset without a word: enough to tell honest clients, few enough to cost nothing under attack.
  std::size_t refused_connections = 256;

  // Registering a route while the server runs waits so long for a worker that a handler holds up:
  // for room in its queue, and then for it to take the route up.
  std::chrono::milliseconds route_patience{1'000};

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
  // What running requests wait in is cancelled at the end of drain_grace, and they get this long to
  // put things in order.
  std::chrono::milliseconds cancel_rest{500};
  // Start: a port is held for some milliseconds after a process that used it has ended.
  std::chrono::milliseconds bind_patience{500};
};

}  // namespace weft::http
