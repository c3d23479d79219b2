#include "ksvc/notify/ring_message_notifier.hpp"

#include <liburing.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/core/kernel_order.hpp"

namespace weft::ksvc {

namespace {

io_uring_sqe message(int ring_fd, CorrelationId corr_id) noexcept {
  io_uring_sqe entry{};
  entry.opcode = IORING_OP_MSG_RING;
  entry.fd = ring_fd;
  entry.off = corr_id;
  return entry;
}

int send_by_call(int ring_fd, CorrelationId corr_id) noexcept {
  io_uring_sqe entry = message(ring_fd, corr_id);
  const long result =
      ::syscall(SYS_io_uring_register, -1, uring_abi::kRegisterSendMsgRing, &entry, 1U);
  return result < 0 ? errno : 0;
}

}  // namespace

struct RingMessageNotifier::SenderRing {
  // Any thread enters it, so it must not be promised to one.
  SenderRing() : failed(-io_uring_queue_init(2, &ring, 0)) { after_rings_are_mapped(); }
  ~SenderRing() {
    before_rings_are_unmapped();
    if (failed == 0) io_uring_queue_exit(&ring);
  }
  SenderRing(const SenderRing&) = delete;
  SenderRing& operator=(const SenderRing&) = delete;

  // Returns 0 or an errno. Waits for the kernel to have handed the message over.
  int send(int ring_fd, CorrelationId corr_id) noexcept {
    io_uring_sqe* entry = io_uring_get_sqe(&ring);
    WEFT_ASSERT(entry != nullptr);
    *entry = message(ring_fd, corr_id);
    int result = 0;
    do {
      result = io_uring_submit_and_wait(&ring, 1);
    } while (result == -EINTR || result == -EAGAIN || result == -EBUSY);
    io_uring_cqe* completion = nullptr;
    do {
      result = io_uring_wait_cqe(&ring, &completion);
    } while (result == -EINTR || result == -EAGAIN);
    if (result != 0) return -result;
    result = completion->res;
    io_uring_cqe_seen(&ring, completion);
    return result < 0 ? -result : 0;
  }

  io_uring ring{};
  int failed;
};

bool RingMessageNotifier::supported(MessageSender sender) noexcept {
  const int kept_errno = errno;
  bool supported = false;
  if (sender == MessageSender::kernel_call) {
    // A kernel that has the call without a ring minds that there is no message; others mind, or
    // mind first, that there is no ring.
    supported =
        ::syscall(SYS_io_uring_register, -1, uring_abi::kRegisterSendMsgRing, nullptr, 0U) < 0 &&
        errno == EINVAL;
  } else {
    SenderRing to_itself;
    supported = to_itself.failed == 0 && to_itself.send(to_itself.ring.ring_fd, 0) == 0;
  }
  errno = kept_errno;
  return supported;
}

RingMessageNotifier::RingMessageNotifier()
    : RingMessageNotifier(supported(MessageSender::kernel_call) ? MessageSender::kernel_call
                                                                : MessageSender::own_ring) {}

RingMessageNotifier::RingMessageNotifier(MessageSender sender) : sender_(sender) {
  if (!supported(sender)) {
    throw std::system_error(ENOSYS, std::generic_category(), "messages between rings");
  }
  if (sender == MessageSender::kernel_call) return;
  ring_ = std::make_unique<SenderRing>();
  if (ring_->failed != 0) {
    throw std::system_error(ring_->failed, std::generic_category(), "io_uring_setup");
  }
}

RingMessageNotifier::~RingMessageNotifier() = default;

void RingMessageNotifier::wake() noexcept {
  if (!state_.begin_wake()) return;
  const int kept_errno = errno;
  do {
    send();
  } while (state_.finish_wake());
  errno = kept_errno;
}

void RingMessageNotifier::send() noexcept {
  for (;;) {
    const int failed =
        ring_ == nullptr ? send_by_call(ring_fd_, corr_id_) : ring_->send(ring_fd_, corr_id_);
    if (failed == 0) return;
    // The kernel is short of memory for a moment, or the target's queue is full, so that its owner
    // is awake and will drain it.
    const bool passes = failed == ENOMEM || failed == EOVERFLOW || failed == EAGAIN ||
                        failed == EINTR || failed == EBUSY;
    WEFT_ASSERT(passes);
    ::sched_yield();
  }
}

}  // namespace weft::ksvc
