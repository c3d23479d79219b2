#include "http/served_file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "weft/system_call.hpp"

namespace weft::http {

namespace {

// The kernel gives up when names change under it while it looks for a way out.
constexpr int kMostTries = 4;
// File systems know times of which nanoseconds would be too many. Two centuries, either way.
constexpr std::int64_t kMostSeconds = 4'000'000'000;

Result<int> open_read_only(int folder, const std::string& path, std::uint64_t resolve) {
  open_how how{};
  // Not to wait for the writer of a named pipe.
  how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  how.resolve = resolve | RESOLVE_CACHED;
  const long fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
  if (fd >= 0) return static_cast<int>(fd);
  // Names that are not in memory, or a kernel that cannot say.
  if (errno != EAGAIN && errno != EINVAL) return Error::from_errno(errno);
  how.resolve = resolve;
  for (int tries = 1;; ++tries) {
    const auto opened = system_call(SYS_openat2, folder, path.c_str(), &how, sizeof how);
    if (opened) return static_cast<int>(*opened);
    const int failed = opened.error().os_errno;
    if ((failed != EAGAIN && failed != EINTR) || tries == kMostTries) return opened.error();
  }
}

}  // namespace

Result<ServedFile> ServedFile::open(const std::string& path) { return open_at(AT_FDCWD, path, 0); }

Result<ServedFile> ServedFile::open_beneath(int folder, const std::string& path) {
  return open_at(folder, path, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

Result<ServedFile> ServedFile::open_at(int folder, const std::string& path, std::uint64_t resolve) {
  // A zero would cut it short.
  if (path.find('\0') != std::string::npos) return Error::from_errno(ENOENT);
  const auto fd = open_read_only(folder, path, resolve);
  if (!fd) return fd.error();
  ServedFile file(*fd);
  struct stat state{};
  if (::fstat(file.fd_, &state) != 0) return Error::from_errno(errno);
  if (S_ISDIR(state.st_mode)) return Error::from_errno(EISDIR);
  if (!S_ISREG(state.st_mode)) return Error::from_errno(ENOENT);
  // From here on to wait for a disk is right.
  ::fcntl(file.fd_, F_SETFL, 0);
  file.facts_.size = static_cast<std::uint64_t>(state.st_size);
  const auto seconds = std::clamp<std::int64_t>(state.st_mtim.tv_sec, -kMostSeconds, kMostSeconds);
  file.facts_.modified_ns = seconds * 1'000'000'000 + state.st_mtim.tv_nsec;
  return file;
}

ServedFile::~ServedFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace weft::http
