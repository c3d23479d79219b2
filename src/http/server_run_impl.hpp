// The member functions of Server that depend on the connection model, for the files that
// instantiate them: one for each model, so that each is compiled by itself.
#pragma once

#include <cerrno>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "gvt/sanitizer.hpp"
#include "gvt/topology.hpp"
#include "gvt/worker.hpp"
#include "http/server_impl.hpp"
#include "http/service_impl.hpp"
#include "ksvc/instance/named_instances.hpp"

namespace weft::http {

template <class Topology, class ConnectionModel>
class Server::Serving final : public ServedSlot {
 public:
  Serving(Server& server, Slot& slot, std::shared_ptr<const Topology> topology) noexcept
      : server_(server), slot_(slot), topology_(std::move(topology)) {}

  std::optional<Failure> set_up() noexcept override;
  void begin() override {
    service_->start();
    worker_->begin();
  }
  bool resume() noexcept override { return worker_->resume(); }
  void leave() override { worker_->end(); }
  void end() noexcept override;
  gvt::Scheduler& scheduler() noexcept override { return *worker_; }
  gvt::BlockingIo& io() noexcept override { return worker_->io(); }

 private:
  using Worker = typename Topology::WorkerType;

  std::optional<Failure> make();
  void open_ways_in();

  Server& server_;
  Slot& slot_;
  std::shared_ptr<const Topology> topology_;
  std::unique_ptr<Worker> worker_;
  std::optional<Service<Worker, ConnectionModel>> service_;
};

template <class Topology, class ConnectionModel>
auto Server::Serving<Topology, ConnectionModel>::set_up() noexcept -> std::optional<Failure> {
  try {
    const std::optional<Failure> failure = make();
    if (!failure) open_ways_in();
    return failure;
  } catch (const std::system_error& error) {
    return Failure{Step::worker, error.code().value()};
  } catch (...) {
    return Failure{Step::worker, ENOMEM};
  }
}

template <class Topology, class ConnectionModel>
auto Server::Serving<Topology, ConnectionModel>::make() -> std::optional<Failure> {
  gvt::WorkerOptions worker_options;
  worker_options.backend = server_.backend_options();
  worker_options.scheduler.stack_bytes = server_.options_.stack_bytes;
  worker_options.number = slot_.number;
  worker_options.services = &*server_.services_;
  if (server_.options_.measure_turns) worker_options.turn_meter = &slot_.turn_meter;
  worker_options.stall_detector = server_.stall_detector_ ? &*server_.stall_detector_ : nullptr;
  auto made = topology_->make_worker(worker_options);
  if (!made) return Failure{Step::backend, made.error().os_errno};
  worker_ = std::move(made).value();
  service_.emplace(*worker_, server_.site_, slot_.listener_fd, slot_.counters,
                   server_.connection_count_);
  slot_.listener_fd = -1;
  if (server_.shared_listener_) service_->share_listener();
  if (slot_.observer != nullptr) service_->observe(*slot_.observer);
  return std::nullopt;
}

template <class Topology, class ConnectionModel>
void Server::Serving<Topology, ConnectionModel>::open_ways_in() {
  slot_.begin_drain = [this] { service_->begin_drain(); };
  // What waits in a line must not begin any more, and what blocks on another thread must end.
  slot_.stop = [this] {
    service_->handlers_cancel().cancel(detail::CancelReason::cancelled);
    worker_->stop();
  };
  slot_.take_routes = [this] { service_->take_routes(); };
  service_->follow(slot_.feed);
  const std::lock_guard lock(server_.mutex_);
  slot_.post = [this](gvt::Runnable& task) { worker_->post(task); };
}

template <class Topology, class ConnectionModel>
void Server::Serving<Topology, ConnectionModel>::end() noexcept {
  const auto& wait_for_handlers = server_.options_.wait_for_handlers_elsewhere;
  // As long as one hangs there this counts as a worker that has not ended.
  if (service_ && service_->handlers_waiting() > 0 && wait_for_handlers) {
    {
      const std::lock_guard lock(server_.mutex_);
      slot_.waits_elsewhere = true;
    }
    wait_for_handlers();
  }
  {
    // From here on nobody may reach this worker any more.
    const std::lock_guard lock(server_.mutex_);
    slot_.post = nullptr;
  }
  const std::size_t unfinished = service_ ? service_->handlers_waiting() : 0;
  service_.reset();
  slot_.feed.forget_all();
  if (unfinished > 0) {
    // Others may still hold on to what is parked there, or write to its stacks: pool threads, the
    // kernel, whoever has the other end of a channel. So it stays, without being run.
    if (server_.site_.log_level >= LogLevel::warning) {
      server_.site_.log(
          std::to_string(unfinished) +
          " handlers did not end when they were cancelled; their memory is left where it is");
    }
    gvt::sanitizer::leave_for_good(worker_.release());
  }
  // On the thread that it was made by.
  worker_.reset();
  bool last = false;
  {
    const std::lock_guard lock(server_.mutex_);
    last = --server_.running_ == 0 && server_.started_;
  }
  if (last && server_.options_.on_end) server_.options_.on_end();
}

template <class Topology, class ConnectionModel>
void Server::start_threads() {
  auto made = Topology::start(backend_options());
  if (!made) return report_ready(Failure{Step::backend, made.error().os_errno});
  const auto topology = std::make_shared<const Topology>(std::move(made).value());
  std::size_t begun = 0;
  for (const auto& one : slots_) {
    Slot& slot = *one;
    {
      const std::lock_guard lock(mutex_);
      if (first_failure_) break;
      ++running_;
    }
    ++begun;
    try {
      auto serving = std::make_unique<Serving<Topology, ConnectionModel>>(*this, slot, topology);
      if (options_.first_on_caller && &one == &slots_.front()) {
        callers_ = std::move(serving);
        report_ready(callers_->set_up());
        continue;
      }
      slot.thread = std::thread([this, served = std::move(serving)] { serve(*served); });
    } catch (const std::system_error& error) {
      report_ready(Failure{Step::thread, error.code().value()});
    } catch (const std::bad_alloc&) {
      report_ready(Failure{Step::thread, ENOMEM});
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, begun] { return reports_ == begun; });
}

template <class ConnectionModel>
void Server::start_workers_as() {
  const bool uring = options_.backend == ksvc::BackendKind::io_uring;
  if (options_.topology == Topology::one_reactor) {
    uring ? start_threads<gvt::OneReactor<ksvc::RuntimeTraits>, ConnectionModel>()
          : start_threads<gvt::OneReactor<ksvc::RuntimeEpollTraits>, ConnectionModel>();
  } else {
    uring ? start_threads<gvt::PerWorkerReactor<ksvc::RuntimeTraits>, ConnectionModel>()
          : start_threads<gvt::PerWorkerReactor<ksvc::RuntimeEpollTraits>, ConnectionModel>();
  }
}

}  // namespace weft::http
