// EventFdNotifier: wakes the loop through an eventfd, which every kernel and back end can poll.
#pragma once

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
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

static_assert(Notifier<EventFdNotifier>);

}  // namespace weft::ksvc
