// Topologies: how the workers of one program reach the kernel.
//
// PerWorkerReactor gives each worker a back end of its own: nothing is shared, the fastest for
// servers. OneReactor has one back end on a thread of its own, which all workers share: they never
// enter the kernel for their operations, at the price of a hand-over between threads for each. The
// programs on top are the same. Any thread may ask for a worker; each is made, run and destroyed on
// its own thread.
#pragma once

#include <memory>
#include <utility>

#include "gvt/worker.hpp"
#include "ksvc/instance/shared_reactor_traits.hpp"
#include "ksvc/reactor/shared_reactor.hpp"
#include "weft/result.hpp"

namespace weft::gvt {

template <class Traits>
class PerWorkerReactor {
 public:
  using WorkerType = WorkerOf<Traits>;

  // The back end is made with the worker, of its options.
  static Result<PerWorkerReactor> start(const ksvc::BackendOptions& = {}) {
    return PerWorkerReactor();
  }
  Result<std::unique_ptr<WorkerType>> make_worker(const WorkerOptions& options) const {
    return WorkerType::create(options);
  }
};

template <class Traits>
class OneReactor {
 public:
  using WorkerType = WorkerOf<ksvc::SharedReactorTraits<Traits>>;

  static Result<OneReactor> start(const ksvc::BackendOptions& options = {}) {
    ksvc::SharedReactorOptions reactor_options;
    reactor_options.backend = options;
    auto reactor = Reactor::start(reactor_options);
    if (!reactor) return reactor.error();
    return OneReactor(std::move(reactor).value());
  }
  Result<std::unique_ptr<WorkerType>> make_worker(const WorkerOptions& options) const {
    auto backend = reactor_->make_backend();
    if (!backend) return backend.error();
    return WorkerType::assemble(options, std::move(backend).value(), typename Traits::Clock());
  }

 private:
  using Reactor = ksvc::SharedReactor<typename Traits::Backend>;

  explicit OneReactor(std::shared_ptr<Reactor> reactor) noexcept : reactor_(std::move(reactor)) {}

  std::shared_ptr<Reactor> reactor_;
};

}  // namespace weft::gvt
