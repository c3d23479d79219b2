#include <fcntl.h>
#include <sys/syscall.h>

#include "ksvc/backend/system_call_rows.hpp"
#include "ksvc/backend/uring_abi.hpp"

namespace weft::ksvc {

namespace {

using From = const CallArguments&;
using Entry = io_uring_sqe&;

// A folder, a path in it, and two words.
bool path(Entry entry, int folder, std::uint64_t name, std::uint32_t len,
          std::uint32_t flags) noexcept {
  entry.fd = folder;
  entry.addr = name;
  entry.len = len;
  entry.open_flags = flags;
  return true;
}

struct Place {
  int folder;
  std::uint64_t name;
};
bool two_paths(Entry entry, Place from, Place to, std::uint32_t flags = 0) noexcept {
  entry.off = to.name;
  return path(entry, from.folder, from.name, static_cast<std::uint32_t>(to.folder), flags);
}

bool open_at(From from, Entry entry) noexcept {
  return path(entry, from.integer(0), from.raw(1), from.word(3), from.word(2));
}
bool open_at_2(From from, Entry entry) noexcept {
  entry.off = from.raw(2);
  return path(entry, from.integer(0), from.raw(1), from.word(3), 0) && from.fits_word(3);
}
bool stat_extended(From from, Entry entry) noexcept {
  entry.off = from.raw(4);
  return path(entry, from.integer(0), from.raw(1), from.word(3), from.word(2));
}
bool rename_at(From from, Entry entry) noexcept {
  return two_paths(entry, {from.integer(0), from.raw(1)}, {from.integer(2), from.raw(3)});
}
bool rename_at_2(From from, Entry entry) noexcept {
  return two_paths(entry, {from.integer(0), from.raw(1)}, {from.integer(2), from.raw(3)},
                   from.word(4));
}
bool unlink_at(From from, Entry entry) noexcept {
  return path(entry, from.integer(0), from.raw(1), 0, from.word(2));
}
bool make_folder_at(From from, Entry entry) noexcept {
  return path(entry, from.integer(0), from.raw(1), from.word(2), 0);
}
bool symlink_at(From from, Entry entry) noexcept {
  return two_paths(entry, {from.integer(1), from.raw(0)}, {0, from.raw(2)});
}

constexpr CallRow kRows[] = {
    {SYS_openat, IORING_OP_OPENAT, open_at},
    {SYS_openat2, IORING_OP_OPENAT2, open_at_2},
    {SYS_statx, IORING_OP_STATX, stat_extended},
    {SYS_renameat2, IORING_OP_RENAMEAT, rename_at_2},
    {SYS_renameat, IORING_OP_RENAMEAT, rename_at},
    {SYS_unlinkat, IORING_OP_UNLINKAT, unlink_at},
    {SYS_mkdirat, IORING_OP_MKDIRAT, make_folder_at},
    {SYS_symlinkat, IORING_OP_SYMLINKAT, symlink_at},
    {SYS_linkat, IORING_OP_LINKAT, rename_at_2},
};

}  // namespace

std::span<const CallRow> path_call_rows() noexcept { return kRows; }

}  // namespace weft::ksvc
