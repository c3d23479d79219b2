#include "ksvc/notify/event_fd_notifier.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace weft::ksvc {

EventFdNotifier::EventFdNotifier() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

EventFdNotifier::~EventFdNotifier() { ::close(fd_); }

void EventFdNotifier::wake() noexcept {
  const int kept_errno = errno;  // a signal handler may be the caller
  const std::uint64_t one = 1;
  // EAGAIN means the counter is at its top: the loop has been woken already.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
  errno = kept_errno;
}

void EventFdNotifier::acknowledge() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto read = ::read(fd_, &count, sizeof count);
}

}  // namespace weft::ksvc
