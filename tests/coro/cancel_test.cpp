// Coroutines that are cancelled, and those that run together.
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "on_every_runtime.hpp"
#include "some_tasks.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

class CoroCancelOn : public OnEveryRuntime {};
INSTANTIATE_TEST_SUITE_P(EveryRuntime, CoroCancelOn, every_runtime(), runtime_name);

TEST_P(CoroCancelOn, cancelling_ends_what_it_waits_in_and_all_later_waits) {
  run_here([] {
    int ended = 0;
    auto handle = coro::spawn([](int& count) -> Task<> {
      for (int i = 0; i < 3; ++i) {
        try {
          co_await coro::sleep(hours(10));
        } catch (const Cancelled& cause) {
          EXPECT_FALSE(cause.timed_out());
          ++count;
        }
      }
      EXPECT_TRUE(cancelled());
    }(ended));
    yield();
    handle.cancel();
    handle.join();
    EXPECT_EQ(ended, 3);
  });
}

TEST_P(CoroCancelOn, cancelling_who_waits_cancels_it_and_waits_for_its_end) {
  run_here([] {
    bool was_cancelled = false;
    const auto result =
        with_timeout(milliseconds(1), [&] { coro::wait(wait_for_ever(&was_cancelled)); });
    EXPECT_EQ(result.error().code, ErrorCode::timed_out);
    EXPECT_TRUE(was_cancelled);
  });
}

TEST_P(CoroCancelOn, a_timeout_ends_it_and_nothing_around_it) {
  run_here([] {
    const auto outer = []() -> Task<int> {
      auto late = co_await coro::with_timeout(milliseconds(1), wait_for_ever());
      EXPECT_EQ(late.error().code, ErrorCode::timed_out);
      EXPECT_FALSE(cancelled());
      co_await coro::sleep(microseconds(10));
      auto early = co_await coro::with_timeout(hours(1), number_later(5));
      co_return early.value();
    };
    EXPECT_EQ(coro::wait(outer()), 5);
  });
}

TEST_P(CoroCancelOn, two_timeouts_in_one_expression_do_not_meet) {
  run_here([] {
    const auto outer = []() -> Task<int> {
      co_return (co_await coro::with_timeout(hours(1), number_later(1))).value() +
          (co_await coro::with_timeout(hours(1), number_later(2))).value() +
          co_await number_later(3);
    };
    EXPECT_EQ(coro::wait(outer()), 6);
  });
}

TEST_P(CoroCancelOn, an_outer_timeout_passes_through_an_inner_one) {
  run_here([] {
    const auto inner = []() -> Task<> {
      static_cast<void>(co_await coro::with_timeout(hours(1), wait_for_ever()));
      ADD_FAILURE() << "the outer timeout was taken for the inner one";
    };
    const auto outer = [&]() -> Task<Result<void>> {
      co_return co_await coro::with_timeout(milliseconds(1), inner());
    };
    EXPECT_EQ(coro::wait(outer()).error().code, ErrorCode::timed_out);
  });
}

TEST_P(CoroCancelOn, a_token_ends_it_and_a_shield_keeps_it) {
  run_here([] {
    CancelSource source;
    bool went_on = false;
    const auto keeps = [&]() -> Task<> {
      co_await coro::sleep(milliseconds(1));
      went_on = true;
    };
    const auto body = [&]() -> Task<> {
      source.cancel();
      co_await coro::shielded(keeps());
      EXPECT_TRUE(cancelled());
      co_await coro::yield();
      co_await wait_for_ever();
    };
    const auto outer = [&]() -> Task<Result<void>> {
      co_return co_await coro::with_cancel(source.token(), body());
    };
    EXPECT_EQ(coro::wait(outer()).error().code, ErrorCode::cancelled);
    EXPECT_TRUE(went_on);
  });
}

TEST_P(CoroCancelOn, is_cancelled_from_another_thread) {
  run_here([] {
    CancelSource source;
    const auto outer = [&]() -> Task<Result<void>> {
      co_return co_await coro::with_cancel(source.token(), wait_for_ever());
    };
    std::thread other([&] { source.cancel(); });
    EXPECT_EQ(coro::wait(outer()).error().code, ErrorCode::cancelled);
    other.join();
  });
}

// ---- Several at once

TEST_P(CoroCancelOn, all_gives_every_result) {
  run_here([] {
    const auto outer = []() -> Task<> {
      const auto [one, none, two] = co_await coro::all(number_later(1), nothing(), number(2));
      EXPECT_EQ(one, 1);
      EXPECT_EQ(none, std::monostate());
      EXPECT_EQ(two, 2);
      std::vector<Task<int>> many;
      for (int i = 0; i < 100; ++i) many.push_back(number_later(i));
      const std::vector<int> numbers = co_await coro::all(std::move(many));
      EXPECT_EQ(numbers.size(), 100U);
      for (int i = 0; i < 100; ++i) EXPECT_EQ(numbers[static_cast<std::size_t>(i)], i);
      co_await coro::all(std::vector<Task<>>());
      EXPECT_EQ(co_await coro::all(), std::tuple<>());
    };
    coro::wait(outer());
  });
}

TEST_P(CoroCancelOn, first_error_cancels_the_rest_and_is_thrown_when_all_have_ended) {
  run_here([] {
    bool first = false;
    bool second = false;
    const auto outer = [&]() -> Task<> {
      co_await coro::all(wait_for_ever(&first), fail("one of three"), wait_for_ever(&second));
    };
    EXPECT_EQ(text_of<std::runtime_error>([&] { coro::wait(outer()); }), "one of three");
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
    EXPECT_FALSE(cancelled());
  });
}

TEST_P(CoroCancelOn, cancelling_whoever_awaits_all_cancels_all) {
  run_here([] {
    bool first = false;
    bool second = false;
    const auto both = [&]() -> Task<> {
      co_await coro::all(wait_for_ever(&first), wait_for_ever(&second));
    };
    const auto outer = [&]() -> Task<Result<void>> {
      co_return co_await coro::with_timeout(milliseconds(1), both());
    };
    EXPECT_EQ(coro::wait(outer()).error().code, ErrorCode::timed_out);
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
  });
}

}  // namespace
}  // namespace weft
