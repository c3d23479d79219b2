// Files, whose calls park the green thread while the system works. For named pipes and terminals
// see pipe.hpp.
//
// On a thread that is no worker they block the OS thread. read_at() and write_at() may be called by
// any number of green threads and OS threads at once; what moves the position, by one at a time.
// Closing a file while others are in calls on it lets those end; destroying it then is a programmer
// error.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "weft/result.hpp"

namespace weft {

// How a file is opened.
struct FileOptions {
  bool read = true;             // to read from it
  bool write = false;           // to write to it
  bool create = false;          // when there is none
  bool exclusive = false;       // with `create`: there must be none
  bool truncate = false;        // throws away what is in it
  bool append = false;          // every write goes to the end
  unsigned permissions = 0666;  // of a new file, less the process's umask
};

// An open file, with a position that is the object's own. Closed when it is destroyed.
class File {
 public:
  // One that is there, unless the options say otherwise.
  static Result<File> open(const std::string& path, const FileOptions& options = {});
  // An empty file to write to (and read), whether there was one or not.
  static Result<File> create(const std::string& path);
  // A file to write to and read that has no name in that folder, and is gone when it is closed.
  static Result<File> temporary(const std::string& folder);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  // Reads at most as much as there is room for; 0 at the end of the file, or when there is no room.
  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const;
  // Writes all.
  Result<void> write_at(std::uint64_t offset, std::string_view bytes) const;

  // Each as read_at() or write_at(), at the position, which begins at 0 and moves on.
  Result<std::size_t> read(std::span<char> into);
  Result<void> write(std::string_view bytes);
  // Where read() and write() go on.
  std::uint64_t position() const noexcept { return position_; }
  // They go on there; also beyond the end.
  void seek(std::uint64_t position) noexcept { position_ = position; }

  // In bytes, now.
  Result<std::uint64_t> size() const;
  // Cuts the file, or fills it up with zeros.
  Result<void> truncate(std::uint64_t size) const;
  // Returns when what was written is on the disk, and what is known about the file too.
  Result<void> sync() const;
  // The same but for what nobody needs in order to read the data back.
  Result<void> sync_data() const;

  // Calls on it end with an error from then on. Once more is allowed.
  void close() noexcept;
  // Until close().
  bool is_open() const noexcept;
  // The system's descriptor, for options that have no call here. It stays the file's.
  int fd() const noexcept { return fd_; }

 private:
  class Use;

  File(int fd, bool append) noexcept : fd_(fd), append_(append) {}

  int fd_;
  bool append_;
  std::uint64_t position_ = 0;
  mutable std::atomic<std::uint32_t> uses_{0};  // calls under way; above them, whether it is closed
};

// The whole of a file.
Result<std::string> read_file(const std::string& path);
// Replaces what is in the file, or makes one.
Result<void> write_file(const std::string& path, std::string_view contents);
// The name goes; who has the file open keeps it.
Result<void> remove_file(const std::string& path);
// Atomically; replaces what is at `to`.
Result<void> rename_file(const std::string& from, const std::string& to);

}  // namespace weft
