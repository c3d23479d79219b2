// GreenThread: a stack that has parked, and all that must be put back when it goes on.
//
// The record stands at the top of the stack it describes, so that a handler that never parks costs
// neither an allocation nor a record of its own. Owner's thread only.
#pragma once

#include <atomic>
#include <cstdint>

#include "gvt/context.hpp"
#include "gvt/run_queue.hpp"
#include "gvt/sanitizer.hpp"
#include "gvt/stack_pool.hpp"
#include "ksvc/core/clock.hpp"
#include "weft/detail/task_state.hpp"

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

// What a green thread waits for, for whoever looks at it from outside.
struct Waiting {
  const char* what = nullptr;  // a string that lives for ever
  const void* object = nullptr;
  ksvc::TimePoint since{0};  // to the turn
};

struct GreenThread : Runnable {
  GreenThread(Run resume, const Stack& own_stack) noexcept : Runnable(resume), stack(own_stack) {}

  Context context;
  ExceptionState exceptions;
  int saved_errno = 0;
  // How many things of its worker's alone it has in hand (timers, operations): while there are any,
  // it stays there.
  std::uint32_t bound = 0;
  ParkObserver* observer = nullptr;
  detail::TaskState task;
  Waiting waiting;
  // The scheduler it is parked on, whose thread alone may look at the rest; null while it runs, and
  // for one that may move, which is in its scheduler's list instead.
  std::atomic<const void*> parked_on{nullptr};
  GreenThread* next_movable = nullptr;
  GreenThread** previous_movable = nullptr;
  Runnable* first = nullptr;  // what a stack of its own was made for
  Stack stack;
  sanitizer::Fiber fiber;
};

}  // namespace weft::gvt
