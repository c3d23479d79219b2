#include "gvt/stack_pool.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "gvt/sanitizer.hpp"

namespace weft::gvt {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t resident_pages(const Stack& stack) {
  const std::size_t page = page_bytes();
  std::vector<unsigned char> pages((stack.size + page - 1) / page);
  EXPECT_EQ(::mincore(stack.bottom, pages.size() * page, pages.data()), 0);
  std::size_t resident = 0;
  for (const unsigned char state : pages) resident += state & 1U;
  return resident;
}

TEST(StackPool, stack_is_usable_from_its_bottom_to_its_top) {
  StackPool pool(kStackBytes);
  const Stack stack = pool.take();
  EXPECT_LT(stack.size, pool.stack_bytes());
  EXPECT_GE(stack.size, kStackBytes - 4096 - 64);
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

TEST(StackPool, taken_stacks_cost_a_page_until_they_are_used) {
  StackPool pool(kStackBytes);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(resident_pages(pool.take()), 1U);
}

TEST(StackPool, stacks_come_from_few_mappings_of_growing_size) {
  StackPool pool(kStackBytes);
  for (int i = 0; i < 20'000; ++i) (void)pool.take();
  EXPECT_EQ(pool.in_use(), 20'000U);
  EXPECT_LE(pool.slabs(), sanitizer::kEnabled ? 12U : 9U);
}

TEST(StackPool, visits_the_stacks_in_use_and_no_others) {
  for (const std::size_t stack_bytes : {kStackBytes, std::size_t{3} << 20}) {
    StackPool pool(stack_bytes);
    std::vector<Stack> stacks;
    for (int i = 0; i < 300; ++i) stacks.push_back(pool.take());
    std::set<char*> kept;
    for (std::size_t i = 0; i < stacks.size(); ++i) {
      if (i % 7 == 0 || (i > 100 && i < 230)) {
        pool.give_back(stacks[i]);
      } else {
        kept.insert(stacks[i].bottom);
      }
    }
    std::set<char*> seen;
    pool.for_each_in_use([&](const Stack& stack) {
      EXPECT_EQ(stack.size, stacks[0].size);
      EXPECT_EQ(&StackPool::of(stack), &pool);
      EXPECT_TRUE(seen.insert(stack.bottom).second);
    });
    EXPECT_EQ(seen, kept);
    EXPECT_EQ(pool.in_use(), kept.size());
  }
}

TEST(StackPool, stacks_given_back_by_other_threads_are_taken_again) {
  StackPool pool(kStackBytes);
  std::vector<Stack> stacks;
  std::set<char*> places;
  for (int i = 0; i < 1000; ++i) {
    stacks.push_back(pool.take());
    places.insert(stacks.back().bottom);
  }
  std::vector<std::thread> others;
  for (std::size_t i = 0; i < 4; ++i) {
    others.emplace_back([&pool, &stacks, i] {
      for (std::size_t k = i; k < stacks.size(); k += 4) pool.give_back_from_anywhere(stacks[k]);
    });
  }
  for (std::thread& other : others) other.join();
  int left = 0;
  pool.for_each_in_use([&](const Stack&) { ++left; });
  EXPECT_EQ(left, 0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(places.contains(pool.take().bottom));
}

TEST(StackPool, takes_while_others_give_back) {
  StackPool pool(kStackBytes);
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Stack> taken;
  bool done = false;
  std::thread other([&] {
    std::unique_lock lock(mutex);
    while (!done || !taken.empty()) {
      changed.wait(lock, [&] { return done || !taken.empty(); });
      std::deque<Stack> mine;
      mine.swap(taken);
      lock.unlock();
      for (const Stack& stack : mine) pool.give_back_from_anywhere(stack);
      lock.lock();
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    const Stack stack = pool.take();
    *(stack.top() - 1) = 1;
    const std::lock_guard lock(mutex);
    taken.push_back(stack);
    changed.notify_one();
  }
  {
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  }
  other.join();
  int left = 0;
  pool.for_each_in_use([&](const Stack&) { ++left; });
  EXPECT_EQ(left, 0);
  EXPECT_EQ(pool.in_use(), 0U);
}

// What the many stacks of one pool hold, each used by `use`, then all given back.
template <class Use>
std::size_t pages_held_after(StackPool& pool, std::size_t count, Use use) {
  std::vector<Stack> stacks;
  for (std::size_t i = 0; i < count; ++i) {
    stacks.push_back(pool.take());
    use(stacks.back());
  }
  for (const Stack& stack : stacks) pool.give_back(stack);
  std::size_t held = 0;
  for (const Stack& stack : stacks) held += resident_pages(stack);
  return held;
}

TEST(StackPool, warm_stacks_that_were_used_deep_are_trimmed) {
  StackPool pool(kStackBytes);
  const std::size_t page = page_bytes();
  constexpr std::size_t kStacks = 100;
  const std::size_t held = pages_held_after(
      pool, kStacks, [](const Stack& stack) { std::memset(stack.bottom, 1, stack.size); });
  const std::size_t whole = (2 << 20) / page;  // those taken next are left alone
  EXPECT_LE(held, kStacks * (StackPool::kKeptBytes / page) + whole);
  EXPECT_GE(held, kStacks * (StackPool::kKeptBytes / page));
}

TEST(StackPool, few_stacks_that_are_taken_again_at_once_keep_what_they_used) {
  StackPool pool(kStackBytes);
  const std::size_t held = pages_held_after(
      pool, 5, [](const Stack& stack) { std::memset(stack.bottom, 1, stack.size); });
  EXPECT_GE(held, 5 * (kStackBytes / page_bytes() - 1));
}

TEST(StackPool, shallow_stacks_keep_their_memory) {
  StackPool pool(kStackBytes);
  const std::size_t page = page_bytes();
  const std::size_t held = pages_held_after(
      pool, 100, [page](const Stack& stack) { std::memset(stack.top() - 2 * page, 1, 2 * page); });
  EXPECT_GE(held, 200U);
}

// A frame may leave the one place that is looked at as it was, as a large buffer of which little
// is used does.
TEST(StackPool, memory_below_a_large_buffer_is_given_back_in_the_end) {
  StackPool pool(kStackBytes);
  std::vector<Stack> others;
  for (int i = 0; i < 100; ++i) others.push_back(pool.take());
  const Stack deep = pool.take();
  std::memset(deep.bottom, 1, 4096);
  for (const Stack& other : others) pool.give_back(other);
  for (int i = 0; i < 5000; ++i) {
    pool.give_back(deep);
    if (resident_pages({deep.bottom, page_bytes()}) == 0) return;
    EXPECT_EQ(pool.take().bottom, deep.bottom);
  }
  FAIL() << "still there";
}

TEST(StackPools, give_stacks_of_at_least_the_size_asked_for) {
  StackPools pools(kStackBytes);
  std::vector<Stack> stacks;
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{16} << 10, std::size_t{17} << 10,
                                  std::size_t{64} << 10, std::size_t{100'000}, std::size_t{1} << 20,
                                  (std::size_t{8} << 20) + 1, std::size_t{256} << 20}) {
    stacks.push_back(pools.take(bytes));
    const Stack& stack = stacks.back();
    EXPECT_GE(stack.size + 4096 + 64, bytes);
    *stack.bottom = 1;
    *(stack.top() - 1) = 1;
  }
  EXPECT_EQ(pools.in_use(), stacks.size());
  std::size_t seen = 0;
  pools.for_each_in_use([&](const Stack&) { ++seen; });
  EXPECT_EQ(seen, stacks.size());
  for (const Stack& stack : stacks) pools.give_back(stack);
  EXPECT_EQ(pools.in_use(), 0U);
}

TEST(StackPools, bring_a_size_out_of_bounds_within_them) {
  StackPools pools(kStackBytes);
  EXPECT_GT(pools.take(0).size, 8000U);
  const std::size_t instrumented = sanitizer::kEnabled ? 4 : 1;
  EXPECT_LE(pools.take(SIZE_MAX).size, StackPools::kLargestBytes * instrumented);
}

TEST(StackPools, send_the_stacks_of_others_home) {
  StackPools ours(kStackBytes);
  StackPools theirs(kStackBytes);
  const Stack stack = theirs.take();
  ours.give_back(stack);
  EXPECT_EQ(ours.in_use(), 0U);
  EXPECT_EQ(theirs.in_use(), 1U) << "touched from another thread";
  EXPECT_EQ(theirs.take().bottom, stack.bottom);
}

TEST(StackPool, guard_is_the_page_below_the_bottom) {
  StackPool pool(kStackBytes);
  const Stack stack = pool.take();
  EXPECT_FALSE(is_in_guard(stack, stack.bottom));
  EXPECT_TRUE(is_in_guard(stack, stack.bottom - 1));
  EXPECT_TRUE(is_in_guard(stack, stack.bottom - page_bytes()));
  EXPECT_FALSE(is_in_guard(stack, stack.bottom - page_bytes() - 1));
  EXPECT_FALSE(is_in_guard(stack, stack.top()));
  EXPECT_FALSE(is_in_guard(stack, nullptr));
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
