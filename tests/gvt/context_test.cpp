#include "gvt/context.hpp"

#include <gtest/gtest.h>

#include <cstdio>
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
