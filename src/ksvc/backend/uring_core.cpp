#include "ksvc/backend/uring_core.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "ksvc/backend/socket_calls.hpp"
#include "ksvc/backend/uring_entry.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/core/kernel_order.hpp"

namespace weft::ksvc {

namespace {

// The socket cannot do without a copy, or no more memory may be pinned; nothing was sent.
constexpr bool refuses_zero_copy(std::int32_t result) noexcept {
  return result == -EOPNOTSUPP || result == -ENOMEM || result == -ENOBUFS;
}

// Of a file, in one go. Others want their turn in between, and what is not sent of a part that was
// read into memory may be gone from there the next time.
constexpr std::uint32_t kFilePart = 256 * 1024;

// False when there is no memory for it.
bool made_room(std::vector<char>& bytes, std::size_t size) noexcept {
  try {
    bytes.resize(size);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// The kernel allows a process no larger table than it may have open files.
unsigned table_size(unsigned wished) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wished;
  return static_cast<unsigned>(std::min<rlim_t>(wished, limit.rlim_cur));
}

}  // namespace

Result<void> UringCore::open(const BackendOptions& options, Traits traits) {
  io_uring_params params{};
  // SUBMIT_ALL: one bad operation must not keep the ones behind it from being submitted.
  params.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  if (traits.sqpoll) {
    // The kernel's thread makes the completions too, so neither needs to be deferred to ours.
    params.flags |= IORING_SETUP_SQPOLL;
    params.sq_thread_idle = static_cast<std::uint32_t>(options.sqpoll_idle.count());
  } else {
    params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  }
  params.cq_entries = options.completion_entries;
  const unsigned entries = std::min(options.submission_entries, options.completion_entries);
  int failed = io_uring_queue_init_params(entries, &ring_, &params);
  if (failed != 0) return Error::from_errno(-failed);
  after_rings_are_mapped();
  ring_made_ = true;
  sqpoll_ = traits.sqpoll;

  // A forked child could only disturb the parent's queues.
  failed = io_uring_ring_dontfork(&ring_);
  if (failed != 0) return Error::from_errno(-failed);
  // Newer libraries ask for a ring without this indirection where the kernel has it; then entry i
  // is taken i-th, which is all that the array says here.
  if (ring_.sq.array != nullptr) {
    for (unsigned i = 0; i < *ring_.sq.kring_entries; ++i) ring_.sq.array[i] = i;
  }
  tail_ = *ring_.sq.ktail;
  enter_flags_ = sqpoll_ ? 0 : IORING_ENTER_GETEVENTS;
  // A registered ring saves the look-up of its descriptor in every call; it is no loss without.
  if (io_uring_register_ring_fd(&ring_) == 1) enter_flags_ |= IORING_ENTER_REGISTERED_RING;

  if (traits.direct_descriptors) {
    failed = io_uring_register_files_sparse(&ring_, table_size(options.direct_descriptors));
    if (failed != 0) return Error::from_errno(-failed);
  }
  return buffers_.attach(&ring_);
}

UringCore::~UringCore() {
  // Before the members go: the kernel must let go of the blocks first.
  if (!ring_made_) return;
  before_rings_are_unmapped();
  io_uring_queue_exit(&ring_);
}

bool UringCore::supports(int opcode) const noexcept {
  io_uring_probe* probe = io_uring_get_probe_ring(const_cast<io_uring*>(&ring_));
  if (probe == nullptr) return false;
  const bool supported = io_uring_opcode_supported(probe, opcode) != 0;
  io_uring_free_probe(probe);
  return supported;
}

void UringCore::make_room() {
  if (sqpoll_) {
    enter_polled(0, kNoDeadline, 0);
  } else {
    enter(0, kNoDeadline);
  }
}

io_uring_sqe* UringCore::entry_outside(CorrelationId corr_id) {
  if (backlog_.empty()) make_room();
  refill_from_backlog();
  if (backlog_.empty() && has_room()) return take_slot(corr_id);
  return entry_in_backlog(corr_id);
}

io_uring_sqe* UringCore::entry_in_backlog(CorrelationId corr_id) {
  io_uring_sqe* entry = &backlog_.emplace_back();
  entry->user_data = corr_id;
  return entry;
}

io_uring_sqe* UringCore::chain_entry(CorrelationId corr_id) {
  refill_from_backlog();
  io_uring_sqe* entry = entry_in_backlog(corr_id);
  // So that chain_open() is right from now on, whatever the entry is filled with.
  entry->flags = IOSQE_IO_LINK;
  return entry;
}

io_uring_sqe* UringCore::timed_entries(CorrelationId corr_id, TimePoint deadline, bool linked) {
  if (backlog_.empty() && free_entries() < 2) make_room();
  if (deadlines_.empty()) deadlines_.resize(*ring_.sq.kring_entries);
  io_uring_sqe* operation = nullptr;
  io_uring_sqe* timeout = nullptr;
  if (backlog_.empty() && free_entries() >= 2 && !linked) {
    operation = take_slot(corr_id);
    timeout = take_slot(0);
  } else {
    refill_from_backlog();
    backlog_.resize(backlog_.size() + 2);  // both or, when memory runs out, none
    timeout = &backlog_.back();
    operation = &backlog_[backlog_.size() - 2];
    operation->user_data = corr_id;
  }
  fill_timeout(*timeout, deadline, linked);
  return operation;
}

void UringCore::fill_timeout(io_uring_sqe& entry, TimePoint deadline, bool linked) noexcept {
  if (linked) entry.flags = IOSQE_IO_LINK;
  entry.opcode = IORING_OP_LINK_TIMEOUT;
  entry.fd = -1;
  entry.len = 1;
  entry.timeout_flags = IORING_TIMEOUT_ABS;
  set_deadline(entry, std::max<std::int64_t>(deadline.ns, 0));
}

// The kernel reads the deadline when it takes the entry, so it is kept with the entry's place in
// the ring. An entry that is not in the ring holds the deadline itself.
void UringCore::set_deadline(io_uring_sqe& entry, std::int64_t deadline_ns) noexcept {
  entry.addr = static_cast<std::uint64_t>(deadline_ns);
  const unsigned entries = *ring_.sq.kring_entries;
  if (&entry < ring_.sq.sqes || &entry >= ring_.sq.sqes + entries) return;
  __kernel_timespec& time = deadlines_[static_cast<std::size_t>(&entry - ring_.sq.sqes)];
  time = {deadline_ns / 1'000'000'000, deadline_ns % 1'000'000'000};
  entry.addr = reinterpret_cast<std::uintptr_t>(&time);
}

// Moves in what has room, chains as a whole; false when nothing was moved.
bool UringCore::refill_from_backlog() {
  bool moved = false;
  while (!backlog_.empty()) {
    const auto last = std::find_if_not(backlog_.begin(), backlog_.end(), links);
    if (last == backlog_.end()) break;  // the chain's end is yet to come
    const auto length = static_cast<std::size_t>(last - backlog_.begin()) + 1;
    if (length > *ring_.sq.kring_entries) {
      fail_first_chain(length);
      continue;
    }
    if (length > free_entries()) break;
    for (std::size_t i = 0; i < length; ++i) {
      io_uring_sqe* entry = take_slot(0);
      *entry = backlog_.front();
      backlog_.pop_front();
      if (entry->opcode == IORING_OP_LINK_TIMEOUT) {
        set_deadline(*entry, static_cast<std::int64_t>(entry->addr));
      }
    }
    moved = true;
  }
  return moved;
}

// Longer than the ring: it cannot be submitted, so each of its operations is refused.
void UringCore::fail_first_chain(std::size_t length) {
  // Out of the backlog as a whole, before what its end brings about is submitted.
  const auto end = backlog_.begin() + static_cast<std::ptrdiff_t>(length);
  const std::vector<io_uring_sqe> chain(backlog_.begin(), end);
  backlog_.erase(backlog_.begin(), end);
  for (const io_uring_sqe& entry : chain) {
    io_uring_cqe refusal{};
    refusal.user_data = entry.user_data;
    refusal.res = -EINVAL;
    Completion completion{refusal.user_data, refusal.res, false, {}};
    const bool told = refusal.user_data - 1 < kFirstUringId - 1;
    if (told || own_completion(refusal, completion)) at_once_.push_back(completion);
  }
}

void UringCore::submit_aside(const io_uring_sqe& entry, TimePoint deadline) {
  const bool timed = deadline != kNoDeadline;
  const unsigned needed = timed ? 2 : 1;
  if (timed && deadlines_.empty()) deadlines_.resize(*ring_.sq.kring_entries);
  refill_from_backlog();
  std::size_t ahead = backlog_.size();  // of the chain that is being put together
  while (ahead != 0 && links(backlog_[ahead - 1])) --ahead;
  if (ahead == 0 && free_entries() < needed) make_room();
  // In the ring without need of memory; otherwise at its place in the backlog or, when memory runs
  // out, nowhere.
  std::array<io_uring_sqe, 2> outside{};
  const bool inside = ahead == 0 && free_entries() >= needed;
  io_uring_sqe& operation = inside ? *take_slot(0) : outside[0];
  operation = entry;
  if (timed) {
    operation.flags |= IOSQE_IO_LINK;
    fill_timeout(inside ? *take_slot(0) : outside[1], deadline, false);
  }
  if (inside) return;
  const auto place = backlog_.begin() + static_cast<std::ptrdiff_t>(ahead);
  backlog_.insert(place, outside.begin(), outside.begin() + needed);
}

void UringCore::add_tracked() {
  const std::size_t places = tracked_.size() + 1;
  // All that may throw comes first. Giving a place back never does: each has room among the unused.
  if (places > tracked_.capacity()) tracked_.reserve(2 * places);
  tracked_entries_.reserve(tracked_.capacity());
  unused_tracked_.reserve(tracked_.capacity());
  tracked_.emplace_back();
  tracked_entries_.emplace_back();
  unused_tracked_.push_back(static_cast<std::uint32_t>(places - 1));
}

UringTracked& UringCore::track(UringTracked::Kind kind, CorrelationId corr_id,
                               io_uring_sqe& entry) noexcept {
  WEFT_ASSERT(!unused_tracked_.empty());
  const std::uint32_t index = unused_tracked_.back();
  unused_tracked_.pop_back();
  entry.user_data = kFirstUringId + index;
  UringTracked& tracked = tracked_[index];
  tracked = {};
  tracked.kind = kind;
  tracked.corr_id = corr_id;
  tracked_entries_[index] = entry;
  if (kind == UringTracked::Kind::shutdown) ++shutdowns_;
  return tracked;
}

CorrelationId UringCore::cancelled(CorrelationId target) noexcept {
  if (tracked_.size() == unused_tracked_.size()) return target;
  for (std::size_t i = 0; i < tracked_.size(); ++i) {
    UringTracked& tracked = tracked_[i];
    if (tracked.kind == UringTracked::Kind::unused || tracked.corr_id != target) continue;
    tracked.cancelled = true;
    return kFirstUringId + i;
  }
  return target;
}

bool UringCore::close_after_shutdown(const Close& op) noexcept {
  if (shutdowns_ == 0) return false;
  for (std::size_t i = 0; i < tracked_.size(); ++i) {
    UringTracked& tracked = tracked_[i];
    if (tracked.kind != UringTracked::Kind::shutdown || tracked.close_behind) continue;
    if (tracked_entries_[i].fd != op.fd - kBackendDescriptor) continue;
    tracked.close_behind = true;
    tracked.reset_behind = op.reset;
    return true;
  }
  return false;
}

bool UringCore::own_completion(const io_uring_cqe& entry, Completion& completion) {
  using Kind = UringTracked::Kind;
  if (entry.user_data == 0) return false;
  completion = translate(entry);
  const CorrelationId index_wide = entry.user_data - kFirstUringId;
  if (index_wide >= tracked_.size()) return true;  // somebody's number, large as it is
  const auto index = static_cast<std::uint32_t>(index_wide);
  const Kind kind = tracked_[index].kind;
  completion.corr_id = tracked_[index].corr_id;
  bool told = completion.corr_id != 0;
  switch (kind) {
    case Kind::unused: return false;
    case Kind::accept:
    case Kind::accept_again: accepted(index, completion); break;
    case Kind::shutdown:
    case Kind::close_with_reset:
    case Kind::plain: break;
    case Kind::zero_copy:
      if (!refuses_zero_copy(entry.res)) break;
      tracked_[index].kind = Kind::zero_copy_refused;
      [[fallthrough]];
    case Kind::zero_copy_refused:
      if (completion.more) return false;
      if (!tracked_[index].cancelled) {
        again(index);
        return false;
      }
      completion.result = -ECANCELED;  // nothing was there that the kernel could have cancelled
      break;
    case Kind::send_file:
      if (!send_file_part(index, completion)) return false;
      break;
    case Kind::quiet: told = told && entry.res != tracked_[index].quiet_result; break;
    case Kind::sleep:
      if (entry.res == -ETIME) completion.result = 0;
      break;
    case Kind::poll:
      if (entry.res == -ECANCELED) break;
      tracked_[index].polled->revents =
          static_cast<short>(entry.res == -EBADF ? POLLNVAL : std::max(entry.res, 0));
      if (entry.res > 0 || entry.res == -EBADF) completion.result = 1;
      break;
  }
  if (tracked_[index].kind == Kind::accept_again && completion.more) return told;
  if (completion.more) return told;
  const UringTracked ended = std::exchange(tracked_[index], {});
  unused_tracked_.push_back(index);
  if (kind == Kind::shutdown) {
    --shutdowns_;
    if (ended.close_behind) {
      close({tracked_entries_[index].fd + kBackendDescriptor, ended.reset_behind});
    }
  }
  if (kind == Kind::close_with_reset && entry.res == 0) close({ended.fd, true});
  return told;
}

void UringCore::close(const Close& op) {
  if (op.reset && made_by_backend(op.fd)) {
    io_uring_sqe reset{};
    fill_reset_on_close(reset, op.fd);
    submit_aside(reset);
  } else if (op.reset) {
    reset_when_closed(op.fd);
  }
  io_uring_sqe close{};
  fill_entry(close, op);
  submit_aside(close);
}

void UringCore::accepted(std::uint32_t index, Completion& completion) {
  const UringTracked& tracked = tracked_[index];
  if (completion.result < 0) return;
  if (tracked.direct) completion.result |= kBackendDescriptor;
  if (tracked.kind != UringTracked::Kind::accept_again) return;
  completion.more = true;
  if (!tracked.cancelled) return again(index);
  // The cancel came too late for this connection, but not for those behind it.
  at_once_.push_back({tracked.corr_id, -ECANCELED, false, {}});
  tracked_[index] = {};
  unused_tracked_.push_back(index);
}

void UringCore::again(std::uint32_t index) {
  io_uring_sqe entry = tracked_entries_[index];
  if (tracked_[index].kind == UringTracked::Kind::zero_copy_refused) {
    fill_entry(entry, Send{entry.fd, reinterpret_cast<const void*>(entry.addr), entry.len});
    entry.ioprio = 0;
    entry.buf_index = 0;
    tracked_[index].kind = UringTracked::Kind::plain;
  }
  submit_aside(entry, tracked_[index].deadline);
}

// Upon room in the socket, or the bytes in memory. True at the end, with its result.
bool UringCore::send_file_part(std::uint32_t index, Completion& completion) {
  UringTracked& tracked = tracked_[index];
  const SendFile& op = tracked.file;
  const bool was_read = std::exchange(tracked.reading, false);
  std::int64_t result = tracked.cancelled ? -ECANCELED : completion.result;
  if (result >= 0 && made_by_backend(op.fd)) result = -EOPNOTSUPP;
  if (result >= 0) {
    const std::uint64_t at = op.offset + tracked.sent;
    const std::uint32_t size = std::min(op.size - tracked.sent, kFilePart);
    if (!was_read && !is_in_memory(op.file, at, size) && made_room(unread_, kFilePart)) {
      read_file_part(index, size);
      return false;
    }
    result = send_file(op.fd, op.file, at, size);
    if (result > 0) tracked.sent += static_cast<std::uint32_t>(result);
    const bool goes_on = result > 0 && tracked.sent < op.size;
    if (goes_on || result == -EAGAIN || result == -EINTR) {
      again(index);
      return false;
    }
  }
  const auto failed = static_cast<std::int32_t>(std::min<std::int64_t>(result, 0));
  completion.result = tracked.sent > 0 ? static_cast<std::int32_t>(tracked.sent) : failed;
  return true;
}

void UringCore::read_file_part(std::uint32_t index, std::uint32_t size) {
  UringTracked& tracked = tracked_[index];
  io_uring_sqe entry{};
  fill_entry(entry,
             ReadAt{tracked.file.file, unread_.data(), size, tracked.file.offset + tracked.sent});
  entry.user_data = kFirstUringId + index;
  tracked.reading = true;
  submit_aside(entry, tracked.deadline);
}

unsigned UringCore::before_waiting(unsigned at_least) {
  // While operations wait outside the ring there is something to do at once: do not sleep on it.
  refill_from_backlog();
  while (!backlog_.empty() &&
         std::find_if_not(backlog_.begin(), backlog_.end(), links) != backlog_.end()) {
    if (sqpoll_) {
      enter_polled(0, kNoDeadline, IORING_ENTER_SQ_WAIT);
    } else {
      enter(0, kNoDeadline);
    }
    if (!refill_from_backlog()) return 0;  // the kernel takes nothing until we have drained
  }
  const auto done = static_cast<unsigned>(at_once_.size());
  return at_least > done ? at_least - done : 0;
}

int UringCore::enter_kernel(unsigned to_submit, unsigned at_least, TimePoint deadline,
                            unsigned flags) {
  before_kernel_sends();
  const auto fd = static_cast<unsigned>(ring_.enter_ring_fd);
  if (at_least == 0 || deadline == kNoDeadline) {
    return io_uring_enter2(fd, to_submit, at_least, flags, nullptr, 0);
  }
  const std::chrono::nanoseconds left = deadline - MonotonicClock().now();
  const std::int64_t left_ns = left.count() > 0 ? left.count() : 0;
  __kernel_timespec timeout{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<std::uintptr_t>(&timeout);
  return io_uring_enter2(fd, to_submit, left_ns == 0 ? 0 : at_least, flags | IORING_ENTER_EXT_ARG,
                         reinterpret_cast<sigset_t*>(&argument), sizeof argument);
}

int UringCore::enter(unsigned at_least, TimePoint deadline) {
  buffers_.publish();
  io_uring_smp_store_release(ring_.sq.ktail, tail_);
  return enter_kernel(waiting_entries(), at_least, deadline, enter_flags_);
}

int UringCore::enter_polled(unsigned at_least, TimePoint deadline, unsigned flags) {
  buffers_.publish();
  io_uring_smp_store_release(ring_.sq.ktail, tail_);
  // The kernel's thread says that it goes to sleep, then looks at the tail once more; we must have
  // written the tail before we look whether it sleeps.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  const unsigned state = io_uring_smp_load_acquire(ring_.sq.kflags);
  if ((state & IORING_SQ_NEED_WAKEUP) != 0 && waiting_entries() != 0) {
    flags |= IORING_ENTER_SQ_WAKEUP;
  }
  if ((state & IORING_SQ_CQ_OVERFLOW) != 0) flags |= IORING_ENTER_GETEVENTS;
  const unsigned ready = io_uring_smp_load_acquire(ring_.cq.ktail) - *ring_.cq.khead;
  if (ready < at_least) flags |= IORING_ENTER_GETEVENTS;
  if (flags == 0) return 0;
  return enter_kernel(0, at_least, deadline, flags | enter_flags_);
}

}  // namespace weft::ksvc
