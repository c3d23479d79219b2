// UringCore: the ring that the io_uring back ends share: its queues, what waits outside them, and
// the few operations it has to keep an eye on.
//
// Entries are written at tail_, which the kernel is shown only by enter(). What the ring cannot
// take waits in the backlog, in order, and so does a chain of linked entries until its last one is
// there: the kernel ends a chain where a submission ends, so chains move into the ring whole.
// Operations whose completion needs a second look go under an id of ours (tracked); all others
// cost nothing for it. Without SQPOLL completions are made only inside submit_and_wait(). The ring
// belongs to the thread that called open(); a forked child does not have it.
#pragma once

#include <liburing.h>
#include <poll.h>

#include <deque>
#include <utility>
#include <vector>

#include "ksvc/buffers/provided_buffer_ring.hpp"
#include "ksvc/core/io_backend.hpp"
#include "weft/result.hpp"

namespace weft::ksvc {

// Ids from here on are the back ends' own; no pointer and no small number is among them.
inline constexpr CorrelationId kFirstUringId = 0xFFFF'4000'0000'0000;

// An operation whose completion is not handed on as it is.
struct UringTracked {
  enum class Kind : std::uint8_t {
    unused,
    accept,             // one completion per submitted entry, or many
    accept_again,       // a single accept that is submitted anew after each connection
    shutdown,           // of a slot, which must not be given to another before it is done
    zero_copy,          // done anew as a copying send where nothing else can be done:
    zero_copy_refused,  // as soon as the refused one has come to its end
    send_file,          // a part of the file is sent each time there is room
    plain,              // handed on as it is
    quiet,              // not told of when the result is `quiet_result`
    close_with_reset,   // stands in a chain for the closing of `fd`, which follows its success
    sleep,              // running out is what it is for
    poll,               // poll() of one descriptor
  };

  Kind kind = Kind::unused;
  bool direct = false;  // accept: the result is a slot
  bool cancelled = false;
  bool close_behind = false;
  bool reset_behind = false;
  bool reading = false;  // send_file: the next part into memory, not waiting for room
  std::int32_t quiet_result = 0;
  int fd = -1;
  CorrelationId corr_id = 0;
  pollfd* polled = nullptr;
  SendFile file{};
  std::uint32_t sent = 0;  // of it
  TimePoint deadline = kNoDeadline;
};

class UringCore {
 public:
  struct Traits {
    bool sqpoll = false;
    bool direct_descriptors = false;
  };

  explicit UringCore(const BufferOptions& options) : buffers_(options) {}
  ~UringCore();
  UringCore(const UringCore&) = delete;
  UringCore& operator=(const UringCore&) = delete;

  Result<void> open(const BackendOptions& options, Traits traits);
  bool supports(int opcode) const noexcept;
  io_uring* ring() noexcept { return &ring_; }
  const io_uring* ring() const noexcept { return &ring_; }
  ProvidedBufferRing& buffers() noexcept { return buffers_; }

  // A zeroed entry for the operation that is next in order.
  io_uring_sqe* next_entry(CorrelationId corr_id) {
    if (backlog_.empty() && has_room()) [[likely]] {
      return take_slot(corr_id);
    }
    return entry_outside(corr_id);
  }
  // An entry that is to be linked to the next one.
  io_uring_sqe* chain_entry(CorrelationId corr_id);
  // An entry, and behind it one for its deadline, which may be linked to the next operation. Who
  // fills the entry links it to its deadline.
  io_uring_sqe* timed_entries(CorrelationId corr_id, TimePoint deadline, bool linked);
  // The entry submitted last is linked to the next one.
  bool chain_open() const noexcept { return !backlog_.empty() && links(backlog_.back()); }

  // Submits what is no part of a chain that is being put together: in front of that.
  void submit_aside(const io_uring_sqe& entry, TimePoint deadline = kNoDeadline);

  // Completes at the next drain, without the kernel.
  void complete_at_once(CorrelationId corr_id, std::int32_t result) {
    at_once_.push_back({corr_id, result, false, {}});
  }

  // Makes sure that the next track() has a place. Called before the entry is taken, which cannot be
  // given back when memory runs out.
  void reserve_tracked() {
    if (unused_tracked_.empty()) [[unlikely]] {
      add_tracked();
    }
  }
  // The entry's completion is looked at by us first. Its user_data is set; `entry` is what may be
  // submitted again.
  UringTracked& track(UringTracked::Kind kind, CorrelationId corr_id, io_uring_sqe& entry) noexcept;
  // What a Cancel of `target` has to name.
  CorrelationId cancelled(CorrelationId target) noexcept;
  // Closes the descriptor behind what has been submitted. The socket itself is told at once to
  // throw away what was not sent, if it is to.
  void close(const Close& op);
  // Leaves the closing of a slot to a shutdown of it that is on its way; false when there is none.
  bool close_after_shutdown(const Close& op) noexcept;

  void submit_and_wait(unsigned at_least, TimePoint deadline) {
    settled_ = false;
    if (!backlog_.empty() || !at_once_.empty()) [[unlikely]] {
      at_least = before_waiting(at_least);
    }
    enter(at_least, deadline);
  }
  // The same with SQPOLL, where the kernel is entered only to wake its thread or to wait.
  void submit_and_wait_polled(unsigned at_least, TimePoint deadline) {
    settled_ = false;
    if (!backlog_.empty() || !at_once_.empty()) at_least = before_waiting(at_least);
    enter_polled(at_least, deadline, 0);
  }

  template <CompletionSink Sink>
  unsigned drain(Sink& sink);

  bool settled() const noexcept { return settled_; }
  bool is_polled() const noexcept { return sqpoll_; }

 private:
  static bool links(const io_uring_sqe& entry) noexcept {
    return (entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) != 0;
  }

  unsigned waiting_entries() const noexcept {
    return tail_ - io_uring_smp_load_acquire(ring_.sq.khead);
  }
  unsigned free_entries() const noexcept { return *ring_.sq.kring_entries - waiting_entries(); }
  bool has_room() const noexcept { return waiting_entries() < *ring_.sq.kring_entries; }
  io_uring_sqe* take_slot(CorrelationId corr_id) noexcept {
    io_uring_sqe* entry = &ring_.sq.sqes[tail_ & *ring_.sq.kring_mask];
    ++tail_;
    *entry = {};
    entry->user_data = corr_id;
    return entry;
  }
  io_uring_sqe* entry_outside(CorrelationId corr_id);
  io_uring_sqe* entry_in_backlog(CorrelationId corr_id);
  void make_room();
  void add_tracked();

  bool refill_from_backlog();
  void fail_first_chain(std::size_t length);
  void fill_timeout(io_uring_sqe& entry, TimePoint deadline, bool linked) noexcept;
  void set_deadline(io_uring_sqe& entry, std::int64_t deadline_ns) noexcept;
  unsigned before_waiting(unsigned at_least);
  int enter(unsigned at_least, TimePoint deadline);
  int enter_polled(unsigned at_least, TimePoint deadline, unsigned flags);
  int enter_kernel(unsigned to_submit, unsigned at_least, TimePoint deadline, unsigned flags);

  bool all_taken() const noexcept;
  Completion translate(const io_uring_cqe& entry) noexcept;
  bool own_completion(const io_uring_cqe& entry, Completion& completion);
  void accepted(std::uint32_t index, Completion& completion);
  void again(std::uint32_t index);
  bool send_file_part(std::uint32_t index, Completion& completion);
  void read_file_part(std::uint32_t index, std::uint32_t size);

  io_uring ring_{};
  bool ring_made_ = false;
  bool sqpoll_ = false;
  bool settled_ = true;
  unsigned enter_flags_ = 0;
  unsigned tail_ = 0;
  ProvidedBufferRing buffers_;
  std::deque<io_uring_sqe> backlog_;
  // Results of what was done at submit; they wait for the next drain.
  std::vector<Completion> at_once_;
  // A place per entry of the ring for the deadline it points to; none before the first.
  std::vector<__kernel_timespec> deadlines_;
  std::vector<UringTracked> tracked_;
  std::vector<io_uring_sqe> tracked_entries_;  // of tracked_, to be submitted again
  std::vector<std::uint32_t> unused_tracked_;
  std::size_t shutdowns_ = 0;
  // Where files are read to when only their being in memory is of interest; none before the first.
  std::vector<char> unread_;
};

inline Completion UringCore::translate(const io_uring_cqe& entry) noexcept {
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

// Nothing waits to be submitted, and no completion outside the queue that is about to be drained.
// In this order: the kernel says that it took an entry after all it had to tell about taking it.
inline bool UringCore::all_taken() const noexcept {
  if (waiting_entries() != 0 || !backlog_.empty()) return false;
  return (io_uring_smp_load_acquire(ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) == 0;
}

template <CompletionSink Sink>
unsigned UringCore::drain(Sink& sink) {
  // Looked at before the sink runs: what that submits is for the next turn.
  settled_ = all_taken();
  unsigned head = *ring_.cq.khead;
  const unsigned tail = io_uring_smp_load_acquire(ring_.cq.ktail);
  unsigned count = tail - head;
  if (!at_once_.empty()) [[unlikely]] {
    const std::vector<Completion> done = std::exchange(at_once_, {});
    for (const Completion& completion : done) sink.complete(completion);
    count += static_cast<unsigned>(done.size());
  }
  const unsigned mask = *ring_.cq.kring_mask;
  for (; head != tail; ++head) {
    const io_uring_cqe& entry = ring_.cq.cqes[head & mask];
    // Ours, or zero, which wraps round: operations nobody waits for.
    if (entry.user_data - 1 >= kFirstUringId - 1) [[unlikely]] {
      // May throw for want of memory, or enter the kernel: what was drained must be gone by then.
      const io_uring_cqe own = entry;
      io_uring_smp_store_release(ring_.cq.khead, head + 1);
      Completion completion;
      if (own_completion(own, completion)) sink.complete(completion);
      continue;
    }
    sink.complete(translate(entry));
  }
  io_uring_smp_store_release(ring_.cq.khead, head);
  return count;
}

}  // namespace weft::ksvc
