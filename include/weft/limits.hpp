// Limits: the bounds of a server that its owner may want to change, with their defaults and the
// reason for each.
//
// Plain data. Change what differs in Options::limits; every bound holds for each client or worker
// alike.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weft {

struct Limits {
  // Request line and all fields; over it the answer is 431. Browsers with large cookies stay below
  // 8 KiB. At most 65,535, because a parsed head keeps 16-bit offsets; larger values are cut to
  // that.
  std::size_t head_bytes = 16 * 1024;
  // The request target alone; over it the answer is 414. RFC 9112 §3 asks for at least 8,000.
  std::size_t uri_bytes = 8 * 1024;
  // Field lines; over it the answer is 431. At most 128, for which a parsed head has room.
  std::size_t header_count = 100;
  // One field line without its CRLF; over it the answer is 431. Leaves room for one huge cookie.
  std::size_t header_field_bytes = 8 * 1024;
  // A body, decoded; over it the answer is 413. Routes that take uploads raise it.
  std::uint64_t body_bytes = 1024 * 1024;

  // A head must have arrived this long after its first part, or the answer is 408. A head is one
  // packet or a few; one that is lost three times in a row still makes it (1 + 2 + 4 seconds).
  std::chrono::milliseconds head_timeout{10'000};
  // So much more of a body, or its end, must have arrived after its handler has waited this long,
  // or the answer is 408: see body_step_bytes. Longer than it takes to send a packet again that was
  // lost four times in a row (1 + 2 + 4 + 8 seconds).
  std::chrono::milliseconds body_timeout{20'000};
  // With each step of this size the body_timeout begins anew. Together they are the slowest client
  // that is waited for: one of 205 bytes a second, below what any network gives. Without a least
  // rate a byte now and then keeps a handler for ever. A stream of rare events asks for a longer
  // body_timeout, or for 0: then each byte is a step. A whole body has the time of its request in
  // any case.
  std::size_t body_step_bytes = 4 * 1024;
  // A request must have been answered this long after its first byte, or after the answer to the
  // request before it; otherwise what its handler waits in is cancelled, and a handler that lets
  // the cancellation pass is answered for with 503. People give up earlier, and so do most clients.
  // What computes is not interrupted, and sending a finished answer is the write timeout's.
  std::chrono::milliseconds request_timeout{30'000};
  // A connection with no request under way is closed after this. Longer than the 60 s at which
  // common load balancers drop theirs, so that the side that closes first is not the server.
  std::chrono::milliseconds idle_timeout{75'000};
  // When the client of another protocol (UpgradedStream) has been silent for this long, TCP asks
  // whether it is still there, and four times more at a quarter of it; one that is not is gone
  // after twice this time. A silent client that is there costs a few packets and is left alone, for
  // silence is what such connections are made for. Below the minutes after which routers forget a
  // connection. In whole seconds; 0: nobody is asked.
  std::chrono::milliseconds upgraded_keep_alive{60'000};
  // A step of an answer (128 KiB) that is not taken in this time is abandoned with a reset: a
  // reader of less than 4 KiB a second holds memory for nothing. A long download by a reader that
  // makes progress may take as long as it likes.
  std::chrono::milliseconds write_timeout{30'000};

  // Connections of the whole server; one beyond is answered 503. What an idle one costs is mostly
  // the kernel's, about 3 KiB: 100,000 are 300 MiB. 0: as many as there are descriptors.
  std::size_t connections = 100'000;
  // Connections of one client, which is an IPv4 address or an IPv6 /64; one beyond is closed at
  // once. 0: no bound. So it is by default, because behind a proxy all clients have one address;
  // who faces the clients themselves sets about 100, what a few browsers behind one router use.
  std::size_t connections_per_address = 0;
  // Requests on one connection; the last is answered with `Connection: close`. 0: no bound. So it
  // is by default, because nothing grows with their number; it is of use where a load balancer is
  // to spread its connections anew from time to time.
  std::size_t requests_per_connection = 0;
  // Pipelined requests that are answered in one go; then it is the turn of other connections. Few
  // enough not to be felt by those, many enough to share a system call. From 1 to 65,535.
  std::size_t pipelined_requests = 64;
  // What may wait behind the request a handler is working on before reading stops. It is not looked
  // at until its turn comes, so its bytes are what can be bounded.
  std::size_t pipelined_bytes = 64 * 1024;
  // What all clients of one worker make it keep because they are slow: input that waits, bodies
  // that are put together, answers that are not taken. One that reads nothing costs up to 190 KiB,
  // so this is some 3,000 of them; an honest client is done in an instant and is not among them.
  // From there on who would be next is answered 503, or closed where its answer has begun, and
  // nothing is kept for it. 0: no bound.
  std::size_t buffered_bytes = 512 * 1024 * 1024;
  // Handlers of one worker that are parked at once; beyond that requests are answered 503. Each
  // holds a stack, so this bounds memory at a few hundred MiB.
  std::size_t parked_handlers = 50'000;

  // Graceful shutdown: running requests get this long before they are cut off. Well below the 30 s
  // (Kubernetes) and 90 s (systemd) after which a process is killed.
  std::chrono::milliseconds drain_grace{10'000};
  // What App::run() does when a worker is still held up so long after that: it says where, and ends
  // the process. Enough for whatever ends at all; with drain_grace well below those 30 s.
  std::chrono::milliseconds drain_last_resort{5'000};
};

}  // namespace weft
