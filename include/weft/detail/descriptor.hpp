// Descriptor: a descriptor that green threads wait on, and who is waiting.
//
// It is its owner's, who uses it on one worker, or outside of workers on one OS thread at a time.
// Closing it, or destroying it, while green threads of that worker are parked in calls on it
// cancels these; the system's descriptor is closed when the last of them has come to its end, so
// that none can meet whoever gets the number next. It must not be moved in the meantime.
#pragma once

#include <utility>

namespace weft::net {
class DescriptorCall;
}

namespace weft::detail {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = other.release();
    }
    return *this;
  }
  ~Descriptor() { close(); }

  void close() noexcept {
    if (fd_ >= 0) close_open();
  }
  // Gives the descriptor to the caller. Nobody is waiting on it.
  int release() noexcept {
    if (calls_ != nullptr) stop_for_calls();
    return std::exchange(fd_, -1);
  }
  // -1 when it is closed.
  int fd() const noexcept { return fd_; }

 private:
  friend class net::DescriptorCall;

  void close_open() noexcept;
  [[noreturn]] static void stop_for_calls() noexcept;

  int fd_;
  unsigned calls_in_a_row_ = 0;           // that did not have to wait
  net::DescriptorCall* calls_ = nullptr;  // one of those in a ring
};

}  // namespace weft::detail
