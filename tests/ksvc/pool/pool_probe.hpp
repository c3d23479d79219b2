// What the tests of the pools share: a task made of a function, and waits that give up.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ksvc/core/worker_pool.hpp"
#include "ksvc/pool/fixed_pool.hpp"
#include "ksvc/pool/inline_worker.hpp"
#include "ksvc/pool/lazy_pool.hpp"

namespace weft::ksvc::testing {

inline constexpr std::chrono::seconds kHangGuard{30};

struct FunctionTask : PoolTask {
  explicit FunctionTask(std::function<void()> function)
      : PoolTask([](PoolTask& task) noexcept { static_cast<FunctionTask&>(task).body(); }),
        body(std::move(function)) {}
  std::function<void()> body;
};

// Counts what has happened, for whoever waits for it. Outlives those who count.
class Tally {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  // False when it did not come to so many within the hang guard.
  bool reaches(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kHangGuard, [&] { return count_ >= count; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// Holds the threads of a pool until it is opened.
class Gate {
 public:
  explicit Gate(int tasks) {
    for (int i = 0; i < tasks; ++i) {
      held_.push_back(std::make_unique<FunctionTask>([this] {
        entered_.add();
        opened_.wait();
        left_.add();
      }));
    }
  }

  FunctionTask& task(int i) { return *held_[static_cast<std::size_t>(i)]; }
  // False when not so many tasks have begun within the hang guard.
  bool entered(int tasks) { return entered_.reaches(tasks); }
  // The same of those that have gone on; then the gate may be destroyed.
  bool left(int tasks) { return left_.reaches(tasks); }
  void open() { opening_.set_value(); }

 private:
  Tally entered_;
  Tally left_;
  std::promise<void> opening_;
  std::shared_future<void> opened_ = opening_.get_future().share();
  std::vector<std::unique_ptr<FunctionTask>> held_;
};

// Waits for something that comes about by itself, soon.
inline bool eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + kHangGuard;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

template <class Pool>
struct PoolOf;

template <>
struct PoolOf<InlineWorker> {
  InlineWorker pool;
};
template <>
struct PoolOf<FixedPool> {
  explicit PoolOf(std::size_t capacity = 1 << 20, unsigned threads = 3)
      : pool({.threads = threads, .queue_capacity = capacity}) {}
  FixedPool pool;
};
template <>
struct PoolOf<LazyPool> {
  explicit PoolOf(std::size_t capacity = 1 << 20, unsigned threads = 3)
      : pool({.most_threads = threads,
              .queue_capacity = capacity,
              // A thread that looks again because its time is over must not hide a lost wake.
              .idle_time = std::chrono::hours(1)}) {}
  LazyPool pool;
};

struct PoolNames {
  template <class Pool>
  static std::string GetName(int) {
    return Pool::name();
  }
};

}  // namespace weft::ksvc::testing
