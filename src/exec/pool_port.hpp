// PoolPort: a WorkerPool whose type is not known, so that what hands work to one is compiled once.
//
// As the pool behind it: see ksvc/core/worker_pool.hpp.
#pragma once

#include <cstddef>
#include <utility>

#include "ksvc/core/worker_pool.hpp"

namespace weft::exec {

class PoolPort {
 public:
  virtual ~PoolPort() = default;

  virtual ksvc::PoolAnswer submit(ksvc::PoolTask& task) noexcept = 0;
  virtual void stop() = 0;
  virtual bool on_own_thread() const noexcept = 0;
  virtual unsigned threads() const noexcept = 0;
  virtual unsigned busy() const noexcept = 0;
};

template <ksvc::WorkerPool Pool>
class PoolPortOf final : public PoolPort {
 public:
  template <class... Arguments>
  explicit PoolPortOf(Arguments&&... arguments) : pool_(std::forward<Arguments>(arguments)...) {}

  ksvc::PoolAnswer submit(ksvc::PoolTask& task) noexcept override { return pool_.submit(task); }
  void stop() override { pool_.stop(); }
  bool on_own_thread() const noexcept override { return pool_.on_own_thread(); }
  unsigned threads() const noexcept override { return pool_.threads(); }
  unsigned busy() const noexcept override { return pool_.busy(); }

  Pool& pool() noexcept { return pool_; }

 private:
  Pool pool_;
};

}  // namespace weft::exec
