#include "weft/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "net/descriptor_call.hpp"
#include "net/outcome.hpp"

namespace weft {

Signals::Signals(std::initializer_list<int> numbers) noexcept {
  sigset_t set;
  sigemptyset(&set);
  int failed = 0;
  for (const int number : numbers) {
    if (sigaddset(&set, number) != 0) failed = EINVAL;
  }
  if (failed == 0) {
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) failed = errno;
    descriptor_ = detail::Descriptor(fd);
  }
  if (failed != 0) failure_ = Error::from_errno(failed);
}

Result<int> Signals::next() {
  if (failure_.os_errno != 0) return failure_;
  net::DescriptorCall call(descriptor_, net::Direction::in, timeout_);
  for (;;) {
    if (const std::int32_t reason = call.refusal(); reason != 0) return net::error_of(reason);
    signalfd_siginfo info;
    const ssize_t got = ::read(call.fd(), &info, sizeof info);
    if (got == static_cast<ssize_t>(sizeof info)) return static_cast<int>(info.ssi_signo);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) return Error::from_errno(errno);
    const std::int32_t failed = call.wait_until_readable();
    if (failed != 0) return net::error_of(failed);
  }
}

}  // namespace weft
