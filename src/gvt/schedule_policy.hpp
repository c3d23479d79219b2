// SchedulePolicy: decides who runs next, in place of the order of becoming ready.
//
// For simulations, which look for what depends on that order. Asked once per turn of a worker, so
// one that lets a single task run per turn decides at every park. The worker's thread only; it must
// outlive the worker.
#pragma once

#include "gvt/run_queue.hpp"

namespace weft::gvt {

class SchedulePolicy {
 public:
  // May put what is ready, which may be nothing, into another order. Returns how many of them run
  // before the next turn: 1 at least.
  virtual int choose(RunQueue& ready) noexcept = 0;

 protected:
  ~SchedulePolicy() = default;
};

}  // namespace weft::gvt
