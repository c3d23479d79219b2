// FixedPool: the WorkerPool whose threads are all there from the start.
//
// Right where the work computes, or where a thread more or less must not depend on the load. Any
// thread submits and asks.
#pragma once

#include <string>

#include "ksvc/pool/pool_threads.hpp"

namespace weft::ksvc {

struct FixedPoolOptions {
  unsigned threads = 0;  // 0: half the processors, at least 1 and at most 8
  // Enough for bursts; more in a queue would only hide that the work does not get done.
  std::size_t queue_capacity = 4096;
  // An idle thread looks for a task for so long before it sleeps.
  std::chrono::nanoseconds awake_time{0};
  int nice = 15;
  std::string thread_name = "weft-pool";
};

class FixedPool {
 public:
  // Throws std::system_error when a thread cannot be had.
  explicit FixedPool(const FixedPoolOptions& options = {});

  PoolAnswer submit(PoolTask& task) noexcept { return threads_.submit(task); }
  void stop() { threads_.stop(); }

  bool on_own_thread() const noexcept { return threads_.on_own_thread(); }
  unsigned threads() const noexcept { return threads_.threads(); }
  unsigned busy() const noexcept { return threads_.busy(); }
  std::size_t queued() const noexcept { return threads_.queued(); }
  unsigned idle() const noexcept { return threads_.idle(); }
  static const char* name() noexcept { return "fixed"; }

 private:
  PoolThreads threads_;
};

static_assert(WorkerPool<FixedPool>);

}  // namespace weft::ksvc
