// ServedFile: a regular file that is open to be sent.
//
// Opening costs the calls and no wait where the kernel has the names in memory; otherwise it parks.
// What is no regular file is not there, but a folder is told by EISDIR; opening waits for nobody.
// Owns its descriptor, which no operation may be using when this ends. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "http/file_answer.hpp"
#include "weft/result.hpp"

namespace weft::http {

class ServedFile {
 public:
  static Result<ServedFile> open(const std::string& path);
  // Beneath the folder: no way out of it is followed.
  static Result<ServedFile> open_beneath(int folder, const std::string& path);

  ServedFile(ServedFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), facts_(other.facts_) {}
  ServedFile& operator=(ServedFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(facts_, other.facts_);
    return *this;
  }
  ~ServedFile();

  int fd() const noexcept { return fd_; }
  // As they were when it was opened.
  const FileFacts& facts() const noexcept { return facts_; }

 private:
  explicit ServedFile(int fd) noexcept : fd_(fd) {}
  static Result<ServedFile> open_at(int folder, const std::string& path, std::uint64_t resolve);

  int fd_;
  FileFacts facts_;
};

}  // namespace weft::http
