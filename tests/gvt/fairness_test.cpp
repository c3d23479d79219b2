// Green threads that keep one another ready must not keep timers and I/O from their turn.
#include <gtest/gtest.h>

#include <chrono>

#include "weft/green.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Every new green thread parks first on the hot stack, so that each hand-off starts the loop anew.
TEST(Fairness, endless_first_parks_do_not_starve_a_timer) {
  bool stop = false;
  bool hung = false;
  const auto give_up = steady_clock::now() + std::chrono::seconds(20);
  run(
      [&] {
        spawn([&] {
          sleep(milliseconds(5));
          stop = true;
        });
        while (!stop && !hung) {
          spawn([] { yield(); });
          yield();
          hung = steady_clock::now() > give_up;
        }
      },
      {.backend = RunOptions::Backend::epoll});
  EXPECT_TRUE(stop);
  EXPECT_FALSE(hung);
}

}  // namespace
}  // namespace weft
