// LazyPool: the WorkerPool that makes threads as they are needed and lets them go when they are
// not.
//
// Right where the work blocks: no task waits while another thread may still be made, so tasks that
// wait for one another get on as long as `most_threads` lasts. A submit that makes a thread costs
// as much as that. Any thread submits and asks.
#pragma once

#include <chrono>
#include <string>

#include "ksvc/pool/pool_threads.hpp"

namespace weft::ksvc {

struct LazyPoolOptions {
  unsigned most_threads = 0;  // 0: four per processor, at least 4 and at most 64
  std::size_t queue_capacity = 4096;
  // Longer than the gaps in a steady load, or it would make and end threads all the time.
  std::chrono::nanoseconds idle_time = std::chrono::seconds(10);
  // An idle thread looks for a task for so long before it sleeps.
  std::chrono::nanoseconds awake_time{0};
  int nice = 15;
  std::string thread_name = "weft-lazy";
};

class LazyPool {
 public:
  // Starts with one thread; throws std::system_error when that cannot be had.
  explicit LazyPool(const LazyPoolOptions& options = {});

  PoolAnswer submit(PoolTask& task) noexcept { return threads_.submit(task); }
  void stop() { threads_.stop(); }

  bool on_own_thread() const noexcept { return threads_.on_own_thread(); }
  unsigned threads() const noexcept { return threads_.threads(); }
  unsigned busy() const noexcept { return threads_.busy(); }
  std::size_t queued() const noexcept { return threads_.queued(); }
  unsigned idle() const noexcept { return threads_.idle(); }
  // Threads made beyond the first, and threads that went for want of work, since the start.
  std::uint64_t grown() const noexcept { return threads_.grown(); }
  std::uint64_t shrunk() const noexcept { return threads_.shrunk(); }
  static const char* name() noexcept { return "lazy"; }

 private:
  PoolThreads threads_;
};

static_assert(WorkerPool<LazyPool>);

}  // namespace weft::ksvc
