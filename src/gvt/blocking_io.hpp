// BlockingIo: the operations of the worker we are on, for code that must not care which back end it
// runs on and parks until they complete (streams, listeners). One indirect call per operation.
#pragma once

#include "gvt/scheduler.hpp"
#include "ksvc/core/operation.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"

namespace weft::gvt {

class Services;

class BlockingIo {
 public:
  virtual void submit(const ksvc::Accept& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::ReceiveInto& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Send& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Connect& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::PollReadable& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Cancel& op, ksvc::CorrelationId corr_id) = 0;
  virtual void submit(const ksvc::Close& op, ksvc::CorrelationId corr_id) = 0;
  // Only where performs() says so.
  virtual void submit(const ksvc::SystemCall& op, ksvc::CorrelationId corr_id) = 0;
  virtual bool performs(const ksvc::SystemCall& call) const noexcept = 0;
  // Whether a descriptor that has seen an operation here must not see any elsewhere.
  virtual bool remembers_descriptors() const noexcept = 0;
  virtual TimePoint now() const noexcept = 0;
  virtual Scheduler& scheduler() noexcept = 0;
  // Null where there are none: then what blocks is done in place.
  virtual Services* services() noexcept = 0;

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
  bool done = false;
};

// Why the caller must not begin an operation: -ECANCELED or -ETIMEDOUT; 0 when it may.
std::int32_t cancelled_already() noexcept;
// Parks until the final completion, which is asked for early when the caller is cancelled (then the
// result is as of cancelled_already()) or the deadline passes (-ETIMEDOUT). The operation's memory
// is the kernel's until then, so there is no earlier return.
std::int32_t park_until_completed(BlockingIo& io, ParkedOperation& parked, int fd,
                                  TimePoint deadline) noexcept;

// Submits `op`, parks until its final completion and returns its result.
template <class Op>
std::int32_t submit_and_park(BlockingIo& io, const Op& op, TimePoint deadline = ksvc::kNoDeadline) {
  if (const std::int32_t reason = cancelled_already(); reason != 0) return reason;
  io.scheduler().prepare_park();
  ParkedOperation parked(io.scheduler());
  io.submit(op, parked.corr_id());
  int fd = -1;
  if constexpr (requires { op.fd; }) fd = op.fd;
  return park_until_completed(io, parked, fd, deadline);
}

}  // namespace weft::gvt
