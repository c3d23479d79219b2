// What a coroutine costs: memory for its frame, which its worker keeps for the next, and for the
// handle of a spawned one.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <utility>

#include "counted_new.hpp"
#include "gvt/sanitizer.hpp"
#include "on_every_runtime.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

class AllocationOn : public OnEveryRuntime {};
INSTANTIATE_TEST_SUITE_P(EveryRuntime, AllocationOn, every_runtime(), runtime_name);

Task<int> wait_a_moment() {
  co_await coro::sleep(microseconds(1));
  co_await coro::yield();
  co_return 1;
}

Task<int> wait_three_times() {
  int sum = 0;
  for (int i = 0; i < 3; ++i) sum += co_await wait_a_moment();
  co_return sum;
}

// Sanitizers are shown every frame.
constexpr bool kKeepsFrames = !gvt::sanitizer::kEnabled;

TEST_P(AllocationOn, tasks_that_are_awaited_cost_nothing_when_there_were_some_before) {
  run_here([] {
    // What the worker itself needs for its first park is there after this.
    EXPECT_EQ(coro::wait(wait_three_times()), 3);
    const std::size_t before = allocations_here();
    EXPECT_EQ(coro::wait(wait_three_times()), 3);
    EXPECT_EQ(allocations_here() - before, kKeepsFrames ? 0U : 4U);
  });
}

TEST_P(AllocationOn, a_spawned_one_costs_two_and_less_than_a_kilobyte) {
  run_here([] {
    const auto sleeper = []() -> Task<> { co_await coro::sleep(hours(1)); };
    const std::size_t allocations = allocations_here();
    const std::size_t bytes = bytes_here();
    auto handle = coro::spawn(sleeper());
    EXPECT_EQ(allocations_here() - allocations, 2U);
    const std::size_t used = bytes_here() - bytes;
    EXPECT_LT(used, 1024U);
    yield();
    EXPECT_EQ(allocations_here() - allocations, 2U);
    RecordProperty("bytes", static_cast<int>(used));
    handle.cancel();
    EXPECT_THROW(handle.join(), Cancelled);
  });
}

TEST_P(AllocationOn, what_is_awaited_costs_none) {
  run_here([] {
    auto pair = UnixStream::pair().value();
    const Channel<int> channel(1);
    const auto body = [&]() -> Task<> {
      char byte = 'x';
      EXPECT_TRUE((co_await coro::write(pair.first, {&byte, 1})).ok());
      EXPECT_TRUE((co_await coro::read(pair.second, {&byte, 1})).ok());
      EXPECT_TRUE(channel.try_send(1));
      EXPECT_TRUE((co_await coro::receive(channel)).has_value());
      co_await coro::sleep(microseconds(1));
    };
    // The back end and the channel get what they keep.
    for (int i = 0; i < 16; ++i) coro::wait(body());
    const std::size_t before = allocations_here();
    coro::wait(body());
    EXPECT_EQ(allocations_here() - before, kKeepsFrames ? 0U : 1U);
  });
}

}  // namespace
}  // namespace weft
