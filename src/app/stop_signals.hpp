// StopSignals: SIGINT and SIGTERM, and SIGHUP if it is wanted, as a descriptor to poll, for as long
// as it lives.
//
// Blocks them for the thread that makes it and for all that it starts from then on; what was
// blocked before is restored. For the main thread.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace weft::app {

class StopSignals {
 public:
  explicit StopSignals(bool hangup_too) {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    if (hangup_too) ::sigaddset(&signals_, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    fd_ = ::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  }
  ~StopSignals() {
    ::close(fd_);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int fd() const noexcept { return fd_; }
  // The number of one that has come, or 0.
  int take() const noexcept {
    signalfd_siginfo info{};
    return ::read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t signals_{};
  sigset_t before_{};
  int fd_ = -1;
};

}  // namespace weft::app
