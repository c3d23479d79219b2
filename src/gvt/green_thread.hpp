// GreenThread: a stack that has parked, and all that must be put back when it goes on.
//
// The record stands at the top of the stack it describes, so that a handler that never parks costs
// neither an allocation nor a record of its own. Owner's thread only.
#pragma once

#include "gvt/context.hpp"
#include "gvt/run_queue.hpp"
#include "gvt/sanitizer.hpp"
#include "gvt/stack_pool.hpp"

namespace weft::gvt {

// Told before the green thread it is attached to parks, every time: the moment to let go of what
// others need (unsent output, lent buffers).
class ParkObserver {
 public:
  virtual void before_park() = 0;

 protected:
  ~ParkObserver() = default;
};

// The exceptions being handled on a stack, in the layout that the C++ ABI gives them per thread.
struct ExceptionState {
  void* caught = nullptr;
  unsigned uncaught = 0;
};

struct GreenThread : Runnable {
  GreenThread(Run resume, const Stack& own_stack) noexcept : Runnable(resume), stack(own_stack) {}

  Context context;
  ExceptionState exceptions;
  ParkObserver* observer = nullptr;
  Stack stack;
  sanitizer::Fiber fiber;
};

}  // namespace weft::gvt
