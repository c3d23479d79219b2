#include <sys/syscall.h>

#include <ctime>

#include "ksvc/backend/system_call_rows.hpp"
#include "ksvc/backend/uring_abi.hpp"

namespace weft::ksvc {

namespace {

using From = const CallArguments&;
using Entry = io_uring_sqe&;

bool sleep(Entry entry, std::uint64_t time, int clock, int flags) noexcept {
  entry.fd = -1;
  entry.addr = time;
  entry.len = 1;
  if ((flags & TIMER_ABSTIME) != 0) entry.timeout_flags |= IORING_TIMEOUT_ABS;
  if (clock == CLOCK_REALTIME) entry.timeout_flags |= IORING_TIMEOUT_REALTIME;
  if (clock == CLOCK_BOOTTIME) entry.timeout_flags |= IORING_TIMEOUT_BOOTTIME;
  const bool known = clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME;
  if (!known || time == 0 || (flags & ~TIMER_ABSTIME) != 0) return false;
  // The operation does not ask whether it is a time at all.
  const auto* asked = reinterpret_cast<const timespec*>(static_cast<std::uintptr_t>(time));
  return asked->tv_sec >= 0 && asked->tv_nsec >= 0 && asked->tv_nsec < 1'000'000'000;
}

bool nanosleep(From from, Entry entry) noexcept {
  return sleep(entry, from.raw(0), CLOCK_MONOTONIC, 0);
}

bool clock_nanosleep(From from, Entry entry) noexcept {
  return sleep(entry, from.raw(2), from.integer(0), from.integer(1));
}

bool epoll_control(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.len = from.word(1);
  entry.off = from.word(2);
  entry.addr = from.raw(3);
  return true;
}

bool wait_id(From from, Entry entry) noexcept {
  entry.len = from.word(0);
  entry.fd = from.integer(1);
  entry.off = from.raw(2);
  entry.file_index = from.word(3);
  return from.null(4);
}

bool futex_wake(From from, Entry entry) noexcept {
  entry.addr = from.raw(0);
  entry.addr3 = from.raw(1);
  entry.off = from.raw(2);
  entry.fd = from.integer(3);
  return from.fits_word(2) && from.integer(2) > 0;
}

// The operation has no time-out of its own, here and below.
bool futex_wait(From from, Entry entry) noexcept {
  entry.addr = from.raw(0);
  entry.off = from.raw(1);
  entry.addr3 = from.raw(2);
  entry.fd = from.integer(3);
  return from.null(4);
}

bool futex_wait_many(From from, Entry entry) noexcept {
  entry.addr = from.raw(0);
  entry.len = from.word(1);
  return from.word(2) == 0 && from.null(3);
}

bool pipe_2(From from, Entry entry) noexcept {
  entry.addr = from.raw(0);
  entry.rw_flags = from.integer(1);
  return true;
}

constexpr CallRow kRows[] = {
    {SYS_epoll_ctl, IORING_OP_EPOLL_CTL, epoll_control},
    {SYS_nanosleep, IORING_OP_TIMEOUT, nanosleep, false, Needs::nothing, CallResult::elapsed},
    {SYS_clock_nanosleep, IORING_OP_TIMEOUT, clock_nanosleep, false, Needs::nothing,
     CallResult::elapsed},
    {SYS_waitid, uring_abi::kOpWaitid, wait_id},
    {uring_abi::kSysFutexWake, uring_abi::kOpFutexWake, futex_wake},
    {uring_abi::kSysFutexWait, uring_abi::kOpFutexWait, futex_wait},
    {SYS_futex_waitv, uring_abi::kOpFutexWaitv, futex_wait_many},
    {SYS_pipe2, uring_abi::kOpPipe, pipe_2},
};

}  // namespace

std::span<const CallRow> wait_call_rows() noexcept { return kRows; }

}  // namespace weft::ksvc
