// PoolThreads: the queue and the threads that the threaded pools have in common.
//
// Invariants.
// - submit() takes no lock. The pool's threads run at low priority; a loop that waited for a lock
//   one of them holds would wait as long as others keep that thread from running. They lock only
//   among themselves.
// - A task that was submitted is seen by a thread: submit() pushes and then looks for an idle
//   thread, a thread says that it is idle and then looks for a task. One submit wakes one thread at
//   most, and none when none sleeps.
// - The idle thread with the lowest number is woken first, so the others stay idle and can go.
// - No task waits while a thread may still be made: where none is idle, submit() makes one, up to
//   `most`. Threads beyond `fewest` go when they had nothing to do for `idle_time`.
// - Threads are joined: one that went by the one that takes its place, the last ones by stop().
// submit() and the queries from any thread.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "ksvc/core/worker_pool.hpp"
#include "ksvc/notify/futex_notifier.hpp"

namespace weft::ksvc {

struct PoolThreadsOptions {
  unsigned fewest = 1;
  unsigned most = 1;
  std::size_t queue_capacity = 0;  // accepted and not begun
  std::chrono::nanoseconds idle_time = std::chrono::nanoseconds::max();
  int nice = 0;
  std::string thread_name;  // a number is put behind it; the system keeps 15 characters
};

class PoolThreads {
 public:
  // One bit in a word for each thread.
  static constexpr unsigned kMostThreads = 64;

  // Makes `fewest` threads; throws std::system_error when one cannot be had.
  explicit PoolThreads(PoolThreadsOptions options);
  ~PoolThreads();
  PoolThreads(const PoolThreads&) = delete;
  PoolThreads& operator=(const PoolThreads&) = delete;

  PoolAnswer submit(PoolTask& task) noexcept;
  void stop();

  bool on_own_thread() const noexcept;
  unsigned threads() const noexcept;
  unsigned busy() const noexcept { return busy_.load(std::memory_order_relaxed); }
  std::size_t queued() const noexcept;
  // Threads that wait for a task.
  unsigned idle() const noexcept;
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

  std::uint64_t bit(const Slot& slot) const noexcept { return std::uint64_t{1} << slot.number; }
  void wake_or_make_thread() noexcept;
  int make_thread(Slot& slot) noexcept;
  void settle_in(Slot& slot);
  void work(Slot& slot);
  PoolTask* take();
  PoolTask* take_or_announce(Slot& slot);
  bool sleep(Slot& slot);
  bool leave(Slot& slot) noexcept;
  bool has_tasks();
  bool retract(Slot& slot) noexcept;
  bool stopping() const noexcept;
  void run(PoolTask& task) noexcept;
  void join_all();

  const PoolThreadsOptions options_;
  const std::uint64_t all_;  // a bit for each slot
  std::unique_ptr<Slot[]> slots_;

  // What was accepted and not begun; above it the callers inside submit(), and at the top whether
  // nothing more is accepted. One word, so that nothing is accepted behind the last look.
  std::atomic<std::uint64_t> admission_{0};
  std::atomic<PoolTask*> newest_{nullptr};
  std::atomic<std::uint64_t> idle_{0};
  std::atomic<std::uint64_t> vacant_;
  std::atomic<unsigned> busy_{0};
  std::atomic<std::uint64_t> grown_{0};
  std::atomic<std::uint64_t> shrunk_{0};
  FutexNotifier thread_gone_;
  bool stopped_ = false;  // by the one thread that stops

  std::mutex mutex_;  // of the pool's threads: `oldest_`
  PoolTask* oldest_ = nullptr;
};

}  // namespace weft::ksvc
