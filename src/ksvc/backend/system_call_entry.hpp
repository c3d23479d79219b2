// System calls as io_uring operations: which arguments can be expressed, and the entry that does.
//
// Faithful or not at all: the result is to be the one that the call would have had. What the
// operation lacks (offsets that are written back, time-outs of its own, several descriptors) and
// what it does otherwise (sockets that do not block, writes to pipes that must be whole) is refused
// here and goes to the worker pool. Two differences remain: a broken pipe raises no signal on a
// socket, and the time-outs of a socket's own options are not looked at. Any thread.
#pragma once

#include <liburing.h>

#include "ksvc/core/operation.hpp"

namespace weft::ksvc {

// Whether the entry made of the call does what the call does; may ask the kernel about the
// descriptors it names.
bool expressible(const SystemCall& call) noexcept;

// How the operation's result becomes the call's.
enum class CallResult : std::uint8_t {
  as_is,
  elapsed,  // a time that ran out is success
  polled,   // events go into the one pollfd
  refused,  // there is no such operation
};

// Writes the entry of an expressible call. Descriptors made by the back end stay as they are.
struct CallEntry {
  CallResult result = CallResult::refused;
  bool names_file = false;  // the entry's fd is an open file, not a folder or a number
};
CallEntry fill_entry(io_uring_sqe& entry, const SystemCall& call) noexcept;

}  // namespace weft::ksvc
