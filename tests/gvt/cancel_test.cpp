// Tokens, deadlines and shields, as code that parks sees them.
#include "weft/cancel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "on_every_backend.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class CancelOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, CancelOn, every_backend(), backend_name);

TEST_P(CancelOn, timeout_ends_what_is_parked_inside_and_says_that_it_did) {
  run_here([] {
    const auto due = steady_clock::now() + milliseconds(3);
    bool went_on = false;
    const auto ended = with_timeout(milliseconds(3), [&] {
      sleep(hours(1));
      went_on = true;
    });
    EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
    EXPECT_FALSE(went_on);
    EXPECT_GE(steady_clock::now(), due);
    EXPECT_FALSE(cancelled());
  });
}

TEST_P(CancelOn, function_that_is_quick_enough_gives_its_value) {
  run_here([] {
    EXPECT_EQ(with_timeout(hours(1), [] { return 7; }).value(), 7);
    const auto text = with_timeout(hours(1), [] { return std::make_unique<std::string>("text"); });
    EXPECT_TRUE(text);
    const auto own =
        with_timeout(hours(1), []() -> Result<int> { return Error{ErrorCode::reset, 0}; });
    EXPECT_EQ(own.error().code, ErrorCode::reset);
    EXPECT_TRUE(with_timeout(std::chrono::nanoseconds::max(), [] { yield(); }));
    EXPECT_THROW((void)with_timeout(hours(1), [] { throw std::runtime_error("own"); }),
                 std::runtime_error);
  });
}

TEST_P(CancelOn, the_shorter_of_two_nested_timeouts_counts) {
  run_here([] {
    bool outer_went_on = false;
    const auto outer = with_timeout(hours(1), [&] {
      const auto inner = with_timeout(milliseconds(2), [] { sleep(hours(1)); });
      EXPECT_EQ(inner.error().code, ErrorCode::timed_out);
      sleep(milliseconds(1));
      outer_went_on = true;
    });
    EXPECT_TRUE(outer);
    EXPECT_TRUE(outer_went_on);
    const auto short_outer = with_timeout(milliseconds(2), [] {
      (void)with_timeout(hours(1), [] { sleep(hours(1)); });
      sleep(hours(1));
    });
    EXPECT_EQ(short_outer.error().code, ErrorCode::timed_out);
  });
}

TEST_P(CancelOn, cancelled_is_for_good_every_later_park_ends_too) {
  run_here([] {
    CancelSource source;
    int parks_that_ended = 0;
    const auto ended = with_cancel(source.token(), [&] {
      source.cancel();
      source.cancel();
      EXPECT_TRUE(cancelled());
      for (int i = 0; i < 3; ++i) {
        try {
          sleep(hours(1));
        } catch (const Cancelled& cause) {
          EXPECT_FALSE(cause.timed_out());
          ++parks_that_ended;
        }
      }
      check_cancelled();
    });
    EXPECT_EQ(ended.error().code, ErrorCode::cancelled);
    EXPECT_EQ(parks_that_ended, 3);
    sleep(milliseconds(1));
  });
}

TEST_P(CancelOn, cancelled_is_no_exception_that_a_handler_of_errors_takes) {
  run_here([] {
    CancelSource source;
    source.cancel();
    const auto ended = with_cancel(source.token(), [] {
      try {
        sleep(hours(1));
      } catch (const std::exception&) {
        ADD_FAILURE() << "taken for an error";
      }
    });
    EXPECT_FALSE(ended);
  });
}

TEST_P(CancelOn, what_was_made_on_the_way_is_unwound) {
  run_here([] {
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watcher = owned;
    EXPECT_FALSE(with_timeout(milliseconds(1), [owned = std::move(owned)]() mutable {
      const auto held = std::move(owned);
      sleep(hours(1));
    }));
    EXPECT_TRUE(watcher.expired());
  });
}

TEST_P(CancelOn, source_below_a_token_is_cancelled_with_it_and_not_the_other_way_round) {
  run_here([] {
    CancelSource parent;
    CancelSource child(parent.token());
    CancelSource other(parent.token());
    CancelSource grandchild(child.token());
    other.cancel();
    EXPECT_FALSE(parent.cancelled());
    EXPECT_FALSE(child.cancelled());
    parent.cancel();
    EXPECT_TRUE(child.cancelled());
    EXPECT_TRUE(grandchild.cancelled());
    EXPECT_TRUE(CancelSource(parent.token()).cancelled()) << "made after the fact";
    EXPECT_FALSE(CancelSource(CancelToken()).cancelled());
  });
}

TEST_P(CancelOn, source_may_go_before_its_token_and_parent_before_child) {
  run_here([] {
    auto parent = std::make_unique<CancelSource>();
    auto child = std::make_unique<CancelSource>(parent->token());
    const CancelToken token = child->token();
    child.reset();
    parent->cancel();
    parent.reset();
    EXPECT_TRUE(token.cancelled());
    const CancelToken orphan = CancelSource().token();
    EXPECT_TRUE(with_cancel(orphan, [] { sleep(microseconds(1)); }));
  });
}

TEST_P(CancelOn, one_token_ends_the_waits_of_all_who_run_under_it) {
  int ended = 0;
  run_here([&] {
    CancelSource source;
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < 20; ++i) {
      all.push_back(spawn([&] {
        if (!with_cancel(source.token(), [] { sleep(hours(1)); })) ++ended;
      }));
    }
    yield();
    source.cancel();
    for (auto& one : all) one.join();
  });
  EXPECT_EQ(ended, 20);
}

TEST_P(CancelOn, cancel_of_a_handle_and_of_a_token_both_reach_in) {
  run_here([] {
    CancelSource source;
    auto by_token = spawn([&] { return with_cancel(source.token(), [] { sleep(hours(1)); }); });
    auto by_handle = spawn([&] { return with_cancel(source.token(), [] { sleep(hours(1)); }); });
    yield();
    by_handle.cancel();
    EXPECT_THROW((void)by_handle.join(), Cancelled) << "all of it was meant";
    source.cancel();
    EXPECT_EQ(by_token.join().error().code, ErrorCode::cancelled);
  });
}

TEST_P(CancelOn, a_deadline_further_out_is_not_taken_for_that_of_the_block) {
  run_here([] {
    int tries = 0;
    const auto outer = with_timeout(milliseconds(5), [&] {
      while (!with_timeout(hours(1), [] { sleep(hours(1)); })) ++tries;
    });
    EXPECT_EQ(outer.error().code, ErrorCode::timed_out);
    EXPECT_EQ(tries, 0);
  });
}

TEST_P(CancelOn, shielded_code_parks_as_if_nothing_had_happened) {
  run_here([] {
    CancelSource source;
    source.cancel();
    bool put_in_order = false;
    const auto ended = with_cancel(source.token(), [&] {
      EXPECT_EQ(shielded([&] {
                  EXPECT_FALSE(cancelled());
                  sleep(microseconds(10));
                  put_in_order = true;
                  // A deadline of its own still holds inside.
                  const auto inner = with_timeout(milliseconds(1), [] { sleep(hours(1)); });
                  EXPECT_EQ(inner.error().code, ErrorCode::timed_out);
                  return 3;
                }),
                3);
      EXPECT_TRUE(cancelled());
      check_cancelled();
    });
    EXPECT_FALSE(ended);
    EXPECT_TRUE(put_in_order);
  });
}

TEST_P(CancelOn, parked_in_a_destructor_while_cancelled_unwinds_is_possible_when_shielded) {
  struct Closes {
    bool& closed;
    ~Closes() {
      shielded([] { sleep(microseconds(10)); });
      closed = true;
    }
  };
  run_here([] {
    bool closed = false;
    EXPECT_FALSE(with_timeout(milliseconds(1), [&] {
      const Closes closes{closed};
      sleep(hours(1));
    }));
    EXPECT_TRUE(closed);
  });
}

TEST_P(CancelOn, cancellation_of_someone_joined_is_not_the_timeouts_own) {
  run_here([] {
    auto task = spawn([] { sleep(hours(1)); });
    task.cancel();
    EXPECT_THROW((void)with_timeout(hours(1), [&] { task.join(); }), Cancelled);
  });
}

TEST_P(CancelOn, timer_of_a_timeout_that_was_not_needed_does_not_fire_later) {
  run_here([] {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(with_timeout(microseconds(300), [] {}));
    sleep(milliseconds(2));
    EXPECT_FALSE(cancelled());
  });
}

// Loops that never park ask themselves whether their time is over.
TEST_P(CancelOn, deadline_is_seen_by_code_that_computes_without_parking) {
  run_here([] {
    const auto ended = with_timeout(milliseconds(2), [] {
      for (;;) check_cancelled();
    });
    EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
  });
  const auto outside = with_timeout(milliseconds(2), [] {
    while (!cancelled()) {
    }
    check_cancelled();
  });
  EXPECT_EQ(outside.error().code, ErrorCode::timed_out);
}

TEST(CancelOutside, timeout_ends_a_block_of_an_os_thread) {
  const auto ended = with_timeout(milliseconds(2), [] { sleep(hours(1)); });
  EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
  const auto nested =
      with_timeout(milliseconds(2), [] { return with_timeout(hours(1), [] { sleep(hours(1)); }); });
  EXPECT_EQ(nested.error().code, ErrorCode::timed_out);
  EXPECT_FALSE(cancelled());
}

TEST(CancelOutside, token_cancelled_on_one_thread_ends_the_block_of_another) {
  CancelSource source;
  std::atomic<bool> there{false};
  std::jthread other([&] {
    const auto ended = with_cancel(source.token(), [&] {
      there = true;
      sleep(hours(1));
    });
    EXPECT_EQ(ended.error().code, ErrorCode::cancelled);
  });
  while (!there) std::this_thread::yield();
  source.cancel();
}

// Cancels, wakes and timeouts of one wait from different threads, and what they refer to goes at
// once.
TEST(CancelStress, cancel_from_another_thread_races_with_the_end_of_the_wait) {
  const int kRounds = gvt::sanitizer::kEnabled ? 200 : 1000;
  std::atomic<CancelSource*> current{nullptr};
  std::atomic<bool> over{false};
  Semaphore waited(0);
  std::jthread canceller([&] {
    while (!over) {
      CancelSource* const source = current.exchange(nullptr);
      if (source == nullptr) {
        std::this_thread::yield();
        continue;
      }
      CancelSource kept = *source;
      waited.release();
      kept.cancel();
    }
  });
  run([&] {
    for (int i = 0; i < kRounds; ++i) {
      CancelSource source;
      current = &source;
      const auto ended = with_cancel(source.token(), [&] {
        if (i % 3 == 0) sleep(hours(1));
        if (i % 3 == 1) (void)with_timeout(microseconds(i % 30), [] { sleep(hours(1)); });
      });
      if (i % 3 == 0) {
        EXPECT_FALSE(ended);
      }
      // The canceller has let go of the source.
      waited.acquire();
    }
    over = true;
  });
}

}  // namespace
}  // namespace weft
