#include "gvt/stack_pool.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <set>
#include <vector>

#include "gvt/sanitizer.hpp"

namespace weft::gvt {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;

std::size_t resident_pages(const Stack& stack) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages(stack.size / page);
  EXPECT_EQ(::mincore(stack.bottom, pages.size() * page, pages.data()), 0);
  std::size_t resident = 0;
  for (const unsigned char state : pages) resident += state & 1U;
  return resident;
}

TEST(StackPool, stack_is_usable_from_its_bottom_to_its_top) {
  StackPool pool(kStackBytes);
  const Stack stack = pool.take();
  EXPECT_LT(stack.size, pool.stack_bytes());
  EXPECT_GE(stack.size, kStackBytes - 4096);
  std::memset(stack.bottom, 0x5A, stack.size);
  EXPECT_EQ(stack.top() - stack.bottom, static_cast<std::ptrdiff_t>(stack.size));
  pool.give_back(stack);
}

TEST(StackPool, last_stack_given_back_is_taken_first) {
  StackPool pool(kStackBytes);
  const Stack first = pool.take();
  const Stack second = pool.take();
  pool.give_back(first);
  pool.give_back(second);
  EXPECT_EQ(pool.take().bottom, second.bottom);
  EXPECT_EQ(pool.take().bottom, first.bottom);
}

TEST(StackPool, counts_what_is_in_use_past_its_first_slab) {
  StackPool pool(kStackBytes);
  std::vector<Stack> stacks;
  std::set<char*> places;
  for (int i = 0; i < 1000; ++i) {
    stacks.push_back(pool.take());
    places.insert(stacks.back().bottom);
  }
  EXPECT_EQ(pool.in_use(), 1000U);
  EXPECT_EQ(places.size(), 1000U);
  for (const Stack& stack : stacks) pool.give_back(stack);
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(StackPool, memory_of_stacks_beyond_the_warm_ones_is_given_back) {
  constexpr std::size_t kStacks = 600;
  StackPool pool(kStackBytes);
  std::vector<Stack> stacks;
  for (std::size_t i = 0; i < kStacks; ++i) {
    stacks.push_back(pool.take());
    std::memset(stacks.back().bottom, 1, stacks.back().size);
    EXPECT_GT(resident_pages(stacks.back()), 0U);
  }
  for (const Stack& stack : stacks) pool.give_back(stack);
  std::size_t holding = 0;
  for (const Stack& stack : stacks) holding += resident_pages(stack) > 0 ? 1 : 0;
  EXPECT_GT(holding, 0U) << "none is kept warm";
  EXPECT_LT(holding, kStacks / 2);
}

TEST(StackPool, reserved_stacks_cost_no_memory_until_they_are_touched) {
  StackPool pool(kStackBytes);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(resident_pages(pool.take()), 0U);
}

TEST(StackPoolDeathTest, page_below_a_stack_is_a_guard) {
  if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers take the signal over";
  StackPool pool(kStackBytes);
  for (int i = 0; i < 70; ++i) {
    const Stack stack = pool.take();
    if (i % 23 != 0) continue;
    volatile char* below = stack.bottom - 1;
    EXPECT_EXIT(*below = 1, testing::KilledBySignal(SIGSEGV), "");
  }
}

TEST(StackPoolDeathTest, guard_outlives_the_giving_back_of_its_stack) {
  if (sanitizer::kEnabled) GTEST_SKIP() << "sanitizers take the signal over";
  StackPool pool(kStackBytes);
  std::vector<Stack> stacks;
  for (int i = 0; i < 300; ++i) stacks.push_back(pool.take());
  for (const Stack& stack : stacks) pool.give_back(stack);
  volatile char* warm = stacks.front().bottom - 1;
  volatile char* cold = stacks.back().bottom - 1;
  EXPECT_EXIT(*warm = 1, testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(*cold = 1, testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace weft::gvt
