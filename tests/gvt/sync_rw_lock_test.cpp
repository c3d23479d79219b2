// RwLock between green threads of one worker. Between threads: sync_stress_test.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "on_every_backend.hpp"
#include "weft/cancel.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

class RwLockOn : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, RwLockOn, every_backend(), backend_name);

TEST_P(RwLockOn, readers_share_it_and_a_writer_has_it_alone) {
  int reading = 0;
  int most_reading = 0;
  bool writing = false;
  run_here([&] {
    RwLock lock;
    std::vector<JoinHandle<void>> all;
    for (int i = 0; i < 9; ++i) {
      all.push_back(spawn([&, i] {
        for (int round = 0; round < 40; ++round) {
          if ((i + round) % 3 == 0) {
            const std::unique_lock write(lock);
            EXPECT_FALSE(std::exchange(writing, true));
            yield();
            EXPECT_EQ(reading, 0);
            writing = false;
          } else {
            const std::shared_lock read(lock);
            most_reading = std::max(most_reading, ++reading);
            yield();
            EXPECT_FALSE(writing);
            --reading;
          }
        }
      }));
    }
    for (auto& one : all) one.join();
  });
  EXPECT_GT(most_reading, 1);
}

TEST_P(RwLockOn, everybody_gets_it_in_the_order_of_coming_readers_together) {
  std::string order;
  run_here([&] {
    RwLock lock;
    lock.lock();
    std::vector<JoinHandle<void>> all;
    for (const char name : std::string("rrWrrWW")) {
      all.push_back(spawn([&, name] {
        const bool writes = name == 'W';
        writes ? lock.lock() : lock.lock_shared();
        order += name;
        yield();
        order += '.';
        writes ? lock.unlock() : lock.unlock_shared();
      }));
    }
    yield();
    lock.unlock();
    for (auto& one : all) one.join();
  });
  EXPECT_EQ(order, "rr..W.rr..W.W.");
}

TEST_P(RwLockOn, readers_that_keep_coming_do_not_keep_a_writer_out) {
  int laps = 0;
  bool written = false;
  run_here([&] {
    RwLock lock;
    std::vector<JoinHandle<void>> readers;
    // Two readers that overlap: without a writer there is always one inside.
    for (int i = 0; i < 2; ++i) {
      readers.push_back(spawn([&] {
        while (!written && laps < 1000) {
          const std::shared_lock read(lock);
          ++laps;
          yield();
          yield();
        }
      }));
      yield();
    }
    lock.lock();
    written = true;
    lock.unlock();
    for (auto& one : readers) one.join();
  });
  EXPECT_LT(laps, 10);
}

TEST_P(RwLockOn, try_lock_does_not_pass_those_who_wait) {
  run_here([] {
    RwLock lock;
    EXPECT_TRUE(lock.try_lock_shared());
    EXPECT_TRUE(lock.try_lock_shared());
    EXPECT_FALSE(lock.try_lock());
    auto writer = spawn([&] {
      const std::lock_guard write(lock);
      EXPECT_FALSE(lock.try_lock_shared());
      EXPECT_FALSE(lock.try_lock());
    });
    yield();
    EXPECT_FALSE(lock.try_lock_shared());
    lock.unlock_shared();
    lock.unlock_shared();
    writer.join();
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  });
}

TEST_P(RwLockOn, readers_behind_a_writer_that_gives_up_go_in_at_once) {
  for (const bool cancels : {false, true}) {
    std::string order;
    run_here([&] {
      RwLock lock;
      CancelSource source;
      lock.lock_shared();
      auto writer = spawn([&] {
        if (cancels) {
          EXPECT_FALSE(with_cancel(source.token(), [&] { lock.lock(); }));
        } else {
          EXPECT_FALSE(lock.lock_for(milliseconds(2)));
        }
        order += "gave up ";
      });
      auto reader = spawn([&] {
        const std::shared_lock read(lock);
        order += "read ";
      });
      yield();
      if (cancels) source.cancel();
      reader.join();
      order += "unlock";
      lock.unlock_shared();
      writer.join();
      EXPECT_TRUE(lock.try_lock());
    });
    EXPECT_EQ(order, "gave up read unlock");
  }
}

TEST_P(RwLockOn, waiter_that_is_cancelled_after_it_was_let_in_is_in) {
  run_here([] {
    RwLock lock;
    CancelSource source;
    lock.lock();
    auto reader = spawn([&] {
      EXPECT_TRUE(with_cancel(source.token(), [&] { lock.lock_shared(); }));
      lock.unlock_shared();
    });
    auto writer = spawn([&] { EXPECT_FALSE(with_cancel(source.token(), [&] { lock.lock(); })); });
    yield();
    lock.unlock();
    source.cancel();
    reader.join();
    writer.join();
    EXPECT_TRUE(lock.try_lock());
  });
}

TEST_P(RwLockOn, unlock_that_meets_a_cancelled_writer_lets_the_next_in) {
  run_here([] {
    RwLock lock;
    CancelSource source;
    lock.lock();
    auto first = spawn([&] { EXPECT_FALSE(with_cancel(source.token(), [&] { lock.lock(); })); });
    bool read = false;
    auto second = spawn([&] {
      const std::shared_lock inside(lock);
      read = true;
    });
    yield();
    source.cancel();
    lock.unlock();
    second.join();
    first.join();
    EXPECT_TRUE(read);
    EXPECT_TRUE(lock.try_lock());
  });
}

TEST_P(RwLockOn, lock_for_and_lock_shared_for_give_up_in_time) {
  run_here([] {
    RwLock lock;
    EXPECT_TRUE(lock.lock_shared_for(milliseconds(0)));
    EXPECT_FALSE(lock.lock_for(milliseconds(1)));
    lock.unlock_shared();
    EXPECT_TRUE(lock.lock_for(milliseconds(0)));
    EXPECT_FALSE(lock.lock_shared_for(milliseconds(1)));
    lock.unlock();
  });
}

TEST(RwLockDeathTest, unlock_of_what_is_not_held_stops_the_process_and_says_so) {
  RwLock lock;
  EXPECT_DEATH(lock.unlock(), "no writer holds");
  EXPECT_DEATH(lock.unlock_shared(), "no reader holds");
  lock.lock_shared();
  EXPECT_DEATH(lock.unlock(), "no writer holds");
  lock.unlock_shared();
}

}  // namespace
}  // namespace weft
