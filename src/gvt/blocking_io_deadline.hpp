// submit_and_park_until(): an operation with a deadline, cancelled when its timer fires first.
//
// The memory of the operation stays the kernel's until its final completion, so the caller goes on
// only then, even when the deadline has passed.
#pragma once

#include <cerrno>

#include "gvt/blocking_io.hpp"

namespace weft::gvt {

struct CancelTimer : Timer {
  CancelTimer(BlockingIo& used_io, int used_fd, ksvc::CorrelationId used_target) noexcept
      : Timer(&CancelTimer::expire), io(used_io), fd(used_fd), target(used_target) {}

  static void expire(Timer& timer) {
    auto& self = static_cast<CancelTimer&>(timer);
    self.expired = true;
    self.io.submit(ksvc::Cancel{self.fd, self.target}, 0);
  }

  BlockingIo& io;
  int fd;
  ksvc::CorrelationId target;
  bool expired = false;
};

template <class Op>
std::int32_t submit_and_park_until(BlockingIo& io, const Op& op, TimePoint deadline) {
  if (deadline == ksvc::kNoDeadline) return submit_and_park(io, op);
  io.scheduler().prepare_park();
  ParkedOperation parked(io.scheduler());
  CancelTimer timer(io, op.fd, parked.corr_id());
  io.submit(op, parked.corr_id());
  io.scheduler().timers().set(timer, deadline);
  io.scheduler().park_prepared();
  io.scheduler().timers().clear(timer);
  if (timer.expired && parked.result == -ECANCELED) return -ETIMEDOUT;
  return parked.result;
}

}  // namespace weft::gvt
