// Cancels, wakes and ends that come from another OS thread, at the worst moments.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "every_kernel.hpp"
#include "gvt/sanitizer.hpp"
#include "weft/channel.hpp"
#include "weft/scope.hpp"
#include "weft/select.hpp"
#include "weft/sync.hpp"

namespace weft::test {
namespace {

using std::chrono::hours;

class FromElsewhere : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override { skip_without(GetParam()); }

  void run_here(std::function<void()> main, unsigned workers = 1) {
    run(std::move(main),
        {.backend = GetParam().backend, .workers = workers, .topology = GetParam().topology});
  }
};

INSTANTIATE_TEST_SUITE_P(EveryKernel, FromElsewhere, testing::ValuesIn(real_kernels()),
                         kernel_name);

const int kRounds = gvt::sanitizer::kEnabled ? 40 : 300;

// The thread cancels as soon as it is told that a wait begins, so that it meets every stage of it.
TEST_P(FromElsewhere, cancel_at_any_moment_of_a_wait_ends_it_once) {
  Channel<CancelSource> told(kUnbounded);
  std::thread canceller([&] {
    int wait = 0;
    for (CancelSource& source : told) {
      for (int i = 0; i < wait; ++i) std::this_thread::yield();
      source.cancel();
      wait = (wait + 1) % 7;
    }
  });
  run_here([&] {
    RealGround ground;
    auto [end, peer] = ground.make_pair();
    Listener listener = ground.make_listener(1);
    Channel<int> silent;
    Mutex mutex;
    const std::lock_guard held(mutex);
    const auto is_cancelled = [&](auto&& waits) {
      CancelSource source;
      told.send(source);
      const auto result = with_cancel(source.token(), waits);
      EXPECT_EQ(result.error().code, ErrorCode::cancelled);
    };
    for (int round = 0; round < kRounds; ++round) {
      is_cancelled([&, &from = end] {
        char byte = 0;
        return from.read({&byte, 1});
      });
      is_cancelled([&] { return listener.accept(); });
      is_cancelled([&] { return silent.receive(); });
      is_cancelled([&] { select(on_receive(silent, [](auto) {}), after(hours(1), [] {})); });
      is_cancelled([&] { mutex.lock(); });
      is_cancelled([] { sleep(hours(1)); });
    }
  });
  told.close();
  canceller.join();
}

TEST_P(FromElsewhere, no_wake_up_between_the_look_and_the_wait_is_lost) {
  Mutex mutex;
  CondVar changed;
  int turn = 0;
  const auto play = [&](int me) {
    for (int round = 0; round < kRounds; ++round) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return turn % 3 == me; });
      ++turn;
      changed.notify_all();
    }
  };
  std::thread os_thread([&] { play(0); });
  const auto main = [&] {
    scope([&](Scope& players) {
      players.spawn({.placement = Placement::any}, [&] { play(1); });
      players.spawn({.placement = Placement::any}, [&] { play(2); });
    });
  };
  run_here(main, 2);
  os_thread.join();
  EXPECT_EQ(turn, 3 * kRounds);
}

// A destructor that parks while an exception passes, and a catch block that parks, on green threads
// that go on on another OS thread, which has exceptions of its own.
struct ParksWhenLeft {
  int& uncaught;
  ~ParksWhenLeft() {
    yield();
    uncaught = std::uncaught_exceptions();
    yield();
  }
};

TEST_P(FromElsewhere, exceptions_go_along_when_their_green_thread_moves) {
  std::atomic<int> caught = 0;
  const auto thrower = [&caught](int number) {
    try {
      int uncaught = 0;
      try {
        const ParksWhenLeft parks{uncaught};
        throw std::runtime_error(std::to_string(number));
      } catch (const std::runtime_error&) {
        EXPECT_EQ(uncaught, 1);
        sleep(std::chrono::microseconds(number * 37 % 500));
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        try {
          yield();
          throw number;
        } catch (int inner) {
          yield();
          EXPECT_EQ(inner, number);
        }
        throw;
      }
    } catch (const std::runtime_error& error) {
      yield();
      EXPECT_EQ(error.what(), std::to_string(number));
      ++caught;
    }
  };
  const auto main = [&] {
    scope([&](Scope& throwers) {
      for (int i = 0; i < kRounds; ++i) {
        throwers.spawn({.placement = Placement::any}, [&thrower, i] { thrower(i); });
      }
    });
  };
  run_here(main, 3);
  EXPECT_EQ(caught, kRounds);
}

}  // namespace
}  // namespace weft::test
