#include "ksvc/backend/system_call_entry.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

#include "ksvc/backend/uring_abi.hpp"

namespace weft::ksvc {

namespace {

// The arguments of a call as what the call takes them for.
class Arguments {
 public:
  explicit Arguments(const SystemCall& call) noexcept : raw_(call.arguments) {}

  std::uint64_t raw(std::size_t i) const noexcept { return raw_[i]; }
  // The kernel looks at the lower half of an int argument only.
  int integer(std::size_t i) const noexcept { return static_cast<int>(raw_[i]); }
  std::uint32_t word(std::size_t i) const noexcept { return static_cast<std::uint32_t>(raw_[i]); }
  std::int64_t offset(std::size_t i) const noexcept { return static_cast<std::int64_t>(raw_[i]); }
  bool null(std::size_t i) const noexcept { return raw_[i] == 0; }
  bool fits_word(std::size_t i) const noexcept { return raw_[i] <= UINT32_MAX; }

 private:
  const std::array<std::uint64_t, 6>& raw_;
};

// What has to be true of a call's descriptor, apart from its arguments.
enum class Needs : std::uint8_t {
  nothing,
  blocking,  // the operation waits where the call would not
  seekable,  // the operation takes any offset for a pipe, and may write less to one
  blocking_and_seekable,
};

struct Row {
  bool (*fill)(const Arguments& from, io_uring_sqe& entry) noexcept = nullptr;
  std::uint8_t opcode = 0;
  Needs needs = Needs::nothing;
  CallResult result = CallResult::as_is;
  bool names_file = false;
};

constexpr std::uint64_t kCurrentPosition = ~std::uint64_t{0};
constexpr int kFlagsOfReads = RWF_NOWAIT;
constexpr int kFlagsOfWrites = RWF_DSYNC | RWF_SYNC | RWF_APPEND | RWF_NOWAIT;
constexpr int kFlagsOfReceives = MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT | MSG_TRUNC | MSG_NOSIGNAL;
constexpr int kFlagsOfSends = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_OOB;

// Writes the descriptor, the address and the 32-bit length that most calls begin with.
bool memory(const Arguments& from, io_uring_sqe& entry) noexcept {
  entry.fd = from.integer(0);
  entry.addr = from.raw(1);
  entry.len = from.word(2);
  return from.raw(2) <= INT_MAX;
}

bool at_position(const Arguments& from, io_uring_sqe& entry) noexcept {
  entry.off = kCurrentPosition;
  return memory(from, entry);
}

bool at_offset(const Arguments& from, io_uring_sqe& entry) noexcept {
  entry.off = from.raw(3);
  return memory(from, entry) && from.offset(3) >= 0;
}

template <int allowed>
bool with_flags(const Arguments& from, io_uring_sqe& entry) noexcept {
  const bool at = from.offset(3) == -1 ? at_position(from, entry) : at_offset(from, entry);
  entry.rw_flags = from.integer(5);
  return at && (from.integer(5) & ~allowed) == 0;
}

// A folder (or the caller's own), a path in it, and two words.
void path(io_uring_sqe& entry, int folder, std::uint64_t name, std::uint32_t len,
          std::uint32_t flags) noexcept {
  entry.fd = folder;
  entry.addr = name;
  entry.len = len;
  entry.open_flags = flags;
}

void two_paths(io_uring_sqe& entry, int folder, std::uint64_t name, int other_folder,
               std::uint64_t other_name, std::uint32_t flags) noexcept {
  path(entry, folder, name, static_cast<std::uint32_t>(other_folder), flags);
  entry.off = other_name;
}

bool attribute(io_uring_sqe& entry, std::uint64_t value, std::uint64_t size,
               std::uint32_t flags) noexcept {
  entry.off = value;
  entry.len = static_cast<std::uint32_t>(size);
  entry.xattr_flags = flags;
  return size <= UINT32_MAX;
}

bool splice(const Arguments& from, io_uring_sqe& entry, bool has_offsets) noexcept {
  const std::size_t out = has_offsets ? 2 : 1;
  const std::size_t len = has_offsets ? 4 : 2;
  entry.splice_fd_in = from.integer(0);
  entry.fd = from.integer(out);
  if (has_offsets) {
    entry.splice_off_in = kCurrentPosition;
    entry.off = kCurrentPosition;
    // The call moves the offsets it is given on; the operation does not.
    if (!from.null(1) || !from.null(3)) return false;
  }
  entry.len = from.word(len);
  entry.splice_flags = from.word(len + 1);
  return from.fits_word(len) && (entry.splice_flags & SPLICE_F_FD_IN_FIXED) == 0;
}

bool send_flags(io_uring_sqe& entry, int flags) noexcept {
  // A call that may block sends all of it; the operation does so only when told to.
  entry.msg_flags = static_cast<std::uint32_t>(flags);
  if ((flags & MSG_DONTWAIT) == 0) entry.msg_flags |= MSG_WAITALL;
  return (flags & ~kFlagsOfSends) == 0;
}

bool receive_flags(io_uring_sqe& entry, int flags) noexcept {
  entry.msg_flags = static_cast<std::uint32_t>(flags);
  return (flags & ~kFlagsOfReceives) == 0;
}

bool timeout(io_uring_sqe& entry, std::uint64_t time, clockid_t clock, int flags) noexcept {
  entry.fd = -1;
  entry.addr = time;
  entry.len = 1;
  if ((flags & TIMER_ABSTIME) != 0) entry.timeout_flags |= IORING_TIMEOUT_ABS;
  if (clock == CLOCK_REALTIME) entry.timeout_flags |= IORING_TIMEOUT_REALTIME;
  if (clock == CLOCK_BOOTTIME) entry.timeout_flags |= IORING_TIMEOUT_BOOTTIME;
  const bool known = clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME;
  // The kernel reads the time without asking whether it is one.
  if (!known || time == 0 || (flags & ~TIMER_ABSTIME) != 0) return false;
  const auto* asked = reinterpret_cast<const timespec*>(time);
  return asked->tv_sec >= 0 && asked->tv_nsec >= 0 && asked->tv_nsec < 1'000'000'000;
}

using A = const Arguments&;
using E = io_uring_sqe&;

constexpr std::size_t kNumbers = 512;
using Table = std::array<Row, kNumbers>;

constexpr void set(Table& table, long nr, Row row) { table[static_cast<std::size_t>(nr)] = row; }

constexpr void add_files(Table& table) {
  // Reads that would wait do so; only writes may come out short, where there is no end to them.
  set(table, SYS_read, {at_position, IORING_OP_READ, Needs::blocking, {}, true});
  set(table, SYS_write, {at_position, IORING_OP_WRITE, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_readv, {at_position, IORING_OP_READV, Needs::blocking, {}, true});
  set(table, SYS_writev, {at_position, IORING_OP_WRITEV, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_pread64, {at_offset, IORING_OP_READ, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_pwrite64, {at_offset, IORING_OP_WRITE, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_preadv, {at_offset, IORING_OP_READV, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_pwritev, {at_offset, IORING_OP_WRITEV, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_preadv2,
      {with_flags<kFlagsOfReads>, IORING_OP_READV, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_pwritev2,
      {with_flags<kFlagsOfWrites>, IORING_OP_WRITEV, Needs::blocking_and_seekable, {}, true});
  set(table, SYS_close,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         return true;
       },
       IORING_OP_CLOSE,
       {},
       {},
       true});
  set(table, SYS_fsync,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         return true;
       },
       IORING_OP_FSYNC,
       {},
       {},
       true});
  set(table, SYS_fdatasync,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.fsync_flags = IORING_FSYNC_DATASYNC;
         return true;
       },
       IORING_OP_FSYNC,
       {},
       {},
       true});
  set(table, SYS_sync_file_range,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.off = from.raw(1);
         entry.len = from.word(2);
         entry.sync_range_flags = from.word(3);
         return from.offset(1) >= 0 && from.fits_word(2);
       },
       IORING_OP_SYNC_FILE_RANGE,
       {},
       {},
       true});
  set(table, SYS_fallocate,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.len = from.word(1);
         entry.off = from.raw(2);
         entry.addr = from.raw(3);
         return true;
       },
       IORING_OP_FALLOCATE,
       {},
       {},
       true});
  set(table, SYS_ftruncate,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.off = from.raw(1);
         return from.offset(1) >= 0;
       },
       uring_abi::kOpFtruncate,
       {},
       {},
       true});
}

constexpr void add_advice(Table& table) {
  set(table, SYS_fadvise64,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.off = from.raw(1);
         entry.len = from.word(2);
         entry.fadvise_advice = from.word(3);
         return from.fits_word(2);
       },
       IORING_OP_FADVISE,
       {},
       {},
       true});
  set(table, SYS_madvise,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(0);
         entry.len = from.word(1);
         entry.fadvise_advice = from.word(2);
         return from.fits_word(1);
       },
       IORING_OP_MADVISE});
  set(table, SYS_splice,
      {[](A from, E entry) noexcept { return splice(from, entry, true); }, IORING_OP_SPLICE});
  set(table, SYS_tee,
      {[](A from, E entry) noexcept { return splice(from, entry, false); }, IORING_OP_TEE});
}

constexpr void add_paths(Table& table) {
  set(table, SYS_openat,
      {[](A from, E entry) noexcept {
         path(entry, from.integer(0), from.raw(1), from.word(3), from.word(2));
         return true;
       },
       IORING_OP_OPENAT});
  set(table, SYS_openat2,
      {[](A from, E entry) noexcept {
         path(entry, from.integer(0), from.raw(1), from.word(3), 0);
         entry.off = from.raw(2);
         return from.fits_word(3);
       },
       IORING_OP_OPENAT2});
  set(table, SYS_statx,
      {[](A from, E entry) noexcept {
         path(entry, from.integer(0), from.raw(1), from.word(3), from.word(2));
         entry.off = from.raw(4);
         return true;
       },
       IORING_OP_STATX});
  set(table, SYS_renameat2,
      {[](A from, E entry) noexcept {
         two_paths(entry, from.integer(0), from.raw(1), from.integer(2), from.raw(3), from.word(4));
         return true;
       },
       IORING_OP_RENAMEAT});
  set(table, SYS_unlinkat,
      {[](A from, E entry) noexcept {
         path(entry, from.integer(0), from.raw(1), 0, from.word(2));
         return true;
       },
       IORING_OP_UNLINKAT});
  set(table, SYS_mkdirat,
      {[](A from, E entry) noexcept {
         path(entry, from.integer(0), from.raw(1), from.word(2), 0);
         return true;
       },
       IORING_OP_MKDIRAT});
  set(table, SYS_symlinkat,
      {[](A from, E entry) noexcept {
         two_paths(entry, from.integer(1), from.raw(0), 0, from.raw(2), 0);
         return true;
       },
       IORING_OP_SYMLINKAT});
  set(table, SYS_linkat,
      {[](A from, E entry) noexcept {
         two_paths(entry, from.integer(0), from.raw(1), from.integer(2), from.raw(3), from.word(4));
         return true;
       },
       IORING_OP_LINKAT});
}

constexpr void add_attributes(Table& table) {
  set(table, SYS_setxattr,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(1);
         entry.addr3 = from.raw(0);
         return attribute(entry, from.raw(2), from.raw(3), from.word(4));
       },
       IORING_OP_SETXATTR});
  set(table, SYS_fsetxattr,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         return attribute(entry, from.raw(2), from.raw(3), from.word(4));
       },
       IORING_OP_FSETXATTR,
       {},
       {},
       true});
  set(table, SYS_getxattr,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(1);
         entry.addr3 = from.raw(0);
         return attribute(entry, from.raw(2), from.raw(3), 0);
       },
       IORING_OP_GETXATTR});
  set(table, SYS_fgetxattr,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         return attribute(entry, from.raw(2), from.raw(3), 0);
       },
       IORING_OP_FGETXATTR,
       {},
       {},
       true});
}

constexpr void add_sockets(Table& table) {
  constexpr auto plain_accept = [](A from, E entry) noexcept {
    entry.fd = from.integer(0);
    entry.addr = from.raw(1);
    entry.off = from.raw(2);
    return true;
  };
  set(table, SYS_socket,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.off = from.word(1);
         entry.len = from.word(2);
         return true;
       },
       IORING_OP_SOCKET});
  set(table, SYS_bind,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         entry.off = from.word(2);
         return true;
       },
       uring_abi::kOpBind,
       {},
       {},
       true});
  set(table, SYS_listen,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.len = from.word(1);
         return true;
       },
       uring_abi::kOpListen,
       {},
       {},
       true});
  set(table, SYS_accept, {plain_accept, IORING_OP_ACCEPT, Needs::blocking, {}, true});
  set(table, SYS_accept4,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         entry.off = from.raw(2);
         entry.accept_flags = from.word(3);
         return true;
       },
       IORING_OP_ACCEPT,
       Needs::blocking,
       {},
       true});
  set(table, SYS_connect,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         entry.off = from.word(2);
         return true;
       },
       IORING_OP_CONNECT,
       Needs::blocking,
       {},
       true});
  set(table, SYS_shutdown,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.len = from.word(1);
         return true;
       },
       IORING_OP_SHUTDOWN,
       {},
       {},
       true});
}

constexpr void add_messages(Table& table) {
  set(table, SYS_sendto,
      {[](A from, E entry) noexcept {
         return memory(from, entry) && from.null(4) && send_flags(entry, from.integer(3));
       },
       IORING_OP_SEND,
       Needs::blocking,
       {},
       true});
  set(table, SYS_recvfrom,
      {[](A from, E entry) noexcept {
         return memory(from, entry) && from.null(4) && receive_flags(entry, from.integer(3));
       },
       IORING_OP_RECV,
       Needs::blocking,
       {},
       true});
  set(table, SYS_sendmsg,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         entry.len = 1;
         return send_flags(entry, from.integer(2));
       },
       IORING_OP_SENDMSG,
       Needs::blocking,
       {},
       true});
  set(table, SYS_recvmsg,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         entry.len = 1;
         return receive_flags(entry, from.integer(2));
       },
       IORING_OP_RECVMSG,
       Needs::blocking,
       {},
       true});
}

// Newer than the oldest headers; numbers of this age are the same on every architecture.
constexpr long kSysFutexWake = 454;
constexpr long kSysFutexWait = 455;

constexpr void add_waits(Table& table) {
  set(table, SYS_epoll_ctl,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.len = from.word(1);
         entry.off = from.word(2);
         entry.addr = from.raw(3);
         return true;
       },
       IORING_OP_EPOLL_CTL});
  set(table, SYS_nanosleep,
      {[](A from, E entry) noexcept { return timeout(entry, from.raw(0), CLOCK_MONOTONIC, 0); },
       IORING_OP_TIMEOUT,
       {},
       CallResult::elapsed});
  set(table, SYS_clock_nanosleep,
      {[](A from, E entry) noexcept {
         return timeout(entry, from.raw(2), from.integer(0), from.integer(1));
       },
       IORING_OP_TIMEOUT,
       {},
       CallResult::elapsed});
  set(table, SYS_waitid,
      {[](A from, E entry) noexcept {
         entry.len = from.word(0);
         entry.fd = from.integer(1);
         entry.off = from.raw(2);
         entry.file_index = from.word(3);
         return from.null(4);
       },
       uring_abi::kOpWaitid});
  set(table, kSysFutexWake,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(0);
         entry.addr3 = from.raw(1);
         entry.off = from.raw(2);
         entry.fd = from.integer(3);
         return from.integer(2) > 0 && from.fits_word(2);
       },
       uring_abi::kOpFutexWake});
  set(table, kSysFutexWait,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(0);
         entry.off = from.raw(1);
         entry.addr3 = from.raw(2);
         entry.fd = from.integer(3);
         return from.null(4);
       },
       uring_abi::kOpFutexWait});
  set(table, SYS_futex_waitv,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(0);
         entry.len = from.word(1);
         return from.word(2) == 0 && from.null(3);
       },
       uring_abi::kOpFutexWaitv});
  set(table, SYS_pipe2,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(0);
         entry.rw_flags = from.integer(1);
         return true;
       },
       uring_abi::kOpPipe});
}

#if defined(__x86_64__)
constexpr void add_older_spellings(Table& table) {
  set(table, SYS_open,
      {[](A from, E entry) noexcept {
         path(entry, AT_FDCWD, from.raw(0), from.word(2), from.word(1));
         return true;
       },
       IORING_OP_OPENAT});
  set(table, SYS_creat,
      {[](A from, E entry) noexcept {
         path(entry, AT_FDCWD, from.raw(0), from.word(1), O_CREAT | O_WRONLY | O_TRUNC);
         return true;
       },
       IORING_OP_OPENAT});
  set(table, SYS_rename,
      {[](A from, E entry) noexcept {
         two_paths(entry, AT_FDCWD, from.raw(0), AT_FDCWD, from.raw(1), 0);
         return true;
       },
       IORING_OP_RENAMEAT});
  set(table, SYS_renameat,
      {[](A from, E entry) noexcept {
         two_paths(entry, from.integer(0), from.raw(1), from.integer(2), from.raw(3), 0);
         return true;
       },
       IORING_OP_RENAMEAT});
  set(table, SYS_unlink,
      {[](A from, E entry) noexcept {
         path(entry, AT_FDCWD, from.raw(0), 0, 0);
         return true;
       },
       IORING_OP_UNLINKAT});
  set(table, SYS_rmdir,
      {[](A from, E entry) noexcept {
         path(entry, AT_FDCWD, from.raw(0), 0, AT_REMOVEDIR);
         return true;
       },
       IORING_OP_UNLINKAT});
  set(table, SYS_mkdir,
      {[](A from, E entry) noexcept {
         path(entry, AT_FDCWD, from.raw(0), from.word(1), 0);
         return true;
       },
       IORING_OP_MKDIRAT});
  set(table, SYS_symlink,
      {[](A from, E entry) noexcept {
         two_paths(entry, AT_FDCWD, from.raw(0), 0, from.raw(1), 0);
         return true;
       },
       IORING_OP_SYMLINKAT});
  set(table, SYS_link,
      {[](A from, E entry) noexcept {
         two_paths(entry, AT_FDCWD, from.raw(0), AT_FDCWD, from.raw(1), 0);
         return true;
       },
       IORING_OP_LINKAT});
  set(table, SYS_pipe,
      {[](A from, E entry) noexcept {
         entry.addr = from.raw(0);
         return true;
       },
       uring_abi::kOpPipe});
  set(table, SYS_epoll_wait,
      {[](A from, E entry) noexcept {
         entry.fd = from.integer(0);
         entry.addr = from.raw(1);
         entry.len = from.word(2);
         return from.integer(3) < 0;
       },
       uring_abi::kOpEpollWait,
       {},
       {},
       true});
  set(table, SYS_poll,
      {[](A from, E entry) noexcept {
         if (from.raw(1) != 1 || from.integer(2) >= 0 || from.null(0)) return false;
         const auto* polled = reinterpret_cast<const pollfd*>(from.raw(0));
         entry.fd = polled->fd;
         entry.poll32_events = static_cast<std::uint16_t>(polled->events);
         return polled->fd >= 0;
       },
       IORING_OP_POLL_ADD,
       {},
       CallResult::polled,
       true});
}
#else
constexpr void add_older_spellings(Table&) {}
#endif

constexpr Table kTable = [] {
  Table table{};
  add_files(table);
  add_advice(table);
  add_paths(table);
  add_attributes(table);
  add_sockets(table);
  add_messages(table);
  add_waits(table);
  add_older_spellings(table);
  return table;
}();

const Row* row_of(const SystemCall& call) noexcept {
  if (call.nr < 0 || static_cast<std::size_t>(call.nr) >= kNumbers) return nullptr;
  const Row& row = kTable[static_cast<std::size_t>(call.nr)];
  return row.fill != nullptr && row.opcode == call.opcode ? &row : nullptr;
}

// A descriptor that is none is no obstacle: the operation says so as well as the call.
bool blocks(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags < 0 || (flags & O_NONBLOCK) == 0;
}
bool has_positions(int fd) noexcept { return ::lseek(fd, 0, SEEK_CUR) >= 0 || errno != ESPIPE; }

bool suits(const io_uring_sqe& entry, Needs needs) noexcept {
  // A socket that the back end accepted blocks, and has no positions.
  const bool own = made_by_backend(entry.fd);
  const bool moves_messages = entry.opcode == IORING_OP_SEND || entry.opcode == IORING_OP_RECV ||
                              entry.opcode == IORING_OP_SENDMSG ||
                              entry.opcode == IORING_OP_RECVMSG;
  const bool does_not_wait = moves_messages && (entry.msg_flags & MSG_DONTWAIT) != 0;
  switch (needs) {
    case Needs::nothing: return true;
    case Needs::blocking: return own || does_not_wait || blocks(entry.fd);
    case Needs::seekable: return !own && has_positions(entry.fd);
    case Needs::blocking_and_seekable: return !own && has_positions(entry.fd) && blocks(entry.fd);
  }
  return false;
}

}  // namespace

bool expressible(const SystemCall& call) noexcept {
  const Row* row = row_of(call);
  if (row == nullptr) return false;
  io_uring_sqe entry{};
  if (!row->fill(Arguments(call), entry)) return false;
  entry.opcode = row->opcode;
  const int kept = errno;
  const bool suitable = suits(entry, row->needs);
  errno = kept;
  return suitable;
}

CallEntry fill_entry(io_uring_sqe& entry, const SystemCall& call) noexcept {
  const Row* row = row_of(call);
  if (row == nullptr || !row->fill(Arguments(call), entry)) return {};
  entry.opcode = row->opcode;
  return {row->result, row->names_file};
}

}  // namespace weft::ksvc
