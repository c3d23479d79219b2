// BlockingIo: the operations of the worker we are on, for code that must not care which back end it
// runs on and parks until they complete (streams, listeners). One indirect call per operation.
#pragma once

#include "gvt/scheduler.hpp"
#include "ksvc/core/operation.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"

namespace weft::gvt {

class BlockingIo {
 public:
  virtual void submit(const ksvc::Accept& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::ReceiveInto& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Send& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Connect& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Cancel& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Close& op, ksvc::CorrelationId corr_id) = 0;
  virtual TimePoint now() const noexcept = 0;
  virtual Scheduler& scheduler() noexcept = 0;

 protected:
  ~BlockingIo() = default;
};

// The operations of this OS thread's worker; null outside a worker.
BlockingIo* current_io() noexcept;
void set_current_io(BlockingIo* io) noexcept;

// The record of one parked operation; lives on the stack of the green thread that waits.
struct ParkedOperation : ksvc::CompletionTarget {
  explicit ParkedOperation(Scheduler& owner) noexcept
      : CompletionTarget(&ParkedOperation::completed), scheduler(owner), waiter(owner.running()) {}

  static void completed(CompletionTarget& target, unsigned tag, const ksvc::Completion& completion);

  Scheduler& scheduler;
  GreenThread& waiter;
  std::int32_t result = 0;
};

// Submits `op`, parks until its final completion and returns its result.
template <class Op>
std::int32_t submit_and_park(BlockingIo& io, const Op& op) {
  io.scheduler().prepare_park();
  ParkedOperation parked(io.scheduler());
  io.submit(op, parked.corr_id());
  io.scheduler().park_prepared();
  return parked.result;
}

// The same, but asks the kernel to cancel when `deadline` passes; then the result is -ETIMEDOUT.
template <class Op>
std::int32_t submit_and_park_until(BlockingIo& io, const Op& op, TimePoint deadline);

}  // namespace weft::gvt

#include "gvt/blocking_io_deadline.hpp"
