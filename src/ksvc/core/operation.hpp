// The typed operations an IoBackend performs.
//
// Memory an operation points to belongs to the backend from submit() until the operation's final
// completion (`more` is false). The one exception is SendNow, whose memory is free again as soon as
// the backend is settled() after the submit.
//
// A descriptor is one of the system's, or one that the back end made itself and only it understands
// (a slot of a ring's own table, a simulated socket). Whoever got it from a back end need not know
// which, as long as all that is done with it are operations.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "ksvc/core/clock.hpp"
#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

// Set in the descriptors that a back end made itself; above what the system gives out.
inline constexpr int kBackendDescriptor = 1 << 30;
constexpr bool made_by_backend(int fd) noexcept { return fd >= kBackendDescriptor; }

struct Nop {};

// Completes once per connection taken (the result is its descriptor) while `more` holds. Without
// `wait` it takes one that is there already, or completes with -EAGAIN; the listener must then not
// be waited on any more.
struct Accept {
  int fd;
  bool multishot = false;
  bool wait = true;
};

// A listener makes no new connections; those it has made can still be accepted. No completion.
struct RefuseConnections {
  int fd;
};

// Receives into blocks of the backend's BufferProvider until it ends: 0 at end of stream, -ENOBUFS
// when no block was free, -ECANCELED when cancelled. An end needs a new submit to go on. Where what
// comes first is likely to be all, a back end may end it there if it stays armed at a price.
struct Receive {
  int fd;
  bool first_is_all = false;
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

// Like Send, but the kernel may read the bytes until much later: the first completion has the count
// and, with `more` set, a second one says that the memory is free again. A back end that has to
// copy completes once.
struct SendZeroCopy {
  int fd;
  const void* data;
  std::uint32_t size;
};

// Sends bytes of a file; completes when all are sent, or with the count that was when the file came
// to its end, an error came or it was cancelled. Fails with -EINVAL or -EOPNOTSUPP where only to
// read and send will do: on some file systems, for sockets that the back end made itself, and where
// the bytes are not in memory and the back end cannot wait for them without blocking. May end a
// chain, but nothing is linked to it. The socket no longer blocks then; `file` is not remembered.
struct SendFile {
  int fd;
  int file;
  std::uint64_t offset;
  std::uint32_t size;
};

struct Connect {
  int fd;
  const sockaddr* address;
  socklen_t size;
};

// Ends one or both directions (SHUT_RD, SHUT_WR, SHUT_RDWR); what is in flight there completes.
// Carried out at submit where the descriptor is the system's, so only a completed send is sure to
// be ahead of it.
struct Shutdown {
  int fd;
  int how;
};

// Reads or writes a file at an offset; short counts as with the system call. May block where the
// file system has no better way.
struct ReadAt {
  int fd;
  void* data;
  std::uint32_t size;
  std::uint64_t offset;
};
struct WriteAt {
  int fd;
  const void* data;
  std::uint32_t size;
  std::uint64_t offset;
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

// Closes the descriptor without a completion. Nothing may be in flight on it but what nobody waits
// for. With `reset` what was not sent yet is thrown away, and the peer of a TCP connection is told.
struct Close {
  int fd;
  bool reset = false;
};

// Completes with 0 when the word is woken, or with -EAGAIN when it is not `expected` any more. Only
// ring back ends have it.
struct FutexWait {
  const std::atomic<std::uint32_t>* word;
  std::uint32_t expected;
};

// A system call as an io_uring operation, as a router decided. Only ring back ends have it; they
// say beforehand, by performs(call), whether the operation can express these arguments.
struct SystemCall {
  long nr;
  std::uint8_t opcode;
  std::array<std::uint64_t, 6> arguments;
};

// `op`, and the operation submitted next starts only when it has succeeded in full; otherwise that
// one completes with -ECANCELED. Several in a row make a chain. Not for multishot operations.
template <class Op>
struct Linked {
  Op op;
};

// `op`, cancelled when it has not completed by `deadline`; then its result is -ECANCELED, or the
// count of bytes that went through before. Not for multishot operations.
template <class Op>
struct Timed {
  Op op;
  TimePoint deadline;
};

}  // namespace weft::ksvc
