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
      slot.thread = std::thread(
          [this, &slot, topology] { serve<Topology, ConnectionModel>(slot, *topology); });
    } catch (const std::system_error& error) {
      report_ready(Failure{Step::thread, error.code().value()});
    } catch (const std::bad_alloc&) {
      report_ready(Failure{Step::thread, ENOMEM});
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, begun] { return reports_ == begun; });
}

template <class Topology, class ConnectionModel>
void Server::serve(Slot& slot, const Topology& topology) noexcept {
  using Worker = typename Topology::WorkerType;
  std::unique_ptr<Worker> worker;
  std::optional<Service<Worker, ConnectionModel>> service;
  std::optional<Failure> failure;
  try {
    gvt::WorkerOptions worker_options;
    worker_options.backend = backend_options();
    worker_options.scheduler.stack_bytes = options_.stack_bytes;
    worker_options.number = slot.number;
    worker_options.services = &*services_;
    if (options_.measure_turns) worker_options.turn_meter = &slot.turn_meter;
    worker_options.stall_detector = stall_detector_ ? &*stall_detector_ : nullptr;
    auto made = topology.make_worker(worker_options);
    if (made) {
      worker = std::move(made).value();
      service.emplace(*worker, site_, slot.listener_fd, slot.counters, connection_count_);
      slot.listener_fd = -1;
      if (shared_listener_) service->share_listener();
      if (slot.observer != nullptr) service->observe(*slot.observer);
    } else {
      failure = {Step::backend, made.error().os_errno};
    }
  } catch (const std::system_error& error) {
    failure = {Step::worker, error.code().value()};
  } catch (...) {
    failure = {Step::worker, ENOMEM};
  }
  if (!failure) {
    slot.begin_drain = [&service] { service->begin_drain(); };
    // What waits in a line must not begin any more, and what blocks on another thread must end.
    slot.stop = [&worker, &service] {
      service->handlers_cancel().cancel(detail::CancelReason::cancelled);
      worker->stop();
    };
    slot.take_routes = [&service] { service->take_routes(); };
    service->follow(slot.feed);
    const std::lock_guard lock(mutex_);
    slot.post = [&worker](gvt::Runnable& task) { worker->post(task); };
  }
  report_ready(failure);
  if (wait_for_open()) {
    service->start();
    worker->run();
  }
  // As long as one hangs there this counts as a worker that has not ended.
  if (service && service->handlers_waiting() > 0 && options_.wait_for_handlers_elsewhere) {
    {
      const std::lock_guard lock(mutex_);
      slot.waits_elsewhere = true;
    }
    options_.wait_for_handlers_elsewhere();
  }
  bool last = false;
  {
    // From here on nobody may reach this worker any more.
    const std::lock_guard lock(mutex_);
    slot.post = nullptr;
  }
  const std::size_t unfinished = service ? service->handlers_waiting() : 0;
  service.reset();
  slot.feed.forget_all();
  if (unfinished > 0) {
    // Others may still hold on to what is parked there, or write to its stacks: pool threads, the
    // kernel, whoever has the other end of a channel. So it stays, without being run.
    if (site_.log_level >= LogLevel::warning) {
      site_.log(std::to_string(unfinished) +
                " handlers did not end when they were cancelled; their memory is left where it is");
    }
    gvt::sanitizer::leave_for_good(worker.release());
  }
  {
    const std::lock_guard lock(mutex_);
    last = --running_ == 0 && started_;
  }
  if (last && options_.on_end) options_.on_end();
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
