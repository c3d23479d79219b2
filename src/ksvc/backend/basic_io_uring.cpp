#include "ksvc/backend/basic_io_uring.hpp"

#include <poll.h>

#include <cerrno>
#include <cstring>

#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::ksvc {

BasicIoUring::BasicIoUring(const BackendOptions& options) : buffers_(options.buffers) {}

Result<std::unique_ptr<BasicIoUring>> BasicIoUring::create(const BackendOptions& options) {
  std::unique_ptr<BasicIoUring> backend(new BasicIoUring(options));
  io_uring_params params{};
  // SUBMIT_ALL: one bad operation must not keep the ones behind it from being submitted.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = options.completion_entries;
  const int failed =
      io_uring_queue_init_params(options.submission_entries, &backend->ring_, &params);
  if (failed != 0) return Error::from_errno(-failed);
  backend->ring_made_ = true;

  io_uring& ring = backend->ring_;
  // Newer libraries ask for a ring without this indirection where the kernel has it; then entry i
  // is taken i-th, which is all that the array says here.
  if (ring.sq.array != nullptr) {
    for (unsigned i = 0; i < *ring.sq.kring_entries; ++i) ring.sq.array[i] = i;
  }
  backend->tail_ = *ring.sq.ktail;
  backend->enter_flags_ = IORING_ENTER_GETEVENTS;
  // A registered ring saves the look-up of its descriptor in every call; it is no loss without.
  if (io_uring_register_ring_fd(&ring) == 1) backend->enter_flags_ |= IORING_ENTER_REGISTERED_RING;

  if (auto attached = backend->buffers_.attach(&ring); !attached) return attached.error();
  return backend;
}

BasicIoUring::~BasicIoUring() {
  // Before the members go: the kernel must let go of the blocks first.
  if (ring_made_) io_uring_queue_exit(&ring_);
}

unsigned BasicIoUring::waiting_entries() const noexcept {
  return tail_ - io_uring_smp_load_acquire(ring_.sq.khead);
}

bool BasicIoUring::has_room() const noexcept { return waiting_entries() < *ring_.sq.kring_entries; }

io_uring_sqe* BasicIoUring::next_entry(CorrelationId corr_id) {
  io_uring_sqe* entry = nullptr;
  if (backlog_.empty() && !has_room()) [[unlikely]] {
    enter(0, kNoDeadline);
  }
  if (backlog_.empty() && has_room()) [[likely]] {
    entry = &ring_.sq.sqes[tail_ & *ring_.sq.kring_mask];
    ++tail_;
  } else {
    entry = &backlog_.emplace_back();
  }
  std::memset(entry, 0, sizeof *entry);
  entry->user_data = corr_id;
  return entry;
}

void BasicIoUring::refill_from_backlog() {
  while (!backlog_.empty() && has_room()) {
    ring_.sq.sqes[tail_ & *ring_.sq.kring_mask] = backlog_.front();
    ++tail_;
    backlog_.pop_front();
  }
}

void BasicIoUring::submit(const Nop&, CorrelationId corr_id) {
  next_entry(corr_id)->opcode = IORING_OP_NOP;
}

void BasicIoUring::submit(const Accept& op, CorrelationId corr_id) {
  if (!op.wait) {
    // By an ordinary call: older kernels wait in the operation whatever the descriptor says.
    make_nonblocking(op.fd);
    const int fd = ::accept4(op.fd, nullptr, nullptr, SOCK_CLOEXEC);
    at_once_.push_back({corr_id, fd >= 0 ? fd : -errno, false, {}});
    return;
  }
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_ACCEPT;
  entry->fd = op.fd;
  entry->accept_flags = SOCK_CLOEXEC;
  if (op.multishot) entry->ioprio = IORING_ACCEPT_MULTISHOT;
}

void BasicIoUring::submit(const Receive& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_RECV;
  entry->fd = op.fd;
  entry->ioprio = IORING_RECV_MULTISHOT;
  entry->flags = IOSQE_BUFFER_SELECT;
  entry->buf_group = Buffers::kGroup;
}

void BasicIoUring::submit(const ReceiveInto& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_RECV;
  entry->fd = op.fd;
  entry->addr = reinterpret_cast<std::uintptr_t>(op.data);
  entry->len = op.size;
}

void BasicIoUring::submit(const Send& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_SEND;
  entry->fd = op.fd;
  entry->addr = reinterpret_cast<std::uintptr_t>(op.data);
  entry->len = op.size;
  entry->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

void BasicIoUring::submit(const SendNow& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_SEND;
  entry->fd = op.fd;
  entry->addr = reinterpret_cast<std::uintptr_t>(op.data);
  entry->len = op.size;
  // WAITALL makes a short count a failure, which is told in spite of SKIP_SUCCESS; DONTWAIT makes
  // the kernel give up instead of waiting for room. So the bytes are used only inside enter().
  entry->msg_flags = MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT;
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

void BasicIoUring::submit(const Connect& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_CONNECT;
  entry->fd = op.fd;
  entry->addr = reinterpret_cast<std::uintptr_t>(op.address);
  entry->off = op.size;
}

void BasicIoUring::submit(const PollReadable& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_POLL_ADD;
  entry->fd = op.fd;
  entry->poll32_events = POLLIN;
  entry->len = IORING_POLL_ADD_MULTI;
}

void BasicIoUring::submit(const Cancel& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = IORING_OP_ASYNC_CANCEL;
  entry->fd = -1;
  entry->addr = op.target;
}

void BasicIoUring::submit(const Close& op, CorrelationId) {
  if (op.reset) reset_when_closed(op.fd);
  io_uring_sqe* entry = next_entry(0);
  entry->opcode = IORING_OP_CLOSE;
  entry->fd = op.fd;
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

void BasicIoUring::submit(const RefuseConnections& op, CorrelationId) {
  refuse_new_connections(op.fd);
}

void BasicIoUring::submit(const Shutdown& op, CorrelationId corr_id) {
  // The operation would always be punted to one of the kernel's worker threads.
  const int result = ::shutdown(op.fd, op.how) == 0 ? 0 : -errno;
  if (corr_id != 0) at_once_.push_back({corr_id, result, false, {}});
}

void BasicIoUring::submit(const FutexWait& op, CorrelationId corr_id) {
  io_uring_sqe* entry = next_entry(corr_id);
  entry->opcode = uring_abi::kOpFutexWait;
  entry->fd = uring_abi::kFutexU32 | uring_abi::kFutexPrivate;
  entry->addr = reinterpret_cast<std::uintptr_t>(op.word);
  entry->off = op.expected;
  entry->addr3 = uring_abi::kFutexAnyBit;
}

int BasicIoUring::enter(unsigned at_least, TimePoint deadline) {
  buffers_.publish();
  io_uring_smp_store_release(ring_.sq.ktail, tail_);
  if (at_least == 0 || deadline == kNoDeadline) {
    return io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), waiting_entries(), at_least,
                           enter_flags_, nullptr, 0);
  }
  const std::chrono::nanoseconds left = deadline - MonotonicClock().now();
  const std::int64_t left_ns = left.count() > 0 ? left.count() : 0;
  __kernel_timespec timeout{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<std::uintptr_t>(&timeout);
  return io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), waiting_entries(),
                         left_ns == 0 ? 0 : at_least, enter_flags_ | IORING_ENTER_EXT_ARG,
                         reinterpret_cast<sigset_t*>(&argument), sizeof argument);
}

void BasicIoUring::submit_and_wait(unsigned at_least, TimePoint deadline) {
  settled_ = false;
  // While operations wait outside the ring there is something to do at once: do not sleep on it.
  while (!backlog_.empty()) {
    const std::size_t before = backlog_.size();
    enter(0, kNoDeadline);
    refill_from_backlog();
    if (backlog_.size() == before) break;  // the kernel takes nothing until we have drained
  }
  const auto done = static_cast<unsigned>(at_once_.size());
  enter(backlog_.empty() && done < at_least ? at_least - done : 0, deadline);
}

// Nothing waits to be submitted, and no completion outside the queue that is about to be drained.
bool BasicIoUring::all_taken() const noexcept {
  const unsigned flags = io_uring_smp_load_acquire(ring_.sq.kflags);
  return waiting_entries() == 0 && backlog_.empty() && (flags & IORING_SQ_CQ_OVERFLOW) == 0;
}

}  // namespace weft::ksvc
