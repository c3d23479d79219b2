// Mutex and CondVar, between green threads of one worker, where every interleaving can be written
// down. Between threads: sync_stress_test.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "on_every_backend.hpp"
#include "weft/cancel.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class MutexOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, MutexOn, every_backend(), backend_name);

class CondVarOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, CondVarOn, every_backend(), backend_name);

TEST_P(MutexOn, one_at_a_time_holds_it_whatever_parks_inside) {
  int inside = 0;
  int entered = 0;
  run_here([&] {
    Mutex mutex;
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < 8; ++i) {
      all.push_back(spawn([&, i] {
        for (int round = 0; round < 50; ++round) {
          const std::lock_guard lock(mutex);
          EXPECT_EQ(++inside, 1);
          if ((round + i) % 3 == 0) yield();
          if (round == i) sleep(std::chrono::microseconds(100));
          --inside;
          ++entered;
        }
      }));
    }
    for (auto& one : all) one.join();
  });
  EXPECT_EQ(entered, 8 * 50);
}

TEST_P(MutexOn, works_with_the_guards_of_the_standard_library) {
  run_here([] {
    Mutex left;
    Mutex right;
    {
      const std::scoped_lock both(left, right);
      EXPECT_FALSE(left.try_lock());
      EXPECT_FALSE(right.try_lock());
    }
    std::unique_lock lock(left, std::try_to_lock);
    EXPECT_TRUE(lock.owns_lock());
    lock.unlock();
    EXPECT_TRUE(left.try_lock());
    left.unlock();
  });
}

TEST_P(MutexOn, who_was_passed_over_once_is_handed_it_next) {
  std::string order;
  run_here([&] {
    Mutex mutex;
    mutex.lock();
    auto other = spawn([&] {
      const std::lock_guard lock(mutex);
      order += "other ";
    });
    yield();
    mutex.unlock();
    mutex.lock();  // free: whoever runs takes it
    order += "again ";
    yield();  // the other comes too late
    mutex.unlock();
    EXPECT_FALSE(mutex.try_lock()) << "it is the other's now, which has not run yet";
    mutex.lock();
    order += "last";
    mutex.unlock();
    other.join();
  });
  EXPECT_EQ(order, "again other last");
}

TEST_P(MutexOn, hog_that_only_ever_parks_inside_does_not_starve_the_others) {
  int laps = 0;
  int had_it = 0;
  run_here([&] {
    Mutex mutex;
    mutex.lock();
    for (int i = 0; i < 3; ++i) {
      spawn([&] {
        const std::lock_guard lock(mutex);
        ++had_it;
      });
    }
    for (; had_it < 3 && laps < 1000; ++laps) {
      yield();
      mutex.unlock();
      mutex.lock();
    }
    mutex.unlock();
  });
  EXPECT_EQ(had_it, 3);
  EXPECT_LE(laps, 9);
}

TEST_P(MutexOn, lock_for_gives_up_and_leaves_no_trace) {
  run_here([] {
    Mutex mutex;
    EXPECT_TRUE(mutex.lock_for(milliseconds(0)));
    auto other = spawn([&] {
      const auto due = steady_clock::now() + milliseconds(3);
      EXPECT_FALSE(mutex.lock_for(milliseconds(3)));
      EXPECT_GE(steady_clock::now(), due);
      EXPECT_FALSE(mutex.lock_for(milliseconds(0)));
      EXPECT_FALSE(mutex.lock_for(milliseconds(-1)));
    });
    other.join();
    auto in_time = spawn([&] {
      EXPECT_TRUE(mutex.lock_for(hours(1)));
      mutex.unlock();
    });
    yield();
    mutex.unlock();
    in_time.join();
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST_P(MutexOn, cancelled_waiter_throws_and_the_next_gets_it) {
  std::string order;
  run_here([&] {
    Mutex mutex;
    CancelSource source;
    mutex.lock();
    auto first = spawn([&] {
      const auto ended = with_cancel(source.token(), [&] { mutex.lock(); });
      EXPECT_EQ(ended.error().code, ErrorCode::cancelled);
      order += "cancelled ";
    });
    auto second = spawn([&] {
      const std::lock_guard lock(mutex);
      order += "second";
    });
    yield();
    source.cancel();
    first.join();
    mutex.unlock();
    second.join();
  });
  EXPECT_EQ(order, "cancelled second");
}

// The unlock comes first: it has chosen whom it wakes.
TEST_P(MutexOn, waiter_that_is_cancelled_after_it_was_woken_takes_it) {
  for (const bool passed_over : {false, true}) {
    bool had_it = false;
    run_here([&] {
      Mutex mutex;
      CancelSource source;
      mutex.lock();
      auto waiter = spawn([&] {
        const auto ended = with_cancel(source.token(), [&] {
          mutex.lock();
          had_it = true;
          mutex.unlock();
        });
        EXPECT_TRUE(ended);
      });
      yield();
      if (passed_over) {
        mutex.unlock();
        mutex.lock();
        yield();
      }
      mutex.unlock();
      source.cancel();
      waiter.join();
      EXPECT_TRUE(mutex.try_lock());
    });
    EXPECT_TRUE(had_it);
  }
}

// The cancel comes first: the unlock finds a waiter that it cannot have.
TEST_P(MutexOn, unlock_that_meets_a_cancelled_waiter_wakes_the_one_behind) {
  for (const bool passed_over : {false, true}) {
    bool had_it = false;
    run_here([&] {
      Mutex mutex;
      CancelSource source;
      mutex.lock();
      auto first = spawn([&] { EXPECT_FALSE(with_cancel(source.token(), [&] { mutex.lock(); })); });
      auto second = spawn([&] {
        const std::lock_guard lock(mutex);
        had_it = true;
      });
      yield();
      if (passed_over) {
        mutex.unlock();
        mutex.lock();
        yield();
      }
      source.cancel();
      mutex.unlock();
      second.join();
      first.join();
      EXPECT_TRUE(mutex.try_lock());
    });
    EXPECT_TRUE(had_it);
  }
}

// Woken, too late, queued again, and then cancelled: its wake must not be lost with it.
TEST_P(MutexOn, waiter_cancelled_after_it_was_passed_over_does_not_take_the_wake_with_it) {
  bool had_it = false;
  run_here([&] {
    Mutex mutex;
    CancelSource source;
    mutex.lock();
    auto first = spawn([&] { EXPECT_FALSE(with_cancel(source.token(), [&] { mutex.lock(); })); });
    auto second = spawn([&] {
      const std::lock_guard lock(mutex);
      had_it = true;
    });
    yield();
    mutex.unlock();
    mutex.lock();
    source.cancel();  // before the first, which is woken, has run
    first.join();
    mutex.unlock();
    second.join();
  });
  EXPECT_TRUE(had_it);
}

TEST_P(MutexOn, lock_that_need_not_wait_does_not_look_at_cancellation) {
  run_here([] {
    Mutex mutex;
    CancelSource source;
    source.cancel();
    EXPECT_TRUE(with_cancel(source.token(), [&] {
      mutex.lock();
      mutex.unlock();
    }));
    mutex.lock();
    const auto ended = with_cancel(source.token(), [&] { mutex.lock(); });
    EXPECT_EQ(ended.error().code, ErrorCode::cancelled);
    mutex.unlock();
    EXPECT_TRUE(mutex.try_lock());
  });
}

TEST_P(MutexOn, deadline_around_it_reaches_into_lock_unless_shielded) {
  run_here([] {
    Mutex mutex;
    mutex.lock();
    const auto ended = with_timeout(milliseconds(2), [&] { mutex.lock(); });
    EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
    bool had_it = false;
    auto other = spawn([&] {
      CancelSource source;
      source.cancel();
      EXPECT_TRUE(with_cancel(source.token(), [&] {
        shielded([&] { mutex.lock(); });
        had_it = true;
      }));
      mutex.unlock();
    });
    yield();
    mutex.unlock();
    other.join();
    EXPECT_TRUE(had_it);
  });
}

TEST(MutexOutside, blocks_an_os_thread_until_the_deadline) {
  Mutex mutex;
  mutex.lock();
  EXPECT_FALSE(mutex.lock_for(milliseconds(2)));
  const auto ended = with_timeout(milliseconds(2), [&] { mutex.lock(); });
  EXPECT_EQ(ended.error().code, ErrorCode::timed_out);
  mutex.unlock();
}

TEST(MutexDeathTest, unlock_of_what_is_not_locked_stops_the_process_and_says_so) {
  Mutex mutex;
  EXPECT_DEATH(mutex.unlock(), "a mutex was unlocked that is not locked");
}

// ---- CondVar

TEST_P(CondVarOn, wait_gives_the_mutex_away_and_has_it_back_when_it_returns) {
  run_here([] {
    Mutex mutex;
    CondVar changed;
    bool ready = false;
    auto waiter = spawn([&] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return ready; });
      EXPECT_TRUE(lock.owns_lock());
      EXPECT_FALSE(mutex.try_lock());
    });
    yield();
    {
      const std::lock_guard lock(mutex);
      ready = true;
      changed.notify_one();
    }
    waiter.join();
  });
}

TEST_P(CondVarOn, notify_one_wakes_one_in_order_and_notify_all_wakes_all) {
  std::string woken;
  run_here([&] {
    Mutex mutex;
    CondVar changed;
    std::vector<JoinHandle<void>> all;
    for (const char name : {'a', 'b', 'c', 'd'}) {
      all.push_back(spawn([&, name] {
        std::unique_lock lock(mutex);
        changed.wait(lock);
        woken += name;
      }));
    }
    yield();
    changed.notify_one();
    all[0].join();
    EXPECT_EQ(woken, "a");
    changed.notify_all();
    for (int i = 1; i < 4; ++i) all[static_cast<std::size_t>(i)].join();
  });
  EXPECT_EQ(woken, "abcd");
}

TEST_P(CondVarOn, notification_before_the_wait_is_not_kept) {
  run_here([] {
    Mutex mutex;
    CondVar changed;
    changed.notify_one();
    changed.notify_all();
    std::unique_lock lock(mutex);
    EXPECT_FALSE(changed.wait_for(lock, milliseconds(1)));
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(mutex.try_lock());
    EXPECT_FALSE(changed.wait_for(lock, milliseconds(1), [] { return false; }));
    EXPECT_TRUE(changed.wait_for(lock, milliseconds(1), [] { return true; }));
    EXPECT_FALSE(changed.wait_for(lock, milliseconds(-1)));
  });
}

TEST_P(CondVarOn, cancelled_wait_has_locked_the_mutex_again_before_it_throws) {
  run_here([] {
    Mutex mutex;
    CondVar changed;
    CancelSource source;
    bool unlocked = false;
    auto waiter = spawn([&] {
      const auto ended = with_cancel(source.token(), [&] {
        std::unique_lock lock(mutex);
        try {
          changed.wait(lock);
        } catch (const Cancelled&) {
          EXPECT_TRUE(unlocked) << "it has to wait for the mutex, cancelled or not";
          EXPECT_TRUE(lock.owns_lock());
          EXPECT_FALSE(mutex.try_lock());
          throw;
        }
      });
      EXPECT_EQ(ended.error().code, ErrorCode::cancelled);
    });
    yield();
    mutex.lock();
    source.cancel();
    for (int i = 0; i < 3; ++i) yield();
    unlocked = true;
    mutex.unlock();
    waiter.join();
    EXPECT_TRUE(mutex.try_lock());
  });
}

TEST_P(CondVarOn, notification_that_meets_a_cancelled_waiter_goes_to_the_next) {
  bool second_woken = false;
  run_here([&] {
    Mutex mutex;
    CondVar changed;
    CancelSource source;
    auto first = spawn([&] {
      EXPECT_FALSE(with_cancel(source.token(), [&] {
        std::unique_lock lock(mutex);
        changed.wait(lock);
      }));
    });
    auto second = spawn([&] {
      std::unique_lock lock(mutex);
      changed.wait(lock);
      second_woken = true;
    });
    yield();
    source.cancel();
    changed.notify_one();
    first.join();
    second.join();
  });
  EXPECT_TRUE(second_woken);
}

TEST_P(CondVarOn, waiter_that_is_cancelled_after_it_was_notified_returns) {
  run_here([] {
    Mutex mutex;
    CondVar changed;
    CancelSource source;
    auto waiter = spawn([&] {
      EXPECT_TRUE(with_cancel(source.token(), [&] {
        std::unique_lock lock(mutex);
        changed.wait(lock);
        EXPECT_TRUE(cancelled());
      }));
    });
    yield();
    changed.notify_one();
    source.cancel();
    waiter.join();
  });
}

TEST_P(CondVarOn, may_be_destroyed_as_soon_as_all_are_notified) {
  run_here([] {
    Mutex mutex;
    auto* changed = new CondVar;
    auto waiter = spawn([&] {
      std::unique_lock lock(mutex);
      changed->wait(lock);
    });
    yield();
    changed->notify_all();
    delete changed;
    waiter.join();
  });
}

TEST(CondVarDeathTest, wait_without_the_mutex_stops_the_process_and_says_so) {
  Mutex mutex;
  CondVar changed;
  std::unique_lock lock(mutex, std::defer_lock);
  EXPECT_DEATH(changed.wait(lock), "wait with the mutex locked");
}

}  // namespace
}  // namespace weft
