#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

#include "ksvc/backend/system_call_rows.hpp"
#include "ksvc/backend/uring_abi.hpp"

namespace weft::ksvc {

// The older spellings of calls, which x86-64 still has and younger architectures never had.
#if defined(__x86_64__)

namespace {

using From = const CallArguments&;
using Entry = io_uring_sqe&;

bool path(Entry entry, std::uint64_t name, std::uint32_t len, std::uint32_t flags) noexcept {
  entry.fd = AT_FDCWD;
  entry.addr = name;
  entry.len = len;
  entry.open_flags = flags;
  return true;
}

bool open(From from, Entry entry) noexcept {
  return path(entry, from.raw(0), from.word(2), from.word(1));
}
bool create(From from, Entry entry) noexcept {
  return path(entry, from.raw(0), from.word(1), O_CREAT | O_WRONLY | O_TRUNC);
}
bool rename(From from, Entry entry) noexcept {
  entry.off = from.raw(1);
  return path(entry, from.raw(0), static_cast<std::uint32_t>(AT_FDCWD), 0);
}
bool unlink(From from, Entry entry) noexcept { return path(entry, from.raw(0), 0, 0); }
bool remove_folder(From from, Entry entry) noexcept {
  return path(entry, from.raw(0), 0, AT_REMOVEDIR);
}
bool make_folder(From from, Entry entry) noexcept {
  return path(entry, from.raw(0), from.word(1), 0);
}
bool symlink(From from, Entry entry) noexcept {
  entry.off = from.raw(1);
  return path(entry, from.raw(0), 0, 0);
}

bool pipe(From from, Entry entry) noexcept {
  entry.addr = from.raw(0);
  return true;
}

bool epoll_wait(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.addr = from.raw(1);
  entry.len = from.word(2);
  return from.integer(3) < 0;
}

// One descriptor, for as long as it takes.
bool poll(From from, Entry entry) noexcept {
  if (from.raw(1) != 1 || from.integer(2) >= 0 || from.null(0)) return false;
  const auto* polled = reinterpret_cast<const pollfd*>(static_cast<std::uintptr_t>(from.raw(0)));
  entry.fd = polled->fd;
  entry.poll32_events = static_cast<std::uint16_t>(polled->events);
  return polled->fd >= 0;
}

constexpr CallRow kRows[] = {
    {SYS_open, IORING_OP_OPENAT, open},
    {SYS_creat, IORING_OP_OPENAT, create},
    {SYS_rename, IORING_OP_RENAMEAT, rename},
    {SYS_link, IORING_OP_LINKAT, rename},
    {SYS_unlink, IORING_OP_UNLINKAT, unlink},
    {SYS_rmdir, IORING_OP_UNLINKAT, remove_folder},
    {SYS_mkdir, IORING_OP_MKDIRAT, make_folder},
    {SYS_symlink, IORING_OP_SYMLINKAT, symlink},
    {SYS_pipe, uring_abi::kOpPipe, pipe},
    {SYS_epoll_wait, uring_abi::kOpEpollWait, epoll_wait, true},
    {SYS_poll, IORING_OP_POLL_ADD, poll, true, Needs::nothing, CallResult::polled},
};

}  // namespace

std::span<const CallRow> older_call_rows() noexcept { return kRows; }

#else

std::span<const CallRow> older_call_rows() noexcept { return {}; }

#endif

}  // namespace weft::ksvc
