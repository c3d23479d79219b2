#include "gvt/services.hpp"

#include "ksvc/core/assert.hpp"

namespace weft::gvt {

using ksvc::PoolAnswer;

Services::~Services() {
  if (pool_ != nullptr) pool_->stop();
}

void Services::submit(Job& job) {
  std::call_once(pool_made_, [this] {
    pool_ = std::make_unique<ksvc::LazyPool>(pool_options_);
    pool_ready_ = pool_.get();
  });
  job.services = this;
  // Who comes later does not overtake.
  if (!line_.load(std::memory_order_seq_cst) && pool_->submit(job) == PoolAnswer::accepted) return;
  {
    const std::lock_guard guard(line_mutex_);
    job.behind = nullptr;
    *last_in_line_ = &job;
    last_in_line_ = &job.behind;
    line_.store(true, std::memory_order_seq_cst);
  }
  // What filled the pool may have ended before there was a line for it to look at.
  refill();
}

void Services::refill() noexcept {
  const std::lock_guard guard(line_mutex_);
  while (first_in_line_ != nullptr) {
    Job& job = *first_in_line_;
    // Taken out before it is handed over: from then on it may be gone.
    Job* const behind = job.behind;
    const PoolAnswer answer = pool_->submit(job);
    WEFT_ASSERT(answer != PoolAnswer::stopped);
    if (answer == PoolAnswer::full) break;
    first_in_line_ = behind;
  }
  if (first_in_line_ != nullptr) return;
  last_in_line_ = &first_in_line_;
  line_.store(false, std::memory_order_seq_cst);
}

void Services::run_job(ksvc::PoolTask& task) noexcept {
  Job& job = static_cast<Job&>(task);
  Services& services = *job.services;
  job.body(job);
  if (services.line_.load(std::memory_order_seq_cst)) services.refill();
}

}  // namespace weft::gvt
