// Scopes in scopes: deep, wide, and cancelled from everywhere.
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <vector>

#include "every_kernel.hpp"
#include "gvt/sanitizer.hpp"
#include "weft/channel.hpp"
#include "weft/scope.hpp"

namespace weft::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

using NestedScopes = OnEveryKernel;
INSTANTIATE_TEST_SUITE_P(EveryKernel, NestedScopes, testing::ValuesIn(every_kernel()), kernel_name);

const int kDepth = gvt::sanitizer::kEnabled ? 20 : 60;

struct Counts {
  int begun = 0;
  int ended = 0;
};

// Each level waits in its own scope for the next one, on the same stack.
template <class Bottom>
void recurse(int depth, Counts& counts, const Bottom& bottom) {
  scope([&](Scope& children) {
    ++counts.begun;
    children.spawn([&] {
      try {
        sleep(hours(1));
      } catch (...) {
        ++counts.ended;
        throw;
      }
    });
    yield();
    depth == 0 ? bottom() : recurse(depth - 1, counts, bottom);
    children.cancel();
  });
}

TEST_P(NestedScopes, scopes_on_one_stack_end_from_the_innermost_outwards) {
  Counts counts;
  run_here([&](Ground&) { recurse(kDepth, counts, [] { sleep(milliseconds(1)); }); });
  EXPECT_EQ(counts.begun, kDepth + 1);
  EXPECT_LE(counts.ended, counts.begun);
}

TEST_P(NestedScopes, error_at_the_bottom_comes_out_at_the_top) {
  Counts counts;
  const auto fails = [] { throw std::runtime_error("at the bottom"); };
  run_here([&](Ground&) { EXPECT_THROW(recurse(kDepth, counts, fails), std::runtime_error); });
  EXPECT_EQ(counts.begun, kDepth + 1);
}

TEST_P(NestedScopes, cancelling_at_the_top_reaches_the_bottom) {
  Counts counts;
  bool bottom_cancelled = false;
  run_here([&](Ground&) {
    auto all = spawn([&] {
      recurse(kDepth, counts, [&] {
        try {
          sleep(hours(1));
        } catch (const Cancelled&) {
          bottom_cancelled = true;
          throw;
        }
      });
    });
    while (counts.begun <= kDepth) yield();
    all.cancel();
    EXPECT_THROW(all.join(), Cancelled);
  });
  EXPECT_TRUE(bottom_cancelled);
}

TEST_P(NestedScopes, deadline_at_the_top_reaches_the_bottom) {
  Counts counts;
  run_here([&](Ground&) {
    const auto result = with_timeout(milliseconds(2),
                                     [&] { recurse(kDepth / 4, counts, [] { sleep(hours(1)); }); });
    EXPECT_EQ(result.error().code, ErrorCode::timed_out);
  });
}

// Each child is the scope of the next one.
void descend(int depth, int& ended, Channel<int>& at_the_bottom) {
  scope([&, depth](Scope& children) {
    children.spawn([&, depth] {
      if (depth > 0) return descend(depth - 1, ended, at_the_bottom);
      at_the_bottom.send(0);
      sleep(hours(1));
    });
  });
  ++ended;
}

TEST_P(NestedScopes, children_of_children_all_end_before_the_first_scope) {
  int ended = 0;
  run_here([&](Ground&) {
    Channel<int> at_the_bottom;
    auto all = spawn([&] { descend(4 * kDepth, ended, at_the_bottom); });
    at_the_bottom.receive();
    all.cancel();
    EXPECT_THROW(all.join(), Cancelled);
    EXPECT_EQ(ended, 0);
  });
}

TEST_P(NestedScopes, inner_scope_that_cancels_itself_leaves_the_outer_one_alone) {
  run_here([](Ground&) {
    bool other_ended_by_itself = false;
    scope([&](Scope& outer) {
      outer.spawn([&] {
        sleep(milliseconds(3));
        other_ended_by_itself = true;
      });
      outer.spawn([] {
        scope([](Scope& inner) {
          inner.spawn([] { sleep(hours(1)); });
          inner.cancel();
        });
      });
    });
    EXPECT_TRUE(other_ended_by_itself);
  });
}

TEST_P(NestedScopes, errors_of_many_children_at_once_are_one_error) {
  run_here([](Ground&) {
    int caught = 0;
    for (int round = 0; round < 5; ++round) {
      try {
        scope([](Scope& children) {
          for (int i = 0; i < 20; ++i) children.spawn([i] { throw i; });
        });
      } catch (int) {
        ++caught;
      }
    }
    EXPECT_EQ(caught, 5);
  });
}

}  // namespace
}  // namespace weft::test
