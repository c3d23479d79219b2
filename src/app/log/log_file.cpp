#include "app/log/log_file.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weft::app {

namespace {

// A pipe that says it has room takes so much without waiting, and in one piece.
constexpr std::size_t kPieceBytes = PIPE_BUF;

// The descriptor that a name stands for, which cannot be opened by it when it is a socket; -1:
// none.
int standing_fd(const std::string& path) noexcept {
  if (path == "-" || path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  return -1;
}

std::string refusal(const std::string& path) {
  const int failed = errno;
  std::string text = "cannot open the log " + path + ": " + std::strerror(failed);
  if (failed == ENOENT) text += "; make its folder first";
  if (failed == ENXIO) text += "; it is a pipe that nobody reads, or a socket";
  return text;
}

}  // namespace

LogFile::~LogFile() {
  if (fd_ >= 0) ::close(fd_);
}

int LogFile::open_fd() const noexcept {
  const int standing = standing_fd(path_);
  if (standing >= 0) return ::fcntl(standing, F_DUPFD_CLOEXEC, 0);
  // A pipe without a reader is an error and no reason to wait.
  return ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                mode_);
}

void LogFile::use(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  struct stat about{};
  regular_ = ::fstat(fd_, &about) == 0 && S_ISREG(about.st_mode);
}

std::string LogFile::open(const std::string& path, unsigned mode) {
  path_ = path;
  mode_ = mode;
  if (path.empty()) return "a log needs a path, or - for standard output";
  return reopen();
}

std::string LogFile::reopen() {
  const int fd = open_fd();
  if (fd < 0) return refusal(path_);
  use(fd);
  return {};
}

std::int64_t LogFile::write(std::string_view text, std::chrono::milliseconds patience) {
  if (regular_) return ::write(fd_, text.data(), text.size());
  pollfd watched{fd_, POLLOUT, 0};
  if (::poll(&watched, 1, static_cast<int>(patience.count())) == 0) {
    errno = EAGAIN;
    return -1;
  }
  text = text.substr(0, kPieceBytes);
  // Whole lines, so that those of another process that has the same pipe do not come between.
  if (const auto end = text.rfind('\n'); end != text.npos) text = text.substr(0, end + 1);
  return ::write(fd_, text.data(), text.size());
}

bool LogFile::was_moved() const noexcept {
  if (!regular_ || standing_fd(path_) >= 0) return false;
  struct stat open_one{};
  struct stat named{};
  if (::fstat(fd_, &open_one) != 0) return false;
  if (::stat(path_.c_str(), &named) != 0) return errno == ENOENT;
  return open_one.st_ino != named.st_ino || open_one.st_dev != named.st_dev;
}

}  // namespace weft::app
