// scope(): children never outlive it, and the first error ends the rest.
#include "weft/scope.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "on_every_backend.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

class ScopeOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, ScopeOn, every_backend(), backend_name);

TEST_P(ScopeOn, ends_when_the_body_and_all_children_have_ended) {
  run_here([] {
    std::string order;
    const int value = scope([&](Scope& inside) {
      inside.spawn([&] {
        sleep(milliseconds(1));
        order += "slow ";
      });
      inside.spawn([&] { order += "quick "; });
      order += "body ";
      return 6;
    });
    EXPECT_EQ(value, 6);
    EXPECT_EQ(order, "body quick slow ");
  });
}

TEST_P(ScopeOn, children_may_spawn_in_it_after_the_body_has_ended) {
  run_here([] {
    int ran = 0;
    scope([&](Scope& inside) {
      inside.spawn([&] {
        sleep(microseconds(100));
        inside.spawn([&] {
          yield();
          inside.spawn([&] { ++ran; });
          ++ran;
        });
        ++ran;
      });
    });
    EXPECT_EQ(ran, 3);
  });
}

TEST_P(ScopeOn, first_exception_of_a_child_cancels_the_rest_and_is_thrown) {
  run_here([] {
    int cancelled_ones = 0;
    bool body_cancelled = false;
    const auto waits = [](int& count) {
      try {
        sleep(hours(1));
      } catch (const Cancelled&) {
        ++count;
        throw;
      }
    };
    try {
      scope([&](Scope& inside) {
        for (int i = 0; i < 3; ++i) inside.spawn([&] { waits(cancelled_ones); });
        inside.spawn([] {
          yield();
          throw std::runtime_error("first");
        });
        inside.spawn([] {
          try {
            sleep(hours(1));
          } catch (const Cancelled&) {
            throw std::runtime_error("second");
          }
        });
        try {
          sleep(hours(1));
        } catch (const Cancelled&) {
          body_cancelled = true;
          throw;
        }
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "first");
    }
    EXPECT_EQ(cancelled_ones, 3);
    EXPECT_TRUE(body_cancelled);
    EXPECT_FALSE(cancelled());
  });
}

TEST_P(ScopeOn, exception_of_the_body_cancels_the_children_and_waits_for_them) {
  run_here([] {
    bool child_ended = false;
    EXPECT_THROW(scope([&](Scope& inside) {
                   inside.spawn([&] {
                     try {
                       sleep(hours(1));
                     } catch (const Cancelled&) {
                       shielded([] { sleep(milliseconds(1)); });
                       child_ended = true;
                     }
                   });
                   yield();
                   throw std::logic_error("body");
                 }),
                 std::logic_error);
    EXPECT_TRUE(child_ended);
  });
}

TEST_P(ScopeOn, child_that_begins_after_the_scope_was_cancelled_begins_cancelled) {
  run_here([] {
    bool saw_it = false;
    scope([&](Scope& inside) {
      inside.cancel();
      inside.spawn([&] { saw_it = cancelled(); });
    });
    EXPECT_TRUE(saw_it);
  });
}

TEST_P(ScopeOn, cancelled_from_inside_it_ends_as_if_by_itself) {
  run_here([] {
    bool went_on = false;
    scope([&](Scope& inside) {
      inside.spawn([&] {
        sleep(hours(1));
        went_on = true;
      });
      inside.spawn([&] { inside.cancel(); });
    });
    EXPECT_FALSE(went_on);
    EXPECT_FALSE(cancelled());
    EXPECT_THROW(scope([](Scope& inside) -> int {
                   inside.cancel();
                   sleep(hours(1));
                   return 1;
                 }),
                 Cancelled)
        << "there is no value to give";
  });
}

TEST_P(ScopeOn, cancelling_who_called_it_cancels_all_in_it) {
  run_here([] {
    int ended = 0;
    const auto result = with_timeout(milliseconds(2), [&] {
      scope([&](Scope& inside) {
        for (int i = 0; i < 3; ++i) {
          inside.spawn([&] {
            try {
              sleep(hours(1));
            } catch (const Cancelled& cause) {
              EXPECT_TRUE(cause.timed_out());
              ++ended;
              throw;
            }
          });
        }
      });
      ADD_FAILURE() << "went on as if the children had done their work";
    });
    EXPECT_EQ(result.error().code, ErrorCode::timed_out);
    EXPECT_EQ(ended, 3);
  });
}

TEST_P(ScopeOn, cancelled_scope_still_waits_for_children_that_take_their_time) {
  run_here([] {
    auto alive = std::make_shared<int>(0);
    EXPECT_FALSE(with_timeout(milliseconds(1), [&] {
      scope([&](Scope& inside) {
        inside.spawn([alive] { shielded([] { sleep(milliseconds(5)); }); });
      });
    }));
    EXPECT_EQ(alive.use_count(), 1);
  });
}

TEST_P(ScopeOn, inner_scope_may_fail_without_the_outer_one) {
  run_here([] {
    bool sibling_ended = false;
    scope([&](Scope& outer) {
      outer.spawn([&] {
        sleep(milliseconds(1));
        sibling_ended = true;
      });
      EXPECT_THROW(scope([](Scope& inner) {
                     inner.spawn([] { throw std::runtime_error("inner"); });
                     inner.spawn([] { sleep(hours(1)); });
                   }),
                   std::runtime_error);
      EXPECT_FALSE(cancelled());
    });
    EXPECT_TRUE(sibling_ended);
  });
}

TEST_P(ScopeOn, handle_of_a_child_gives_its_value) {
  run_here([] {
    const int sum = scope([](Scope& inside) {
      auto left = inside.spawn([] { return 2; });
      auto right = inside.spawn({.name = "right"}, [] {
        sleep(microseconds(10));
        return 3;
      });
      return left.join() + right.join();
    });
    EXPECT_EQ(sum, 5);
  });
}

TEST_P(ScopeOn, child_that_is_cancelled_by_its_handle_ends_alone) {
  run_here([] {
    bool other_ended = false;
    scope([&](Scope& inside) {
      auto one = inside.spawn([] { sleep(hours(1)); });
      inside.spawn([&] {
        sleep(milliseconds(1));
        other_ended = true;
      });
      yield();
      one.cancel();
    });
    EXPECT_TRUE(other_ended);
  });
}

// Nobody has cancelled the body: what it leaves undone must not pass for done.
TEST_P(ScopeOn, body_that_leaves_because_someone_it_joined_was_cancelled_says_so) {
  run_here([] {
    bool other_cancelled = false;
    EXPECT_THROW(scope([&](Scope& inside) {
                   auto one = inside.spawn([] { sleep(hours(1)); });
                   inside.spawn([&] {
                     try {
                       sleep(hours(1));
                     } catch (const Cancelled&) {
                       other_cancelled = true;
                     }
                   });
                   yield();
                   one.cancel();
                   one.join();
                 }),
                 Cancelled);
    EXPECT_TRUE(other_cancelled);
  });
}

TEST_P(ScopeOn, child_that_leaves_because_someone_it_joined_was_cancelled_fails_the_scope) {
  run_here([] {
    EXPECT_THROW(scope([](Scope& inside) {
                   inside.spawn([] {
                     auto outsider = spawn([] { sleep(hours(1)); });
                     outsider.cancel();
                     outsider.join();
                   });
                   inside.spawn([] { sleep(hours(1)); });
                 }),
                 Cancelled);
  });
}

TEST_P(ScopeOn, what_a_child_holds_is_gone_when_the_scope_has_ended) {
  run_here([] {
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watcher = owned;
    JoinHandle<void> handle;
    scope([&](Scope& inside) { handle = inside.spawn([owned = std::move(owned)] { yield(); }); });
    EXPECT_TRUE(watcher.expired());
    EXPECT_TRUE(handle.joinable()) << "the handle may outlive the scope";
    handle.join();
  });
}

TEST_P(ScopeOn, handle_cancelled_after_the_scope_has_ended_does_nothing) {
  run_here([] {
    JoinHandle<int> handle;
    scope([&](Scope& inside) { handle = inside.spawn([] { return 1; }); });
    handle.cancel();
    EXPECT_EQ(handle.join(), 1);
  });
}

TEST_P(ScopeOn, many_children_are_all_waited_for_level_upon_level) {
  int ran = 0;
  run_here([&] {
    scope([&](Scope& outer) {
      for (int i = 0; i < 10; ++i) {
        outer.spawn([&, i] {
          scope([&](Scope& inner) {
            for (int j = 0; j < 10; ++j) {
              inner.spawn([&, i, j] {
                sleep(microseconds((i * 7 + j * 13) % 50));
                ++ran;
              });
            }
          });
        });
      }
    });
    EXPECT_EQ(ran, 100);
  });
}

TEST_P(ScopeOn, lock_that_a_cancelled_child_waited_for_is_not_lost) {
  run_here([] {
    Mutex mutex;
    EXPECT_THROW(scope([&](Scope& inside) {
                   const std::lock_guard lock(mutex);
                   for (int i = 0; i < 3; ++i) {
                     inside.spawn([&] { const std::lock_guard mine(mutex); });
                   }
                   yield();
                   throw std::runtime_error("failed");
                 }),
                 std::runtime_error);
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST(ScopeOutside, without_children_works_on_any_thread) {
  EXPECT_EQ(scope([](Scope&) { return 4; }), 4);
  EXPECT_THROW(scope([](Scope&) { throw std::runtime_error("body"); }), std::runtime_error);
}

}  // namespace
}  // namespace weft
