// Pipes: bytes in one direction, to another green thread, thread or process.
//
// Calls park the green thread; on a thread that is no worker they block the OS thread. An end
// belongs to the worker its first call was made on, and one green thread uses it at a time. close()
// by another green thread of that worker ends a parked call with `cancelled`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "weft/detail/descriptor.hpp"
#include "weft/result.hpp"

namespace weft {

// What the two ends have in common.
class PipeEnd {
 public:
  // From now on calls that take longer end with timed_out. Zero: no limit.
  void set_timeout(std::chrono::nanoseconds timeout) noexcept { timeout_ = timeout; }
  // Gives the descriptor back; the other end notices. Once more is allowed.
  void close() noexcept { descriptor_.close(); }
  // Until close() or release().
  bool is_open() const noexcept { return descriptor_.fd() >= 0; }
  // The system's descriptor. It stays the end's.
  int fd() const noexcept { return descriptor_.fd(); }
  // The descriptor for a process that is to be started, say: the caller's from now on, and blocking
  // as others expect it. Before the first call on this end only.
  int release() noexcept;

 protected:
  explicit PipeEnd(int fd) noexcept : descriptor_(fd) {}
  PipeEnd(PipeEnd&&) noexcept = default;
  PipeEnd& operator=(PipeEnd&&) noexcept = default;
  ~PipeEnd() = default;

  detail::Descriptor descriptor_;
  std::chrono::nanoseconds timeout_{0};
};

// The end that bytes come out of.
class PipeReader : public PipeEnd {
 public:
  // Of a named pipe; the first read waits for someone to have written to it.
  static Result<PipeReader> open(const std::string& path);
  // Takes over a descriptor, the standard input or a terminal say, and makes it non-blocking: so it
  // is for all who share it.
  static PipeReader adopt(int fd) noexcept;

  // Reads what is there, at least one byte; 0 when all writers have closed. `into` must have room
  // for one at least.
  Result<std::size_t> read(std::span<char> into);
  // Fills all of `into`; end_of_stream when the writers close before that.
  Result<void> read_exactly(std::span<char> into);

 private:
  friend struct Pipe;
  explicit PipeReader(int fd) noexcept : PipeEnd(fd) {}
  std::int32_t wait_for_writer(net::DescriptorCall& call);

  bool waits_for_writer_ = false;
};

// The end that bytes go into.
class PipeWriter : public PipeEnd {
 public:
  // Of a named pipe; returns when someone has it open for reading, which it looks for again and
  // again.
  static Result<PipeWriter> open(const std::string& path);
  // As PipeReader's.
  static PipeWriter adopt(int fd) noexcept;

  // Returns when the pipe has taken all bytes; an error with the code `reset` when nobody is left
  // to read them, and no signal.
  Result<void> write(std::string_view bytes);

 private:
  friend struct Pipe;
  explicit PipeWriter(int fd) noexcept : PipeEnd(fd) {}
};

// Both ends of a pipe.
struct Pipe {
  // A new one, without a name.
  static Result<Pipe> create();

  PipeReader reader;  // of what is written
  PipeWriter writer;  // to be moved to whoever writes
};

// Makes a pipe in the file system, for both ends to open.
Result<void> create_named_pipe(const std::string& path, unsigned permissions = 0666);

}  // namespace weft
