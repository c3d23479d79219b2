#include "ksvc/pool/lazy_pool.hpp"

#include <algorithm>
#include <thread>

namespace weft::ksvc {

namespace {

PoolThreadsOptions lazy(const LazyPoolOptions& options) {
  unsigned most = options.most_threads;
  if (most == 0) most = std::clamp(std::thread::hardware_concurrency() * 4, 4U, 64U);
  return {.fewest = 1,
          .most = most,
          .queue_capacity = options.queue_capacity,
          .idle_time = options.idle_time,
          .awake_time = options.awake_time,
          .nice = options.nice,
          .thread_name = options.thread_name};
}

}  // namespace

LazyPool::LazyPool(const LazyPoolOptions& options) : threads_(lazy(options)) {}

}  // namespace weft::ksvc
