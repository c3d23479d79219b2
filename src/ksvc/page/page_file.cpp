#include "ksvc/page/page_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "ksvc/core/scoped_descriptor.hpp"
#include "ksvc/page/shared_page_reader.hpp"

namespace weft::ksvc {
namespace {

constexpr std::string_view kPrefix = "weft-";
constexpr std::string_view kSuffix = ".page";

struct Place {
  std::string directory;
  std::string name;
  bool directory_given = false;
};

Place place_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) {
    const std::string pid = std::to_string(::syscall(SYS_getpid));
    return {path, std::string(kPrefix) + pid + std::string(kSuffix), true};
  }
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

// The lock goes with the descriptor. Gives up after a second: a lock is held for less than a
// millisecond, unless somebody keeps it on purpose.
bool lock_directory(int directory) noexcept {
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::flock(directory, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  errno = EBUSY;
  return false;
}

// Whether the file is the page of a process that is no more.
bool is_stale(const std::string& path) {
  const OpenedPage opened = SharedPageReader::open(path);
  return opened && !opened.reader->process_is_alive();
}

void remove_stale_pages(int directory, const std::string& directory_path) {
  const int duplicate = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = duplicate >= 0 ? ::fdopendir(duplicate) : nullptr;
  if (entries == nullptr) {
    if (duplicate >= 0) ::close(duplicate);
    return;
  }
  while (const dirent* const entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    if (is_stale(directory_path + "/" + entry->d_name)) ::unlinkat(directory, entry->d_name, 0);
  }
  ::closedir(entries);
}

// A mapping of a new file with room for a page; null with errno set.
PageFile* map_new_file(int file) noexcept {
  // With its blocks allocated the file system cannot run full under a store, which would be SIGBUS.
  if (const int failed = ::posix_fallocate(file, 0, sizeof(PageFile)); failed != 0) {
    errno = failed;
    return nullptr;
  }
  void* const address =
      ::mmap(nullptr, sizeof(PageFile), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  return address == MAP_FAILED ? nullptr : new (address) PageFile{};
}

// Gives the file its name; a page of a dead process there before makes way. The directory is
// locked.
bool give_name(int directory, const std::string& temporary, const Place& place) {
  constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE
  const auto take_free_name = [&] {
    return ::syscall(SYS_renameat2, directory, temporary.c_str(), directory, place.name.c_str(),
                     kNoReplace) == 0;
  };
  if (take_free_name()) return true;
  if (errno == EINVAL) {  // a file system without that rename: a link does not replace either
    if (::linkat(directory, temporary.c_str(), directory, place.name.c_str(), 0) == 0) {
      ::unlinkat(directory, temporary.c_str(), 0);
      return true;
    }
  }
  if (errno != EEXIST) return false;
  if (!is_stale(place.directory + "/" + place.name)) {
    errno = EEXIST;
    return false;
  }
  return ::renameat(directory, temporary.c_str(), directory, place.name.c_str()) == 0;
}

// In a directory that was given a process may have several pages.
bool give_some_name(int directory, const std::string& temporary, Place& place) {
  constexpr int kMostPages = 1000;
  const std::string stem = place.name.substr(0, place.name.rfind('.'));
  for (int number = 2; !give_name(directory, temporary, place); ++number) {
    if (errno != EEXIST || !place.directory_given || number > kMostPages) return false;
    place.name = stem + "-" + std::to_string(number) + std::string(kSuffix);
  }
  return true;
}

}  // namespace

Result<PublishedFile> PublishedFile::publish(const std::string& path,
                                             const std::function<void(PageFile&)>& fill) {
  Place place = place_of(path);
  if (place.name.empty()) return Error::from_errno(EINVAL);
  const ScopedDescriptor directory(
      ::open(place.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || !lock_directory(directory.get())) return Error::from_errno(errno);
  if (place.directory_given) remove_stale_pages(directory.get(), place.directory);

  // Under the lock a temporary file of this name is what a crash has left.
  const std::string temporary = "." + place.name + ".new";
  ::unlinkat(directory.get(), temporary.c_str(), 0);
  const ScopedDescriptor file(::openat(directory.get(), temporary.c_str(),
                                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!file) return Error::from_errno(errno);
  PageFile* const page = map_new_file(file.get());
  struct stat made{};
  if (page != nullptr && ::fstat(file.get(), &made) == 0) {
    fill(*page);
    if (give_some_name(directory.get(), temporary, place)) {
      return PublishedFile(page, place.directory + "/" + place.name, made.st_dev, made.st_ino);
    }
  }
  const int failed = errno;
  if (page != nullptr) ::munmap(page, sizeof(PageFile));
  ::unlinkat(directory.get(), temporary.c_str(), 0);
  return Error::from_errno(failed);
}

void PublishedFile::remove() const noexcept {
  struct stat found{};
  if (::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

}  // namespace weft::ksvc
