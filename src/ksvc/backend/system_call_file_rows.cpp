#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>

#include "ksvc/backend/system_call_rows.hpp"
#include "ksvc/backend/uring_abi.hpp"

namespace weft::ksvc {

namespace {

using From = const CallArguments&;
using Entry = io_uring_sqe&;

constexpr std::uint64_t kCurrentPosition = ~std::uint64_t{0};
constexpr int kFlagsOfReads = RWF_NOWAIT;
constexpr int kFlagsOfWrites = RWF_DSYNC | RWF_SYNC | RWF_APPEND | RWF_NOWAIT;

bool at_position(From from, Entry entry) noexcept {
  entry.off = kCurrentPosition;
  return fill_fd_and_memory(from, entry);
}

bool at_offset(From from, Entry entry) noexcept {
  entry.off = from.raw(3);
  return fill_fd_and_memory(from, entry) && from.offset(3) >= 0;
}

template <int allowed>
bool with_flags(From from, Entry entry) noexcept {
  entry.rw_flags = from.integer(5);
  const bool at = from.offset(3) == -1 ? at_position(from, entry) : at_offset(from, entry);
  return at && (from.integer(5) & ~allowed) == 0;
}

bool fd_alone(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  return true;
}

bool sync_data(From from, Entry entry) noexcept {
  entry.fsync_flags = IORING_FSYNC_DATASYNC;
  return fd_alone(from, entry);
}

bool sync_range(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.off = from.raw(1);
  entry.len = from.word(2);
  entry.sync_range_flags = from.word(3);
  return from.offset(1) >= 0 && from.fits_word(2);
}

bool allocate(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.len = from.word(1);
  entry.off = from.raw(2);
  entry.addr = from.raw(3);
  return true;
}

bool truncate(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.off = from.raw(1);
  return from.offset(1) >= 0;
}

bool file_advice(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  entry.off = from.raw(1);
  entry.len = from.word(2);
  entry.fadvise_advice = from.word(3);
  return from.fits_word(2);
}

bool memory_advice(From from, Entry entry) noexcept {
  entry.addr = from.raw(0);
  entry.len = from.word(1);
  entry.fadvise_advice = from.word(2);
  return from.fits_word(1);
}

bool splice(From from, Entry entry) noexcept {
  entry.splice_fd_in = from.integer(0);
  entry.fd = from.integer(2);
  entry.splice_off_in = kCurrentPosition;
  entry.off = kCurrentPosition;
  entry.len = from.word(4);
  entry.splice_flags = from.word(5);
  // The call moves the offsets it is given on; the operation does not.
  return from.null(1) && from.null(3) && from.fits_word(4) &&
         (from.word(5) & SPLICE_F_FD_IN_FIXED) == 0;
}

bool tee(From from, Entry entry) noexcept {
  entry.splice_fd_in = from.integer(0);
  entry.fd = from.integer(1);
  entry.len = from.word(2);
  entry.splice_flags = from.word(3);
  return from.fits_word(2) && (from.word(3) & SPLICE_F_FD_IN_FIXED) == 0;
}

// The value and the size of an extended attribute are the third and fourth argument of all.
bool attribute(From from, Entry entry, std::uint32_t flags) noexcept {
  entry.addr = from.raw(1);
  entry.off = from.raw(2);
  entry.len = from.word(3);
  entry.xattr_flags = flags;
  return from.fits_word(3);
}

bool set_attribute(From from, Entry entry) noexcept {
  entry.addr3 = from.raw(0);
  return attribute(from, entry, from.word(4));
}
bool get_attribute(From from, Entry entry) noexcept {
  entry.addr3 = from.raw(0);
  return attribute(from, entry, 0);
}
bool set_attribute_of_file(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  return attribute(from, entry, from.word(4));
}
bool get_attribute_of_file(From from, Entry entry) noexcept {
  entry.fd = from.integer(0);
  return attribute(from, entry, 0);
}

constexpr auto kSeekable = Needs::blocking_and_seekable;

// Only writes may come out short of what the call would do, where a file has no end.
constexpr CallRow kRows[] = {
    {SYS_read, IORING_OP_READ, at_position, true, Needs::blocking},
    {SYS_write, IORING_OP_WRITE, at_position, true, kSeekable},
    {SYS_readv, IORING_OP_READV, at_position, true, Needs::blocking},
    {SYS_writev, IORING_OP_WRITEV, at_position, true, kSeekable},
    {SYS_pread64, IORING_OP_READ, at_offset, true, kSeekable},
    {SYS_pwrite64, IORING_OP_WRITE, at_offset, true, kSeekable},
    {SYS_preadv, IORING_OP_READV, at_offset, true, kSeekable},
    {SYS_pwritev, IORING_OP_WRITEV, at_offset, true, kSeekable},
    {SYS_preadv2, IORING_OP_READV, with_flags<kFlagsOfReads>, true, kSeekable},
    {SYS_pwritev2, IORING_OP_WRITEV, with_flags<kFlagsOfWrites>, true, kSeekable},
    {SYS_close, IORING_OP_CLOSE, fd_alone, true},
    {SYS_fsync, IORING_OP_FSYNC, fd_alone, true},
    {SYS_fdatasync, IORING_OP_FSYNC, sync_data, true},
    {SYS_sync_file_range, IORING_OP_SYNC_FILE_RANGE, sync_range, true},
    {SYS_fallocate, IORING_OP_FALLOCATE, allocate, true},
    {SYS_ftruncate, uring_abi::kOpFtruncate, truncate, true},
    {SYS_fadvise64, IORING_OP_FADVISE, file_advice, true},
    {SYS_madvise, IORING_OP_MADVISE, memory_advice},
    {SYS_splice, IORING_OP_SPLICE, splice},
    {SYS_tee, IORING_OP_TEE, tee},
    {SYS_setxattr, IORING_OP_SETXATTR, set_attribute},
    {SYS_getxattr, IORING_OP_GETXATTR, get_attribute},
    {SYS_fsetxattr, IORING_OP_FSETXATTR, set_attribute_of_file, true},
    {SYS_fgetxattr, IORING_OP_FGETXATTR, get_attribute_of_file, true},
};

}  // namespace

std::span<const CallRow> file_call_rows() noexcept { return kRows; }

}  // namespace weft::ksvc
