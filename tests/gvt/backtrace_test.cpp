#include "gvt/backtrace.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "gvt/sanitizer.hpp"

namespace weft::gvt {
namespace {

// Where a function's code begins and ends is not known here, so each frame's own address is asked
// for with a label behind its call.
std::uintptr_t g_outer_call = 0;
std::uintptr_t g_inner_call = 0;

[[gnu::noinline]] std::uintptr_t return_address() {
  __asm__ volatile("");
  return reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
}

// A stack of its own, on which outer() calls inner(), which parks.
struct Parked {
  static constexpr std::size_t kStackBytes = 256 * 1024;
  std::unique_ptr<char[]> stack{new char[kStackBytes]()};
  Context here;
  Context there = fresh_context(stack.get() + kStackBytes, &entry);
  sanitizer::Fiber here_fiber;
  sanitizer::Fiber there_fiber;
  int depth = 0;
  int resumed = 0;

  Parked() {
    here_fiber.adopt_thread_stack();
    there_fiber.create(stack.get(), kStackBytes);
  }
  ~Parked() {
    there_fiber.destroy();
    sanitizer::forget_frames(stack.get(), kStackBytes);
  }

  void run() {
    current = this;
    sanitizer::before_switch(here_fiber, there_fiber, false);
    switch_context(here, there);
    sanitizer::after_switch(here_fiber, nullptr);
  }
  // Inlined, so that a frame which is found through the frame pointer is the one that parks.
  [[gnu::always_inline]] void park() {
    sanitizer::before_switch(there_fiber, here_fiber, false);
    switch_context(there, here);
    sanitizer::after_switch(there_fiber, nullptr);
    ++resumed;
  }
  [[gnu::noinline]] int inner(int depth_left) {
    // A frame of a size that is known only now: it is found through the frame pointer.
    auto* room = static_cast<char*>(__builtin_alloca(static_cast<std::size_t>(depth_left) + 16));
    std::memset(room, depth_left, 16);
    int sum = room[3];
    if (depth_left > 0) {
      sum += inner(depth_left - 1);
    } else {
      park();
    }
    __asm__ volatile("" : : "r"(room) : "memory");
    return sum + room[5];
  }
  // All of the stack, what is below its stack pointer too.
  [[gnu::noinline, gnu::no_sanitize_address]] std::vector<char> bytes() const {
    std::vector<char> copy(kStackBytes);
    const char* const from = stack.get();
    char* const to = copy.data();
    for (std::size_t i = 0; i < kStackBytes; ++i) to[i] = from[i];
    return copy;
  }
  static void entry() {
    Parked& self = *current;
    sanitizer::after_switch(self.there_fiber, &self.here_fiber);
    for (;;) {
      self.sum = self.inner(self.depth);
      self.park();
    }
  }

  int sum = 0;
  static inline Parked* current = nullptr;
};

bool any_in(std::span<void* const> addresses, std::uintptr_t from, std::size_t bytes) {
  return std::any_of(addresses.begin(), addresses.end(), [&](void* address) {
    return reinterpret_cast<std::uintptr_t>(address) - from < bytes;
  });
}

bool within(const void* address, void (*function)(), std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(function) <
         bytes;
}

[[gnu::noinline]] std::size_t called_here(std::span<void*> addresses) {
  g_inner_call = return_address();
  const std::size_t count = backtrace(addresses);
  g_outer_call = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  return count;
}

TEST(Backtrace, begins_with_its_caller_and_goes_on_with_the_callers_caller) {
  std::array<void*, 64> addresses;
  const std::size_t count = called_here(addresses);
  ASSERT_GE(count, 3U);
  EXPECT_LT(reinterpret_cast<std::uintptr_t>(addresses[0]) - g_inner_call, 512U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(addresses[1]), g_outer_call - 1);
}

TEST(Backtrace, writes_no_more_than_there_is_room_for) {
  std::array<void*, 4> addresses{};
  EXPECT_EQ(backtrace(std::span(addresses).first(2)), 2U);
  EXPECT_EQ(addresses[2], nullptr);
  EXPECT_EQ(backtrace({}), 0U);
}

TEST(ParkedBacktrace, has_every_frame_of_the_parked_stack_and_no_other) {
  Parked parked;
  std::array<void*, 64> addresses;
  std::array<std::size_t, 2> counts{};
  for (std::size_t i = 0; i < 2; ++i) {
    parked.depth = static_cast<int>(i) * 9;
    if (i != 0) parked.run();  // back to entry()'s own park
    parked.run();
    counts[i] = parked_backtrace(parked.there, addresses);
    ASSERT_GE(counts[i], 2U);
    EXPECT_TRUE(within(addresses[counts[i] - 1], &Parked::entry, 4096));
  }
  EXPECT_EQ(counts[1], counts[0] + 9);
  // The recursive calls return to one place.
  EXPECT_EQ(std::count(addresses.begin(), addresses.begin() + static_cast<long>(counts[1]),
                       addresses[counts[1] - 4]),
            9);
}

TEST(ParkedBacktrace, leaves_the_parked_stack_as_it_is) {
  Parked parked;
  parked.depth = 5;
  parked.run();
  const std::vector<char> before = parked.bytes();
  std::array<void*, 64> addresses;
  EXPECT_GE(parked_backtrace(parked.there, addresses), 7U);
  EXPECT_EQ(parked.bytes(), before);
  parked.run();
  EXPECT_EQ(parked.resumed, 1);
  EXPECT_EQ(parked.sum, 2 * (5 + 4 + 3 + 2 + 1));
}

TEST(ParkedBacktrace, of_a_stack_that_never_ran_is_its_entry) {
  Parked parked;
  std::array<void*, 8> addresses{};
  ASSERT_EQ(parked_backtrace(parked.there, addresses), 1U);
  EXPECT_EQ(addresses[0], reinterpret_cast<void*>(&Parked::entry));
}

TEST(ParkedBacktrace, writes_no_more_than_there_is_room_for) {
  Parked parked;
  parked.depth = 20;
  parked.run();
  std::array<void*, 8> addresses{};
  EXPECT_EQ(parked_backtrace(parked.there, std::span(addresses).first(5)), 5U);
  EXPECT_EQ(addresses[5], nullptr);
}

struct Caught {
  std::array<void*, 64> addresses{};
  std::size_t count = 0;
};
Caught* g_caught = nullptr;  // a signal handler takes no argument of ours

void on_signal(int, siginfo_t*, void* machine_context) {
  g_caught->count = interrupted_backtrace(machine_context, g_caught->addresses);
}

[[gnu::noinline]] void interrupted() {
  g_inner_call = return_address();
  ::raise(SIGUSR1);
  __asm__ volatile("");
}

TEST(InterruptedBacktrace, begins_with_what_was_interrupted_and_reaches_its_callers) {
  warm_up_backtraces();
  Caught caught;
  g_caught = &caught;
  struct sigaction action = {};
  action.sa_sigaction = &on_signal;
  action.sa_flags = SA_SIGINFO;
  struct sigaction before = {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  interrupted();
  ::sigaction(SIGUSR1, &before, nullptr);
  ASSERT_GE(caught.count, 3U);
  const std::span<void* const> found(caught.addresses.data(), caught.count);
  EXPECT_TRUE(any_in(found, g_inner_call, 256));
}

}  // namespace
}  // namespace weft::gvt
