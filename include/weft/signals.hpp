// Signals: what the system sends to the process, as values to wait for.
//
//     weft::Signals signals({SIGINT, SIGTERM});  // first thing in main()
//     weft::run([&] {
//       ...
//       const auto number = signals.next();
//
// A signal that is watched for does nothing else any more: it is blocked for the calling thread and
// for the threads that this starts from then on. So make it before any other thread; one that does
// not block a signal may get it in the ordinary way. Destruction does not unblock, for what has
// arrived by then would end the process.
// An object belongs to the worker it is used on; one green thread waits at a time. Two objects that
// watch for the same signal share it out: each one that arrives is told to one of them.
#pragma once

#include <chrono>
#include <initializer_list>

#include "weft/detail/descriptor.hpp"
#include "weft/result.hpp"

namespace weft {

class Signals {
 public:
  // A failure is told by next().
  explicit Signals(std::initializer_list<int> numbers) noexcept;

  // Parks (or blocks, outside a worker) until one of the signals has arrived, and gives its number.
  // A signal that arrives again before it was asked for may be told once.
  Result<int> next();
  // From now on next() gives up with timed_out. Zero: no limit.
  void set_timeout(std::chrono::nanoseconds timeout) noexcept { timeout_ = timeout; }
  // Ends a parked next() of another green thread of the worker with `cancelled`.
  void close() noexcept { descriptor_.close(); }

 private:
  detail::Descriptor descriptor_;
  Error failure_;
  std::chrono::nanoseconds timeout_{0};
};

}  // namespace weft
