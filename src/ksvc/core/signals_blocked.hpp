// SignalsBlocked: no signal is taken by this thread, nor by those that it starts, as long as one
// stands. So a thread of ours is not the one that a signal for the program ends up with.
#pragma once

#include <signal.h>

namespace weft::ksvc {

class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace weft::ksvc
