// ScopedDescriptor: a descriptor of the system's that is closed at the end of its scope.
//
// Negative: there is none, as after a call that failed. One thread.
#pragma once

#include <unistd.h>

namespace weft::ksvc {

class ScopedDescriptor {
 public:
  explicit ScopedDescriptor(int fd) noexcept : fd_(fd) {}
  ~ScopedDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  ScopedDescriptor(const ScopedDescriptor&) = delete;
  ScopedDescriptor& operator=(const ScopedDescriptor&) = delete;

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

}  // namespace weft::ksvc
