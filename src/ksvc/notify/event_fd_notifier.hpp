// EventFdNotifier: wakes the loop through an eventfd, which every kernel and back end can poll.
//
// The counter of the eventfd is all its state, so wakes coalesce in the kernel, and one that comes
// before the watch is found by it.
#pragma once

#include "ksvc/core/io_backend.hpp"
#include "ksvc/core/notifier.hpp"

namespace weft::ksvc {

class EventFdNotifier {
 public:
  // Throws std::system_error when the process has no descriptor left.
  EventFdNotifier();
  ~EventFdNotifier();
  EventFdNotifier(const EventFdNotifier&) = delete;
  EventFdNotifier& operator=(const EventFdNotifier&) = delete;

  void wake() noexcept;
  void acknowledge() noexcept;

  template <Submits<PollReadable> Backend>
  void watch(Backend& backend, CorrelationId corr_id) {
    backend.submit(PollReadable{fd_}, corr_id);
  }

  // Readable while a wake has not been acknowledged, for loops that poll by themselves.
  int fd() const noexcept { return fd_; }
  static const char* name() noexcept { return "eventfd"; }

 private:
  int fd_;
};

static_assert(Notifier<EventFdNotifier>);

}  // namespace weft::ksvc
