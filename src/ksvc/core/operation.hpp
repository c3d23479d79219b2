// The typed operations an IoBackend performs.
//
// Memory an operation points to belongs to the backend from submit() until the operation's final
// completion (`more` is false). The one exception is SendNow, whose memory is free again as soon as
// the backend is settled() after the submit.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

struct Nop {};

// Completes once per connection taken (the result is its descriptor) while `more` holds.
struct Accept {
  int fd;
  bool multishot = false;
};

// Receives into blocks of the backend's BufferProvider until it ends: 0 at end of stream, -ENOBUFS
// when no block was free, -ECANCELED when cancelled. An end needs a new submit to go on.
struct Receive {
  int fd;
};

// Receives once into the caller's memory.
struct ReceiveInto {
  int fd;
  void* data;
  std::uint32_t size;
};

// Completes when all bytes are sent, or with what was sent before an error.
struct Send {
  int fd;
  const void* data;
  std::uint32_t size;
};

// Sends without waiting and without a completion when every byte went out. Otherwise it completes
// with the count that did, or -EAGAIN, or the error. Never two on one descriptor before settled().
struct SendNow {
  int fd;
  const void* data;
  std::uint32_t size;
};

struct Connect {
  int fd;
  const sockaddr* address;
  socklen_t size;
};

// Completes with the ready events each time `fd` becomes readable, while `more` holds.
struct PollReadable {
  int fd;
};

// Cancels the operation submitted on `fd` as `target`; the target still gets its final completion.
// Completes with 0 (found) or -ENOENT / -EALREADY.
struct Cancel {
  int fd;
  CorrelationId target;
};

// Closes the descriptor without a completion. Nothing may be in flight on it.
struct Close {
  int fd;
};

}  // namespace weft::ksvc
