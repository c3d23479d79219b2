// PoolThreads: the queue and the threads that the threaded pools have in common.
//
// Invariants.
// - submit() takes no lock. The pool's threads run at low priority; a loop that waited for a lock
//   one of them holds would wait as long as others keep that thread from running. They lock only
//   among themselves.
// - No task waits while a thread may still be made: where none is idle, submit() makes one, up to
//   `most`. Threads beyond `fewest` go when they had nothing to do for `idle_time`. Who is woken
//   and who may go is the roster's business.
// - Threads are joined: one that went by the one that takes its place, the last ones by stop().
// submit() and the queries from any thread.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ksvc/core/worker_pool.hpp"
#include "ksvc/notify/futex_notifier.hpp"
#include "ksvc/pool/thread_roster.hpp"

namespace weft::ksvc {

struct PoolThreadsOptions {
  unsigned fewest = 1;
  unsigned most = 1;
  std::size_t queue_capacity = 0;  // accepted and not begun
  std::chrono::nanoseconds idle_time = std::chrono::nanoseconds::max();
  // An idle thread looks for a task for so long before it sleeps: a wake costs more than that.
  std::chrono::nanoseconds awake_time{0};
  int nice = 0;
  std::string thread_name;  // a number is put behind it; the system keeps 15 characters
};

class PoolThreads {
 public:
  static constexpr unsigned kMostThreads = ThreadRoster<>::kMostThreads;

  // Makes `fewest` threads; throws std::system_error when one cannot be had.
  explicit PoolThreads(PoolThreadsOptions options);
  ~PoolThreads();
  PoolThreads(const PoolThreads&) = delete;
  PoolThreads& operator=(const PoolThreads&) = delete;

  PoolAnswer submit(PoolTask& task) noexcept;
  void stop();

  bool on_own_thread() const noexcept;
  unsigned threads() const noexcept { return roster_.threads(); }
  unsigned busy() const noexcept { return busy_.load(std::memory_order_relaxed); }
  std::size_t queued() const noexcept;
  // Threads that wait for a task.
  unsigned idle() const noexcept { return roster_.idle(); }
  // Threads that were made because none was idle, and threads that went, since the start.
  std::uint64_t grown() const noexcept { return grown_.load(std::memory_order_relaxed); }
  std::uint64_t shrunk() const noexcept { return shrunk_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    PoolThreads* pool = nullptr;
    unsigned number = 0;
    FutexNotifier notifier;
    // Written by the slot's thread, for whoever joins it.
    pthread_t thread{};
    bool has_thread = false;
  };

  static void* thread_main(void* slot);

  void call(ThreadRoster<>::Call call) noexcept;
  int make_thread(Slot& slot) noexcept;
  void settle_in(Slot& slot);
  void work(Slot& slot);
  bool sleep(Slot& slot);
  bool stay_awake(const Slot& slot) const noexcept;
  bool stopping() const noexcept;
  void run(PoolTask& task) noexcept;
  void join_all();

  const PoolThreadsOptions options_;
  std::unique_ptr<Slot[]> slots_;

  // What was accepted and not begun; above it the callers inside submit(), and at the top whether
  // nothing more is accepted. One word, so that nothing is accepted behind the last look.
  std::atomic<std::uint64_t> admission_{0};
  ThreadRoster<> roster_;
  std::atomic<unsigned> busy_{0};
  std::atomic<std::uint64_t> grown_{0};
  std::atomic<std::uint64_t> shrunk_{0};
  FutexNotifier thread_gone_;
  bool stopped_ = false;  // by the one thread that stops
};

}  // namespace weft::ksvc
