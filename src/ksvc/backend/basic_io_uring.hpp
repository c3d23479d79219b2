// BasicIoUring: the IoBackend on one io_uring, entered once per turn of the loop.
//
// Set up with SINGLE_ISSUER and DEFER_TASKRUN: completions are made only while the owner is inside
// submit_and_wait(), so nothing interrupts handlers, and a turn's work arrives as one batch. The
// ring belongs to the thread that called create().
#pragma once

#include <liburing.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "ksvc/buffers/provided_buffer_ring.hpp"
#include "ksvc/core/io_backend.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

class BasicIoUring {
 public:
  using Buffers = ProvidedBufferRing;

  static Result<std::unique_ptr<BasicIoUring>> create(const BackendOptions& options);
  ~BasicIoUring();
  BasicIoUring(const BasicIoUring&) = delete;
  BasicIoUring& operator=(const BasicIoUring&) = delete;

  void submit(const Nop& op, CorrelationId corr_id);
  void submit(const Accept& op, CorrelationId corr_id);
  void submit(const Receive& op, CorrelationId corr_id);
  void submit(const ReceiveInto& op, CorrelationId corr_id);
  void submit(const Send& op, CorrelationId corr_id);
  void submit(const SendNow& op, CorrelationId corr_id);
  void submit(const Connect& op, CorrelationId corr_id);
  void submit(const PollReadable& op, CorrelationId corr_id);
  void submit(const Cancel& op, CorrelationId corr_id);
  void submit(const Close& op, CorrelationId corr_id);
  void submit(const RefuseConnections& op, CorrelationId corr_id);
  void submit(const Shutdown& op, CorrelationId corr_id);
  void submit(const FutexWait& op, CorrelationId corr_id);

  void submit_and_wait(unsigned at_least, TimePoint deadline);

  template <CompletionSink Sink>
  unsigned drain(Sink& sink);

  bool settled() const noexcept { return settled_; }
  Buffers& buffers() noexcept { return buffers_; }
  int ring_fd() const noexcept { return ring_.ring_fd; }
  static const char* name() noexcept { return "io_uring"; }

 private:
  explicit BasicIoUring(const BackendOptions& options);

  io_uring_sqe* next_entry(CorrelationId corr_id);
  unsigned waiting_entries() const noexcept;
  bool has_room() const noexcept;
  bool all_taken() const noexcept;
  void refill_from_backlog();
  int enter(unsigned at_least, TimePoint deadline);
  Completion translate(const io_uring_cqe& entry) noexcept;

  io_uring ring_{};
  bool ring_made_ = false;
  unsigned enter_flags_ = 0;
  unsigned tail_ = 0;
  bool settled_ = true;
  Buffers buffers_;
  // What the submission ring could not take; kept in order and moved in as room appears.
  std::deque<io_uring_sqe> backlog_;
  // Results of what was done at submit, by an ordinary call; they wait for the next drain.
  std::vector<Completion> at_once_;
};

inline Completion BasicIoUring::translate(const io_uring_cqe& entry) noexcept {
  Completion completion{entry.user_data, entry.res, (entry.flags & IORING_CQE_F_MORE) != 0, {}};
  if ((entry.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto block = static_cast<std::uint16_t>(entry.flags >> IORING_CQE_BUFFER_SHIFT);
    const auto size = static_cast<std::uint32_t>(entry.res > 0 ? entry.res : 0);
    completion.lease = buffers_.adopt(block, size);
    // The end of a stream may come with a block that holds nothing.
    if (size == 0) buffers_.release(completion.lease);
  }
  return completion;
}

template <CompletionSink Sink>
unsigned BasicIoUring::drain(Sink& sink) {
  // Looked at before the sink runs: what that submits is for the next turn.
  settled_ = all_taken();
  unsigned count = 0;
  if (!at_once_.empty()) [[unlikely]] {
    // A sink may submit, and what that completes at once is for the next drain.
    const std::vector<Completion> done = std::exchange(at_once_, {});
    for (const Completion& completion : done) sink.complete(completion);
    count = static_cast<unsigned>(done.size());
  }
  unsigned head = *ring_.cq.khead;
  const unsigned tail = io_uring_smp_load_acquire(ring_.cq.ktail);
  count += tail - head;
  const unsigned mask = *ring_.cq.kring_mask;
  for (; head != tail; ++head) {
    const io_uring_cqe& entry = ring_.cq.cqes[head & mask];
    if (entry.user_data == 0) continue;  // operations nobody waits for
    sink.complete(translate(entry));
  }
  io_uring_smp_store_release(ring_.cq.khead, head);
  return count;
}

static_assert(IoBackend<BasicIoUring>);

}  // namespace weft::ksvc
