// Services: what the workers of one program share: the pool, and where system calls go.
//
// Any thread. It must outlive the workers that use it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "ksvc/core/worker_pool.hpp"
#include "ksvc/pool/lazy_pool.hpp"
#include "ksvc/router/probe_router.hpp"

namespace weft::gvt {

class Services {
 public:
  Services(const ksvc::KernelFeatures& features, const ksvc::LazyPoolOptions& pool)
      : router_(features), pool_options_(pool) {}
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;
  ~Services();

  const ksvc::ProbeRouter& router() const noexcept { return router_; }

  // A piece of work for the pool. Its body may end the life of it.
  struct Job : ksvc::PoolTask {
    using Body = void (*)(Job& self) noexcept;
    explicit Job(Body to_do) noexcept : PoolTask(&Services::run_job), body(to_do) {}

    Body body;
    Services* services = nullptr;
    Job* behind = nullptr;  // in the line of those that wait for room
  };

  // The pool runs it, as soon as there is room. Throws std::system_error when not one thread can be
  // had.
  void submit(Job& job);
  // Null until something has been submitted.
  const ksvc::LazyPool* pool() const noexcept { return pool_ready_.load(); }

 private:
  static void run_job(ksvc::PoolTask& task) noexcept;
  void refill() noexcept;

  ksvc::ProbeRouter router_;
  ksvc::LazyPoolOptions pool_options_;
  std::once_flag pool_made_;
  std::unique_ptr<ksvc::LazyPool> pool_;
  std::atomic<ksvc::LazyPool*> pool_ready_ = nullptr;
  // Jobs that the pool had no room for, in order; each job that ends lets others in.
  std::mutex line_mutex_;
  Job* first_in_line_ = nullptr;
  Job** last_in_line_ = &first_in_line_;
  std::atomic<bool> line_ = false;
};

}  // namespace weft::gvt
