// Entry: a system call that a thread hands to an Instance, and the Answer it gets at once.
//
// Plain data. The memory that arguments point to belongs to the instance until the result has gone
// to its sink.
#pragma once

#include <array>
#include <cstdint>

#include "ksvc/core/completion.hpp"

namespace weft::ksvc {

struct Entry {
  long nr = 0;
  std::array<std::uint64_t, 6> arguments{};
  CorrelationId corr_id = 0;  // comes back with the result; the sink may ask something of it
  // For read(), pread64() and recvfrom(): the instance's buffer provider gives the memory, and the
  // completion carries its lease; the second and third argument are not looked at. In a forked
  // child the answer is -EOPNOTSUPP, since nothing there can carry a lease.
  bool lend_buffer = false;
};

enum class AnswerState : std::uint8_t {
  answered,  // done: `result` is what the call returned, or -errno; nothing goes to the sink
  queued,    // the sink will get a completion
  full,      // nothing happened: too much is queued, so try again when something has completed
  refused,   // nothing happened, and never will: a call that would end or fork the process
};

struct Answer {
  AnswerState state = AnswerState::answered;
  std::int64_t result = 0;
};

}  // namespace weft::ksvc
