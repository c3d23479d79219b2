#include "weft/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ksvc/core/assert.hpp"
#include "net/descriptor_call.hpp"
#include "weft/system_call.hpp"

namespace weft {

namespace {

// More than the kernel moves in one call.
constexpr std::size_t kMostAtOnce = 1U << 30;
constexpr std::uint32_t kClosed = 1U << 31;

Result<void> without_value(const Result<std::int64_t>& result) {
  if (!result) return result.error();
  return {};
}

// A path with a zero in it would be cut short.
Result<void> check_path(const std::string& path) {
  if (path.find('\0') != std::string::npos) return Error{ErrorCode::invalid_argument, EINVAL};
  return {};
}

int flags_of(const FileOptions& options) noexcept {
  int flags = O_CLOEXEC;
  if (options.write || options.append) {
    flags |= options.read ? O_RDWR : O_WRONLY;
  } else {
    flags |= O_RDONLY;
  }
  if (options.create) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  if (options.append) flags |= O_APPEND;
  return flags;
}

// Repeats a call that a signal has interrupted.
template <class... Arguments>
Result<std::int64_t> call_again(long nr, Arguments... arguments) {
  for (;;) {
    auto result = system_call(nr, arguments...);
    if (result || result.error().os_errno != EINTR) return result;
  }
}

}  // namespace

// One call on a file. The last one to end closes a file that was closed in the meantime.
class File::Use {
 public:
  explicit Use(const File& file) noexcept : file_(file) {
    std::uint32_t uses = file_.uses_.load(std::memory_order_acquire);
    do {
      if ((uses & kClosed) != 0) return;
    } while (!file_.uses_.compare_exchange_weak(uses, uses + 1, std::memory_order_acquire));
    fd_ = file_.fd_;
  }
  ~Use() {
    if (fd_ < 0) return;
    const std::uint32_t before = file_.uses_.fetch_sub(1, std::memory_order_acq_rel);
    if (before == (kClosed | 1)) net::close_descriptor(fd_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  // -1, which the system refuses, when the file is closed.
  int fd() const noexcept { return fd_; }

 private:
  const File& file_;
  int fd_ = -1;
};

Result<File> File::open(const std::string& path, const FileOptions& options) {
  if (auto good = check_path(path); !good) return good.error();
  const auto fd =
      call_again(SYS_openat, AT_FDCWD, path.c_str(), flags_of(options), options.permissions);
  if (!fd) return fd.error();
  return File(static_cast<int>(*fd), options.append);
}

Result<File> File::create(const std::string& path) {
  return open(path, {.read = true, .write = true, .create = true, .truncate = true});
}

Result<File> File::temporary(const std::string& folder) {
  if (auto good = check_path(folder); !good) return good.error();
  const auto fd =
      call_again(SYS_openat, AT_FDCWD, folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600U);
  if (fd) return File(static_cast<int>(*fd), false);
  const int failed = fd.error().os_errno;
  if (failed != EOPNOTSUPP && failed != EISDIR && failed != EINVAL) return fd.error();
  // The file system knows no nameless files: one with a name that nobody has, for a moment.
  const FileOptions options{.write = true, .create = true, .exclusive = true, .permissions = 0600};
  for (int tries = 0;; ++tries) {
    std::uint64_t random = 0;
    const auto got = call_again(SYS_getrandom, &random, sizeof random, 0U);
    if (!got) return got.error();
    const std::string path = folder + "/.weft-" + std::to_string(random);
    auto file = open(path, options);
    if (!file && file.error().os_errno == EEXIST && tries < 8) continue;
    if (!file) return file.error();
    if (auto removed = remove_file(path); !removed) return removed.error();
    return file;
  }
}

File::File(File&& other) noexcept
    : fd_(other.fd_), append_(other.append_), position_(other.position_) {
  const std::uint32_t uses = other.uses_.exchange(kClosed, std::memory_order_acq_rel);
  WEFT_ASSERT((uses == 0 || uses == kClosed) && "a file was moved while it was used");
  uses_.store(uses, std::memory_order_release);
}

File& File::operator=(File&& other) noexcept {
  if (this == &other) return *this;
  close();
  const std::uint32_t uses = other.uses_.exchange(kClosed, std::memory_order_acq_rel);
  WEFT_ASSERT((uses == 0 || uses == kClosed) && uses_.load() == kClosed &&
              "a file was moved while it was used");
  fd_ = other.fd_;
  append_ = other.append_;
  position_ = other.position_;
  uses_.store(uses, std::memory_order_release);
  return *this;
}

File::~File() {
  close();
  WEFT_ASSERT(uses_.load() == kClosed && "a file was destroyed while it was used");
}

void File::close() noexcept {
  if (uses_.fetch_or(kClosed, std::memory_order_acq_rel) == 0) net::close_descriptor(fd_);
}

bool File::is_open() const noexcept {
  return (uses_.load(std::memory_order_acquire) & kClosed) == 0;
}

Result<std::size_t> File::read_at(std::uint64_t offset, std::span<char> into) const {
  const Use use(*this);
  const std::size_t size = std::min(into.size(), kMostAtOnce);
  const auto got = call_again(SYS_pread64, use.fd(), into.data(), size, offset);
  if (!got) return got.error();
  return static_cast<std::size_t>(*got);
}

Result<void> File::write_at(std::uint64_t offset, std::string_view bytes) const {
  const Use use(*this);
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kMostAtOnce);
    const auto put = call_again(SYS_pwrite64, use.fd(), bytes.data(), size, offset);
    if (!put) return put.error();
    // Files take something or say why not; this is only to not go on for ever.
    if (*put == 0) return Error::from_errno(EIO);
    bytes.remove_prefix(static_cast<std::size_t>(*put));
    offset += static_cast<std::uint64_t>(*put);
  }
  return {};
}

Result<std::size_t> File::read(std::span<char> into) {
  auto got = read_at(position_, into);
  if (got) position_ += *got;
  return got;
}

Result<void> File::write(std::string_view bytes) {
  auto written = write_at(position_, bytes);
  if (written && !append_) position_ += bytes.size();
  return written;
}

Result<std::uint64_t> File::size() const {
  const Use use(*this);
  struct statx facts{};
  const auto answer =
      call_again(SYS_statx, use.fd(), "", AT_EMPTY_PATH, unsigned{STATX_SIZE}, &facts);
  if (!answer) return answer.error();
  return std::uint64_t{facts.stx_size};
}

Result<void> File::truncate(std::uint64_t size) const {
  const Use use(*this);
  return without_value(call_again(SYS_ftruncate, use.fd(), size));
}

Result<void> File::sync() const {
  const Use use(*this);
  return without_value(call_again(SYS_fsync, use.fd()));
}

Result<void> File::sync_data() const {
  const Use use(*this);
  return without_value(call_again(SYS_fdatasync, use.fd()));
}

Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kPiece = 16 * 1024;
  auto file = File::open(path);
  if (!file) return file.error();
  auto size = file->size();
  if (!size) return size.error();
  std::string contents;
  // The size is but a hint: some files have none, and others grow.
  std::size_t room = static_cast<std::size_t>(*size) + 1;
  for (;;) {
    const std::size_t have = contents.size();
    contents.resize(have + room);
    auto got = file->read({contents.data() + have, room});
    contents.resize(have + (got ? *got : 0));
    if (!got) return got.error();
    if (*got == 0) return contents;
    room = std::max(room - *got, kPiece);
  }
}

Result<void> write_file(const std::string& path, std::string_view contents) {
  auto file = File::open(path, {.read = false, .write = true, .create = true, .truncate = true});
  if (!file) return file.error();
  return file->write(contents);
}

Result<void> remove_file(const std::string& path) {
  if (auto good = check_path(path); !good) return good;
  return without_value(system_call(SYS_unlinkat, AT_FDCWD, path.c_str(), 0));
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (auto good = check_path(from); !good) return good;
  if (auto good = check_path(to); !good) return good;
  return without_value(
      system_call(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0U));
}

}  // namespace weft
