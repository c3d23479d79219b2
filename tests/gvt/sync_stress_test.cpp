// What green threads of several workers and OS threads wait for one another with, all at once: what
// is counted must come out right and nobody may be left waiting, with waits that are cancelled or
// time out in the middle. Meant for ThreadSanitizer above all.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "weft/cancel.hpp"
#include "weft/green.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::microseconds;

constexpr int kWorkers = 2;
constexpr int kGreenThreads = 3;  // of each
constexpr int kOsThreads = 2;
constexpr int kEveryone = kWorkers * kGreenThreads + kOsThreads;
constexpr int kRounds = gvt::sanitizer::kEnabled ? 300 : 1500;

// Calls `body(who)` on green threads of several workers and on OS threads, all at once.
void everywhere(const std::function<void(int who)>& body) {
  std::vector<std::jthread> threads;
  int who = 0;
  for (int worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&body, first = who] {
      const auto main = [&] {
        for (int i = 0; i < kGreenThreads; ++i) spawn([&body, me = first + i] { body(me); });
      };
      run(main, {.backend = RunOptions::Backend::epoll});
    });
    who += kGreenThreads;
  }
  for (int i = 0; i < kOsThreads; ++i) threads.emplace_back([&body, me = who + i] { body(me); });
}

// Lets others in between, now and then: green threads cannot be preempted.
void mix(int who, int round) {
  if ((who + round) % 7 != 0) return;
  if (who < kWorkers * kGreenThreads) {
    yield();
  } else {
    std::this_thread::yield();
  }
}

TEST(SyncStress, mutex_is_held_by_one_of_all_threads) {
  Mutex mutex;
  long count = 0;
  everywhere([&](int who) {
    for (int round = 0; round < kRounds; ++round) {
      const std::lock_guard lock(mutex);
      ++count;
      mix(who, round);
    }
  });
  EXPECT_EQ(count, long{kEveryone} * kRounds);
}

TEST(SyncStress, mutex_loses_no_wake_to_waits_that_end_otherwise) {
  Mutex mutex;
  long count = 0;
  std::atomic<long> got{0};
  everywhere([&](int who) {
    for (int round = 0; round < kRounds; ++round) {
      // A third just waits, and would wait for ever for a wake that was lost.
      if (who % 3 == 0) {
        mutex.lock();
      } else if (who % 3 == 1) {
        if (!mutex.lock_for(microseconds(round % 50))) continue;
      } else {
        const auto ended = with_timeout(microseconds(round % 50), [&] { mutex.lock(); });
        if (!ended) continue;
      }
      ++count;
      ++got;
      mix(who, round);
      mutex.unlock();
    }
  });
  EXPECT_EQ(count, got.load());
  EXPECT_TRUE(mutex.try_lock());
}

TEST(SyncStress, mutex_may_be_destroyed_by_the_last_to_unlock_it) {
  struct Shared {
    Mutex mutex;
    int users = kEveryone;
  };
  const int kObjects = kRounds / 4;
  std::vector<Shared*> objects;
  for (int i = 0; i < kObjects; ++i) objects.push_back(new Shared);
  everywhere([&](int who) {
    for (int i = 0; i < kObjects; ++i) {
      Shared* const shared = objects[static_cast<std::size_t>(i)];
      // Some come, wait and go again, so that the slow way out is taken with nobody waiting.
      if (who % 2 == 0 && shared->mutex.lock_for(microseconds(i % 20))) shared->mutex.unlock();
      shared->mutex.lock();
      mix(who, i);
      const bool last = --shared->users == 0;
      shared->mutex.unlock();
      if (last) delete shared;
    }
  });
}

TEST(SyncStress, rw_lock_keeps_writers_from_everybody) {
  RwLock lock;
  long written = 0;
  std::atomic<int> reading{0};
  std::atomic<long> writes{0};
  everywhere([&](int who) {
    for (int round = 0; round < kRounds; ++round) {
      if ((who + round) % 4 == 0) {
        if (!lock.lock_for(microseconds(round % 100 == 0 ? 0 : 1'000'000))) continue;
        EXPECT_EQ(reading.load(), 0);
        ++written;
        ++writes;
        mix(who, round);
        lock.unlock();
      } else {
        if (round % 5 == 0) {
          if (!with_timeout(microseconds(round % 50), [&] { lock.lock_shared(); })) continue;
        } else {
          lock.lock_shared();
        }
        ++reading;
        mix(who, round);
        --reading;
        lock.unlock_shared();
      }
    }
  });
  EXPECT_EQ(written, writes.load());
  EXPECT_TRUE(lock.try_lock());
}

// A queue of one place: each item needs a signal each way, and one that is lost stops everything.
TEST(SyncStress, condition_loses_no_signal_to_waits_that_end_otherwise) {
  Mutex mutex;
  CondVar changed_to_empty;
  CondVar changed_to_full;
  bool full = false;
  long put = 0;
  long taken = 0;
  constexpr long kItems = kRounds;
  everywhere([&](int who) {
    for (;;) {
      const auto once = [&] {
        std::unique_lock lock(mutex);
        if (who % 2 == 0) {
          changed_to_empty.wait(lock, [&] { return !full || put == kItems; });
          if (put == kItems) return true;
          ++put;
          full = true;
          changed_to_full.notify_one();
          if (put == kItems) changed_to_empty.notify_all();
        } else {
          changed_to_full.wait(lock, [&] { return full || taken == kItems; });
          if (taken == kItems) return true;
          ++taken;
          full = false;
          changed_to_empty.notify_one();
          if (taken == kItems) changed_to_full.notify_all();
        }
        return false;
      };
      if (who < 2) {
        if (once()) return;
      } else {
        // Impatient ones, whom a signal may meet as they leave.
        const auto ended = with_timeout(microseconds(20), once);
        if (ended.value_or(false)) return;
      }
    }
  });
  EXPECT_EQ(put, kItems);
  EXPECT_EQ(taken, kItems);
}

TEST(SyncStress, semaphore_loses_no_permit) {
  constexpr std::size_t kPermits = 5;
  Semaphore permits(kPermits);
  std::atomic<std::size_t> out{0};
  everywhere([&](int who) {
    for (int round = 0; round < kRounds; ++round) {
      const auto count = static_cast<std::size_t>((who + round) % 4) + 1;
      if (round % 3 == 0) {
        if (!permits.acquire_for(microseconds(round % 40), count)) continue;
      } else {
        permits.acquire(count);
      }
      EXPECT_LE(out += count, kPermits);
      mix(who, round);
      out -= count;
      permits.release(count);
    }
  });
  EXPECT_TRUE(permits.try_acquire(kPermits));
  EXPECT_FALSE(permits.try_acquire());
}

TEST(SyncStress, barrier_keeps_all_together) {
  Barrier barrier(kEveryone);
  std::atomic<int> arrived{0};
  std::atomic<int> last_ones{0};
  constexpr int kPhases = kRounds / 5;
  everywhere([&](int who) {
    for (int phase = 1; phase <= kPhases; ++phase) {
      mix(who, phase);
      ++arrived;
      if (barrier.arrive_and_wait()) ++last_ones;
      EXPECT_GE(arrived.load(), phase * kEveryone);
    }
  });
  EXPECT_EQ(last_ones.load(), kPhases);
}

TEST(SyncStress, wait_group_may_be_destroyed_by_whoever_waited) {
  const int kGroups = kRounds / 4;
  std::vector<std::unique_ptr<WaitGroup>> groups;
  for (int i = 0; i < kGroups; ++i) groups.push_back(std::make_unique<WaitGroup>(kEveryone - 1));
  everywhere([&](int who) {
    for (auto& group : groups) {
      if (who == 0) {
        group->wait();
        group.reset();
      } else {
        group.get()->done();
      }
    }
  });
}

TEST(SyncStress, once_is_done_by_one_of_all_threads) {
  struct Attempted {
    Once once;
    int tries = 0;
    bool done = false;
  };
  std::vector<Attempted> all(kRounds / 4);
  everywhere([&](int who) {
    for (Attempted& one : all) {
      const auto attempt = [&] {
        one.once.call([&] {
          // The first one fails.
          if (++one.tries == 1) throw std::runtime_error("the first");
          mix(who, one.tries);
          one.done = true;
        });
      };
      // Some do not wait for long, but come back.
      for (bool ended = false; !ended;) {
        try {
          ended = with_timeout(microseconds(who % 2 == 0 ? 20 : 1'000'000), attempt).ok();
        } catch (const std::runtime_error&) {
        }
      }
      EXPECT_TRUE(one.done);
    }
  });
  for (const Attempted& one : all) EXPECT_EQ(one.tries, 2);
}

}  // namespace
}  // namespace weft
