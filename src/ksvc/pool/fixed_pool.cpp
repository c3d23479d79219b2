#include "ksvc/pool/fixed_pool.hpp"

#include <algorithm>
#include <thread>

namespace weft::ksvc {

namespace {

PoolThreadsOptions fixed(const FixedPoolOptions& options) {
  unsigned threads = options.threads;
  if (threads == 0) threads = std::clamp(std::thread::hardware_concurrency() / 2, 1U, 8U);
  return {.fewest = threads,
          .most = threads,
          .queue_capacity = options.queue_capacity,
          .awake_time = options.awake_time,
          .nice = options.nice,
          .thread_name = options.thread_name};
}

}  // namespace

FixedPool::FixedPool(const FixedPoolOptions& options) : threads_(fixed(options)) {}

}  // namespace weft::ksvc
