// LogFile: where a log goes: a file, or a descriptor that the process was started with.
//
// What is no regular file is written in pieces that it has room for, so that a reader who does not
// read holds up nobody. One thread uses it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::app {

class LogFile {
 public:
  LogFile() = default;
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // Empty when that has worked, otherwise a sentence. Before anything else.
  std::string open(const std::string& path, unsigned mode);
  // The same path once more. What was open stays when that fails.
  std::string reopen();

  // How many bytes were written: at most up to the end of a line where only so much has room. -1
  // with errno; EAGAIN when nothing had room for `patience`.
  std::int64_t write(std::string_view text, std::chrono::milliseconds patience);
  // Whether the path is another file by now, or none.
  bool was_moved() const noexcept;
  const std::string& path() const noexcept { return path_; }

 private:
  int open_fd() const noexcept;
  void use(int fd) noexcept;

  std::string path_;
  unsigned mode_ = 0644;
  int fd_ = -1;
  bool regular_ = false;
};

}  // namespace weft::app
