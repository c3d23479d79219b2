#include "gvt/context.hpp"

#include <gtest/gtest.h>
#include <unwind.h>

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "gvt/sanitizer.hpp"
#include "gvt/stack_pool.hpp"

namespace weft::gvt {
namespace {

// Two stacks that hand the thread to each other: the test's own and one from the pool.
struct PingPong {
  Context here;
  Context there;
  sanitizer::Fiber here_fiber;
  sanitizer::Fiber there_fiber;
  int turns = 0;
  std::uintptr_t frame = 0;
  double sum = 0;
  std::string text;

  void to_there() {
    sanitizer::before_switch(here_fiber, there_fiber, false);
    switch_context(here, there);
    sanitizer::after_switch(here_fiber, nullptr);
  }
  void to_here() {
    sanitizer::before_switch(there_fiber, here_fiber, false);
    switch_context(there, here);
    sanitizer::after_switch(there_fiber, nullptr);
  }
};

PingPong* g_game = nullptr;  // an entry function takes no argument

[[gnu::noinline]] void entry() {
  PingPong& game = *g_game;
  sanitizer::after_switch(game.there_fiber, &game.here_fiber);
  game.frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  double kept = 0.5;
  for (;;) {
    ++game.turns;
    kept += 1.25;
    game.sum = kept;
    // Formatting a double uses instructions that fault on a stack that is not aligned.
    char line[64];
    std::snprintf(line, sizeof line, "%.2f", kept);
    game.text = line;
    game.to_here();
  }
}

TEST(Context, two_stacks_hand_the_thread_to_each_other_and_keep_their_locals) {
  StackPool pool(64 * 1024);
  const Stack stack = pool.take();
  PingPong game;
  g_game = &game;
  game.here_fiber.adopt_thread_stack();
  game.there_fiber.create(stack.bottom, stack.size);
  game.there = fresh_context(stack.top(), &entry);
  int counted = 0;
  double expected = 0.5;
  for (int i = 0; i < 1000; ++i) {
    game.to_there();
    ++counted;
    expected += 1.25;
    ASSERT_EQ(game.turns, counted);
    ASSERT_EQ(game.sum, expected);
  }
  EXPECT_EQ(game.text, "1250.50");
  game.there_fiber.destroy();
}

// What entry_that_spoils_registers() leaves in registers must not be seen by who switched to it.
volatile std::int64_t g_seed = 3;
volatile double g_real_seed = 0.25;

// More values than there are registers of either kind, all needed again after `between`.
template <class Between>
[[gnu::always_inline]] inline double kept_across(Between&& between) {
  const std::int64_t a = g_seed;
  const double x = g_real_seed;
  const std::int64_t i0 = a + 1, i1 = a * 3, i2 = a ^ 5, i3 = a - 7, i4 = a * 11, i5 = a + 13;
  const std::int64_t i6 = a * 17, i7 = a ^ 19, i8 = a + 23, i9 = a * 29, j0 = a ^ 31, j1 = a * 37;
  const std::int64_t j2 = a * 41, j3 = a ^ 43, j4 = a + 47, j5 = a * 53, j6 = a ^ 59, j7 = a * 61;
  const double x0 = x + 1, x1 = x * 3, x2 = x - 5, x3 = x / 7, x4 = x * 11, x5 = x + 13;
  const double x6 = x * 17, x7 = x - 19, x8 = x + 23, x9 = x * 29, y0 = x - 31, y1 = x * 37;
  const double y2 = x * 41, y3 = x - 43, y4 = x + 47, y5 = x * 53, y6 = x - 59, y7 = x * 61;
  between();
  const double whole = static_cast<double>(
      i0 - 2 * i1 + 3 * i2 - 4 * i3 + 5 * i4 - 6 * i5 + 7 * i6 - 8 * i7 + 9 * i8 - 10 * i9 +
      11 * j0 - 12 * j1 + 13 * j2 - 14 * j3 + 15 * j4 - 16 * j5 + 17 * j6 - 18 * j7);
  return whole + x0 - 2 * x1 + 3 * x2 - 4 * x3 + 5 * x4 - 6 * x5 + 7 * x6 - 8 * x7 + 9 * x8 -
         10 * x9 + 11 * y0 - 12 * y1 + 13 * y2 - 14 * y3 + 15 * y4 - 16 * y5 + 17 * y6 - 18 * y7;
}

[[gnu::noinline]] void entry_that_spoils_registers() {
  PingPong& game = *g_game;
  sanitizer::after_switch(game.there_fiber, &game.here_fiber);
  for (;;) {
    g_seed = g_seed + 100;
    g_real_seed = g_real_seed + 100;
    game.sum = kept_across([] {});
    game.to_here();
  }
}

TEST(Context, no_value_is_lost_that_is_live_across_a_switch) {
  StackPool pool(64 * 1024);
  const Stack stack = pool.take();
  PingPong game;
  g_game = &game;
  game.here_fiber.adopt_thread_stack();
  game.there_fiber.create(stack.bottom, stack.size);
  game.there = fresh_context(stack.top(), &entry_that_spoils_registers);
  for (int i = 0; i < 3; ++i) {
    const double expected = kept_across([] {});
    const double seen = kept_across([&] { game.to_there(); });
    EXPECT_EQ(seen, expected);
    EXPECT_NE(game.sum, expected);
  }
  game.there_fiber.destroy();
}

struct Walk {
  int frames = 0;
  std::uintptr_t last_function = 0;
};

_Unwind_Reason_Code count_frame(_Unwind_Context* frame, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  // A walk that does not end by itself is cut off.
  if (++walk.frames == 100) return _URC_NORMAL_STOP;
  if (const auto function = _Unwind_GetRegionStart(frame); function != 0)
    walk.last_function = static_cast<std::uintptr_t>(function);
  return _URC_NO_REASON;
}

Walk* g_walk = nullptr;

[[gnu::noinline]] void entry_that_walks_and_throws() {
  PingPong& game = *g_game;
  sanitizer::after_switch(game.there_fiber, &game.here_fiber);
  _Unwind_Backtrace(&count_frame, g_walk);
  try {
    throw std::runtime_error("caught where it was thrown");
  } catch (const std::runtime_error& error) {
    game.text = error.what();
  }
  for (;;) game.to_here();
}

TEST(Context, stack_walk_ends_at_the_entry_and_exceptions_are_caught_above_it) {
  StackPool pool(64 * 1024);
  const Stack stack = pool.take();
  PingPong game;
  Walk walk;
  g_game = &game;
  g_walk = &walk;
  game.here_fiber.adopt_thread_stack();
  game.there_fiber.create(stack.bottom, stack.size);
  game.there = fresh_context(stack.top(), &entry_that_walks_and_throws);
  game.to_there();
  EXPECT_GE(walk.frames, 1);
  EXPECT_LT(walk.frames, 10);
  EXPECT_EQ(walk.last_function, reinterpret_cast<std::uintptr_t>(&entry_that_walks_and_throws));
  EXPECT_EQ(game.text, "caught where it was thrown");
  game.there_fiber.destroy();
}

TEST(Context, fresh_stack_is_aligned_as_the_abi_demands) {
  for (int misaligned_by = 0; misaligned_by < 16; ++misaligned_by) {
    StackPool pool(64 * 1024);
    const Stack stack = pool.take();
    PingPong game;
    g_game = &game;
    game.here_fiber.adopt_thread_stack();
    game.there_fiber.create(stack.bottom, stack.size);
    game.there = fresh_context(stack.top() - misaligned_by, &entry);
    game.to_there();
    EXPECT_EQ(game.frame % 16, 0U);
    EXPECT_GT(game.frame, reinterpret_cast<std::uintptr_t>(stack.bottom));
    EXPECT_LT(game.frame, reinterpret_cast<std::uintptr_t>(stack.top()));
    game.there_fiber.destroy();
  }
}

}  // namespace
}  // namespace weft::gvt
