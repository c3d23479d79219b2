// InlineWorker: the WorkerPool without threads, which runs each task within submit().
//
// For tests and for programs of one thread: what a task does is done when submit() returns, in a
// fixed order. A task that submits another one is interrupted by it. Any thread.
#pragma once

#include <atomic>

#include "ksvc/core/worker_pool.hpp"
#include "ksvc/pool/current_pool.hpp"

namespace weft::ksvc {

class InlineWorker {
 public:
  InlineWorker() = default;
  ~InlineWorker() { stop(); }
  InlineWorker(const InlineWorker&) = delete;
  InlineWorker& operator=(const InlineWorker&) = delete;

  PoolAnswer submit(PoolTask& task) noexcept {
    if (stopped_.load(std::memory_order_relaxed)) return PoolAnswer::stopped;
    busy_.fetch_add(1, std::memory_order_relaxed);
    const void* outer = set_current_pool(this);
    task.run(task);
    set_current_pool(outer);
    busy_.fetch_sub(1, std::memory_order_relaxed);
    return PoolAnswer::accepted;
  }

  // Whoever is inside submit() on another thread runs the task there; there is nothing to wait for.
  void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }

  bool on_own_thread() const noexcept { return current_pool() == this; }
  unsigned threads() const noexcept { return 0; }
  unsigned busy() const noexcept { return busy_.load(std::memory_order_relaxed); }
  std::size_t queued() const noexcept { return 0; }
  static const char* name() noexcept { return "inline"; }

 private:
  std::atomic<unsigned> busy_{0};
  std::atomic<bool> stopped_{false};
};

static_assert(WorkerPool<InlineWorker>);

}  // namespace weft::ksvc
