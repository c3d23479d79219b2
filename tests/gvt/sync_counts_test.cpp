// Semaphore, WaitGroup, Barrier and Once between green threads of one worker. Between threads:
// sync_stress_test.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "on_every_backend.hpp"
#include "weft/cancel.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

class SemaphoreOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, SemaphoreOn, every_backend(), backend_name);
class WaitGroupOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, WaitGroupOn, every_backend(), backend_name);
class BarrierOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, BarrierOn, every_backend(), backend_name);
class OnceOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, OnceOn, every_backend(), backend_name);

TEST_P(SemaphoreOn, no_more_are_inside_than_there_are_permits) {
  int inside = 0;
  int most = 0;
  run_here([&] {
    Semaphore permits(3);
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < 10; ++i) {
      all.push_back(spawn([&] {
        for (int round = 0; round < 20; ++round) {
          permits.acquire();
          most = std::max(most, ++inside);
          yield();
          --inside;
          permits.release();
        }
      }));
    }
    for (auto& one : all) one.join();
    EXPECT_TRUE(permits.try_acquire(3));
    EXPECT_FALSE(permits.try_acquire());
    EXPECT_TRUE(permits.try_acquire(0));
  });
  EXPECT_EQ(most, 3);
}

TEST_P(SemaphoreOn, who_asks_for_many_is_not_passed_by_those_who_ask_for_few) {
  std::string order;
  run_here([&] {
    Semaphore permits(0);
    std::vector<JoinHandle<void>> all;
    for (const std::size_t count : {3, 1, 2}) {
      all.push_back(spawn([&, count] {
        permits.acquire(count);
        order += std::to_string(count) + ' ';
      }));
    }
    yield();
    for (int i = 0; i < 6; ++i) {
      permits.release();
      EXPECT_FALSE(permits.try_acquire()) << "others wait for it";
      yield();
      order += ". ";
      if (i == 4) {
        EXPECT_FALSE(permits.try_acquire());
      }
    }
    for (auto& one : all) one.join();
  });
  EXPECT_EQ(order, ". . 3 . 1 . . 2 . ");
}

TEST_P(SemaphoreOn, those_behind_one_that_gives_up_get_what_it_waited_for) {
  for (const bool cancels : {false, true}) {
    run_here([cancels] {
      Semaphore permits(2);
      CancelSource source;
      auto many = spawn([&] {
        if (cancels) {
          EXPECT_FALSE(with_cancel(source.token(), [&] { permits.acquire(5); }));
        } else {
          EXPECT_FALSE(permits.acquire_for(milliseconds(2), 5));
        }
      });
      auto few = spawn([&] { permits.acquire(2); });
      yield();
      EXPECT_FALSE(few.ended());
      if (cancels) source.cancel();
      few.join();
      many.join();
    });
  }
}

TEST_P(SemaphoreOn, permit_that_meets_a_cancelled_waiter_is_not_lost) {
  run_here([] {
    Semaphore permits(0);
    CancelSource source;
    auto waiter =
        spawn([&] { EXPECT_FALSE(with_cancel(source.token(), [&] { permits.acquire(); })); });
    yield();
    source.cancel();
    permits.release();
    waiter.join();
    EXPECT_TRUE(permits.try_acquire());
  });
}

TEST_P(SemaphoreOn, waiter_that_is_cancelled_after_it_was_given_a_permit_has_it) {
  run_here([] {
    Semaphore permits(0);
    CancelSource source;
    auto waiter = spawn([&] {
      EXPECT_TRUE(with_cancel(source.token(), [&] { permits.acquire(); }));
      permits.release();
    });
    yield();
    permits.release();
    source.cancel();
    waiter.join();
    EXPECT_TRUE(permits.try_acquire());
    EXPECT_FALSE(permits.try_acquire());
  });
}

TEST_P(SemaphoreOn, may_be_destroyed_by_whoever_it_has_woken) {
  run_here([] {
    auto permits = std::make_unique<Semaphore>(0);
    Semaphore& there = *permits;
    auto waiter = spawn([&] {
      permits->acquire();
      permits.reset();
    });
    yield();
    there.release();
    waiter.join();
  });
}

TEST(SemaphoreDeathTest, more_permits_than_can_be_counted_stop_the_process) {
  Semaphore permits(SIZE_MAX);
  EXPECT_DEATH(permits.release(), "more permits");
}

// ---- WaitGroup

TEST_P(WaitGroupOn, wait_returns_when_all_is_done_and_at_once_when_nothing_is_counted) {
  int done = 0;
  run_here([&] {
    WaitGroup group;
    group.wait();
    for (int phase = 1; phase <= 2; ++phase) {
      group.add(5);
      for (int i = 0; i < 5; ++i) {
        spawn([&, i] {
          for (int j = 0; j < i; ++j) yield();
          ++done;
          group.done();
        });
      }
      auto other = spawn([&] { group.wait(); });
      group.wait();
      EXPECT_EQ(done, 5 * phase);
      other.join();
    }
  });
}

TEST_P(WaitGroupOn, wait_ends_early_when_it_is_cancelled_or_takes_too_long) {
  run_here([] {
    WaitGroup group(1);
    EXPECT_FALSE(group.wait_for(milliseconds(1)));
    const auto ended = with_timeout(milliseconds(1), [&] { group.wait(); });
    EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
    auto waiter = spawn([&] { group.wait(); });
    yield();
    waiter.cancel();
    EXPECT_THROW(waiter.join(), Cancelled);
    group.done();
    EXPECT_TRUE(group.wait_for(milliseconds(0)));
  });
}

TEST_P(WaitGroupOn, may_be_destroyed_by_whoever_waited) {
  run_here([] {
    auto group = std::make_unique<WaitGroup>(1);
    WaitGroup& there = *group;
    auto waiter = spawn([&] {
      group->wait();
      group.reset();
    });
    yield();
    there.done();
    waiter.join();
  });
}

TEST(WaitGroupDeathTest, done_more_often_than_added_stops_the_process_and_says_so) {
  WaitGroup group(1);
  group.done();
  EXPECT_DEATH(group.done(), "more is done than was added");
}

// ---- Barrier

TEST_P(BarrierOn, nobody_goes_on_before_all_have_come_phase_after_phase) {
  constexpr int kParties = 4;
  int arrived = 0;
  int last_ones = 0;
  run_here([&] {
    Barrier barrier(kParties);
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < kParties; ++i) {
      all.push_back(spawn([&, i] {
        for (int phase = 1; phase <= 20; ++phase) {
          for (int j = 0; j < (i * 7 + phase) % 5; ++j) yield();
          ++arrived;
          if (barrier.arrive_and_wait()) ++last_ones;
          EXPECT_GE(arrived, phase * kParties);
          // A second barrier of the same kind keeps the quick ones from the next phase.
          EXPECT_LT(arrived, (phase + 1) * kParties);
        }
      }));
    }
    for (auto& one : all) one.join();
  });
  EXPECT_EQ(last_ones, 20);
}

TEST_P(BarrierOn, one_that_is_cancelled_takes_its_arrival_back) {
  run_here([] {
    Barrier barrier(2);
    auto first = spawn([&] { barrier.arrive_and_wait(); });
    yield();
    first.cancel();
    EXPECT_THROW(first.join(), Cancelled);
    auto second = spawn([&] { EXPECT_FALSE(barrier.arrive_and_wait()); });
    yield();
    EXPECT_FALSE(second.ended());
    EXPECT_TRUE(barrier.arrive_and_wait());
    second.join();
  });
}

// It cannot take back what the last has counted on.
TEST_P(BarrierOn, one_that_is_cancelled_as_the_last_arrives_goes_on_with_the_others) {
  for (const bool cancel_first : {false, true}) {
    run_here([cancel_first] {
      Barrier barrier(2);
      auto other = spawn([&] { EXPECT_FALSE(barrier.arrive_and_wait()); });
      yield();
      if (cancel_first) other.cancel();
      EXPECT_TRUE(barrier.arrive_and_wait());
      other.cancel();
      other.join();
      auto next = spawn([&] { EXPECT_FALSE(barrier.arrive_and_wait()); });
      yield();
      EXPECT_FALSE(next.ended()) << "the next phase needs two again";
      EXPECT_TRUE(barrier.arrive_and_wait());
      next.join();
    });
  }
}

TEST(BarrierOutside, for_one_never_waits) {
  Barrier barrier(1);
  EXPECT_TRUE(barrier.arrive_and_wait());
  EXPECT_TRUE(barrier.arrive_and_wait());
}

TEST(BarrierDeathTest, for_nobody_stops_the_process_and_says_so) {
  EXPECT_DEATH(Barrier(0), "at least one");
}

// ---- Once

TEST_P(OnceOn, is_done_once_and_nobody_goes_on_before) {
  int done = 0;
  int passed = 0;
  run_here([&] {
    Once once;
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < 5; ++i) {
      all.push_back(spawn([&] {
        once.call([&] {
          for (int j = 0; j < 5; ++j) yield();
          EXPECT_EQ(passed, 0);
          ++done;
        });
        EXPECT_TRUE(once.done());
        ++passed;
      }));
    }
    for (auto& one : all) one.join();
    once.call([&] { ++done; });
  });
  EXPECT_EQ(done, 1);
  EXPECT_EQ(passed, 5);
}

TEST_P(OnceOn, failed_call_throws_and_lets_the_next_one_try) {
  int tries = 0;
  int failures = 0;
  run_here([&] {
    Once once;
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < 5; ++i) {
      all.push_back(spawn([&] {
        try {
          once.call([&] {
            yield();
            if (++tries < 3) throw std::runtime_error("not yet");
          });
        } catch (const std::runtime_error&) {
          ++failures;
        }
      }));
    }
    for (auto& one : all) one.join();
    EXPECT_TRUE(once.done());
  });
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(failures, 2);
}

TEST_P(OnceOn, cancelled_call_is_a_failed_one) {
  int done = 0;
  run_here([&] {
    Once once;
    auto first = spawn([&] { once.call([] { sleep(std::chrono::hours(1)); }); });
    auto second = spawn([&] { once.call([&] { ++done; }); });
    yield();
    first.cancel();
    second.join();
    EXPECT_THROW(first.join(), Cancelled);
  });
  EXPECT_EQ(done, 1);
}

TEST_P(OnceOn, turn_that_meets_a_cancelled_waiter_goes_to_the_next) {
  for (const bool cancel_first : {false, true}) {
    std::string done;
    run_here([&] {
      Once once;
      bool fail = false;
      auto failing = spawn([&] {
        EXPECT_THROW(once.call([&] {
          while (!fail) yield();
          throw std::runtime_error("failed");
        }),
                     std::runtime_error);
      });
      auto first = spawn([&] { once.call([&] { done += "first"; }); });
      auto second = spawn([&] { once.call([&] { done += "second"; }); });
      yield();
      if (cancel_first) first.cancel();
      fail = true;
      if (!cancel_first) {
        failing.join();
        first.cancel();
      }
      second.join();
      if (cancel_first) {
        EXPECT_THROW(first.join(), Cancelled);
        failing.join();
      } else {
        first.join();
      }
      EXPECT_TRUE(once.done());
    });
    EXPECT_EQ(done, cancel_first ? "second" : "first");
  }
}

}  // namespace
}  // namespace weft
