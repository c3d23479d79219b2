#include "ksvc/router/probe_ring.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>

namespace weft::ksvc {
namespace {

constexpr unsigned kEntries = 4;
// Operations are tried on descriptors that are ready, so a second is for a kernel in trouble.
constexpr long long kPatienceSeconds = 1;

template <class T>
T* at(void* base, std::uint32_t offset) {
  return reinterpret_cast<T*>(static_cast<char*>(base) + offset);
}

}  // namespace

int raw_uring_setup(unsigned entries, io_uring_params& parameters) {
  const long fd = ::syscall(SYS_io_uring_setup, entries, &parameters);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

ProbeRing::~ProbeRing() {
  for (const Mapping& mapping : {submissions_, completions_, entries_}) {
    if (mapping.address != nullptr) ::munmap(mapping.address, mapping.bytes);
  }
  if (fd_ >= 0) ::close(fd_);
}

bool ProbeRing::map(Mapping& mapping, std::size_t bytes, std::uint64_t offset) {
  // Whole pages, as the kernel maps them: ThreadSanitizer forgets only what it is told is gone.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  bytes = (bytes + page - 1) / page * page;
  void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                         static_cast<off_t>(offset));
  if (address == MAP_FAILED) return false;
  mapping = {address, bytes};
  return true;
}

int ProbeRing::open() {
  const int fd = raw_uring_setup(kEntries, parameters_);
  if (fd < 0) return -fd;
  fd_ = fd;
  const std::size_t submission_bytes =
      parameters_.sq_off.array + parameters_.sq_entries * sizeof(std::uint32_t);
  const std::size_t completion_bytes =
      parameters_.cq_off.cqes + parameters_.cq_entries * sizeof(io_uring_cqe);
  const std::size_t entry_bytes = parameters_.sq_entries * sizeof(io_uring_sqe);
  const bool mapped = map(submissions_, submission_bytes, IORING_OFF_SQ_RING) &&
                      map(completions_, completion_bytes, IORING_OFF_CQ_RING) &&
                      map(entries_, entry_bytes, IORING_OFF_SQES);
  return mapped ? 0 : errno;
}

int ProbeRing::enter_and_wait() {
  // Without EXT_ARG there is no time limit, so do not wait: ready operations complete at once.
  if ((parameters_.features & IORING_FEAT_EXT_ARG) == 0) {
    return static_cast<int>(
        ::syscall(SYS_io_uring_enter, fd_, 1, 0, IORING_ENTER_GETEVENTS, nullptr, _NSIG / 8));
  }
  struct {
    long long seconds;
    long long nanoseconds;
  } patience{kPatienceSeconds, 0};
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<std::uintptr_t>(&patience);
  return static_cast<int>(::syscall(SYS_io_uring_enter, fd_, 1, 1,
                                    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument,
                                    sizeof argument));
}

std::optional<ProbeRing::Outcome> ProbeRing::perform(const io_uring_sqe& operation) {
  auto* const submission_tail = at<std::uint32_t>(submissions_.address, parameters_.sq_off.tail);
  const auto* const mask = at<std::uint32_t>(submissions_.address, parameters_.sq_off.ring_mask);
  const std::uint32_t slot = *submission_tail & *mask;
  static_cast<io_uring_sqe*>(entries_.address)[slot] = operation;
  at<std::uint32_t>(submissions_.address, parameters_.sq_off.array)[slot] = slot;
  std::atomic_ref(*submission_tail).fetch_add(1, std::memory_order_release);

  enter_and_wait();

  auto* const head = at<std::uint32_t>(completions_.address, parameters_.cq_off.head);
  auto* const tail = at<std::uint32_t>(completions_.address, parameters_.cq_off.tail);
  if (std::atomic_ref(*tail).load(std::memory_order_acquire) == *head) return std::nullopt;
  const auto* const completion_mask =
      at<std::uint32_t>(completions_.address, parameters_.cq_off.ring_mask);
  const io_uring_cqe& entry =
      at<io_uring_cqe>(completions_.address, parameters_.cq_off.cqes)[*head & *completion_mask];
  const Outcome outcome{entry.res, (entry.flags & IORING_CQE_F_MORE) != 0};
  std::atomic_ref(*head).fetch_add(1, std::memory_order_release);
  return outcome;
}

int ProbeRing::register_call(unsigned command, void* argument, unsigned count) {
  const long result = ::syscall(SYS_io_uring_register, fd_, command, argument, count);
  return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace weft::ksvc
