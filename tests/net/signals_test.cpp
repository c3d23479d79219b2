#include "weft/signals.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

#include "net/modes.hpp"
#include "weft/cancel.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

// The object is made before there are other threads, as its users are told to.
class SignalValues : public EveryMode {
 protected:
  ~SignalValues() override {
    // What a test that failed has left would end the process.
    const timespec at_once{0, 0};
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGUSR1);
    sigaddset(&watched, SIGUSR2);
    while (::sigtimedwait(&watched, nullptr, &at_once) > 0) {
    }
    ::pthread_sigmask(SIG_UNBLOCK, &watched, nullptr);
  }

  std::optional<Signals> signals_{std::in_place, std::initializer_list<int>{SIGUSR1, SIGUSR2}};
};

INSTANTIATE_TEST_SUITE_P(EveryMode, SignalValues, every_mode(), mode_name);

TEST_P(SignalValues, a_signal_that_came_before_is_told) {
  run_here([&] {
    ::raise(SIGUSR2);
    EXPECT_EQ(signals_->next().value_or(0), SIGUSR2);
  });
}

TEST_P(SignalValues, whoever_waits_is_told_which_it_was) {
  run_here([&] {
    together({[&] {
                EXPECT_EQ(signals_->next().value_or(0), SIGUSR1);
                EXPECT_EQ(signals_->next().value_or(0), SIGUSR2);
              },
              [&] {
                ::kill(::getpid(), SIGUSR1);
                // The first may be taken late, and lower numbers are told first.
                ::kill(::getpid(), SIGUSR2);
              }});
  });
}

TEST_P(SignalValues, waiting_times_out_and_is_cancelled) {
  run_here([&] {
    signals_->set_timeout(milliseconds(5));
    EXPECT_EQ(signals_->next().error().code, ErrorCode::timed_out);
    signals_->set_timeout(milliseconds(0));
    const auto late = with_timeout(milliseconds(5), [&] { return signals_->next(); });
    EXPECT_EQ(late.error().code, ErrorCode::timed_out);
    CancelSource source;
    together({[&, token = source.token()] {
                const auto got = with_cancel(token, [&] { return signals_->next(); });
                EXPECT_EQ(got.error().code, ErrorCode::cancelled);
              },
              [&] { source.cancel(); }});
    ::raise(SIGUSR1);
    EXPECT_EQ(signals_->next().value_or(0), SIGUSR1);
  });
}

TEST_P(SignalValues, a_number_that_is_no_signal_is_told_by_next) {
  Signals none({99'999});
  run_here([&] { EXPECT_EQ(none.next().error().code, ErrorCode::invalid_argument); });
}

class GreenSignalValues : public SignalValues {};

INSTANTIATE_TEST_SUITE_P(EveryBackend, GreenSignalValues, every_backend(), mode_name);

TEST_P(GreenSignalValues, closing_ends_a_parked_wait) {
  run_here([&] {
    auto waiting = spawn([&] {
      EXPECT_EQ(signals_->next().error().code, ErrorCode::cancelled);
      EXPECT_EQ(signals_->next().error().os_errno, EBADF);
    });
    yield();
    signals_->close();
    waiting.join();
  });
  signals_.reset();
}

}  // namespace
}  // namespace weft
