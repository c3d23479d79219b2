#include "http/server.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "gvt/worker.hpp"
#include "http/service_impl.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/instance/named_instances.hpp"
#include "net/address.hpp"

namespace weft::http {

// What a worker shows the outside: its counters, and a way in for as long as it runs.
struct Server::Slot {
  struct Command : gvt::Runnable {
    Command(Slot& owner, Run run_function) : Runnable(run_function), slot(owner) {}
    Slot& slot;
    bool posted = false;
  };

  Slot() = default;
  ~Slot() {
    if (listener_fd >= 0) ::close(listener_fd);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  static void drain_now(gvt::Runnable& self) { static_cast<Command&>(self).slot.begin_drain(); }
  static void stop_now(gvt::Runnable& self) { static_cast<Command&>(self).slot.stop(); }

  WorkerCounters counters;
  int listener_fd = -1;  // until the service takes it over
  std::thread thread;
  // Set by the worker's thread while it runs; guarded by Server::mutex_.
  std::function<void(gvt::Runnable&)> post;
  // Called on the worker's thread only.
  std::function<void()> begin_drain;
  std::function<void()> stop;
  Command drain_command{*this, &Slot::drain_now};
  Command stop_command{*this, &Slot::stop_now};
};

Server::Server(const Site& site, ServerOptions options)
    : site_(site), options_(std::move(options)) {}

Server::~Server() {
  cut_off();
  join();
}

std::optional<StartFailure> Server::start() {
  WEFT_ASSERT(slots_.empty() && options_.workers > 0);
  const net::ListenAddress& address = options_.address;
  const std::string cannot = "cannot listen on " + address.host + ":";
  if (!net::parse_address(address.host, address.port)) {
    return StartFailure{cannot + std::to_string(address.port) +
                        ": give an IPv4 or IPv6 address, or localhost"};
  }
  // Before the listeners, so that each is closed, whatever comes.
  for (unsigned i = 0; i < options_.workers; ++i) slots_.push_back(std::make_unique<Slot>());
  const auto listeners = net::listen_on(address, options_.workers);
  if (!listeners) {
    const Error error = listeners.error();
    slots_.clear();
    return StartFailure{cannot + std::to_string(address.port) + ": " + error.message() +
                        advice_for(error.os_errno)};
  }
  port_ = (*listeners).port;
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i]->listener_fd = (*listeners).fds[i];
  start_threads();
  std::optional<Failure> failure;
  bool ended_already = false;
  {
    const std::lock_guard lock(mutex_);
    failure = first_failure_;
    started_ = !failure;
    ended_already = started_ && running_ == 0;
  }
  if (ended_already && options_.on_end) options_.on_end();
  if (!failure) return std::nullopt;
  cut_off();
  join();
  slots_.clear();
  return told(*failure);
}

void Server::start_threads() {
  std::size_t begun = 0;
  for (const auto& made : slots_) {
    Slot& slot = *made;
    {
      const std::lock_guard lock(mutex_);
      if (first_failure_) break;
      ++running_;
    }
    ++begun;
    try {
      slot.thread = std::thread([this, &slot] {
        if (options_.backend == ksvc::BackendKind::io_uring) {
          serve<ksvc::RuntimeTraits>(slot);
        } else {
          serve<ksvc::RuntimeEpollTraits>(slot);
        }
      });
    } catch (const std::system_error& error) {
      report_ready(Failure{Step::thread, error.code().value()});
    } catch (const std::bad_alloc&) {
      report_ready(Failure{Step::thread, ENOMEM});
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, begun] { return reports_ == begun; });
}

void Server::open() {
  const std::lock_guard lock(mutex_);
  WEFT_ASSERT(started_);
  open_ = !end_wanted_;
  changed_.notify_all();
}

template <class Traits>
void Server::serve(Slot& slot) noexcept {
  using Worker = gvt::WorkerOf<Traits>;
  std::unique_ptr<Worker> worker;
  std::optional<Service<Worker>> service;
  std::optional<Failure> failure;
  try {
    gvt::WorkerOptions worker_options;
    worker_options.scheduler.stack_bytes = options_.stack_bytes;
    auto made = Worker::create(worker_options);
    if (made) {
      worker = std::move(made).value();
      service.emplace(*worker, site_, slot.listener_fd, slot.counters);
      slot.listener_fd = -1;
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
    slot.stop = [&worker] { worker->stop(); };
    const std::lock_guard lock(mutex_);
    slot.post = [&worker](gvt::Runnable& task) { worker->post(task); };
  }
  report_ready(failure);
  if (wait_for_open()) {
    service->start();
    worker->run();
  }
  bool last = false;
  {
    // From here on nobody may reach this worker any more.
    const std::lock_guard lock(mutex_);
    slot.post = nullptr;
  }
  service.reset();
  {
    const std::lock_guard lock(mutex_);
    last = --running_ == 0 && started_;
  }
  if (last && options_.on_end) options_.on_end();
}

bool Server::wait_for_open() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ || end_wanted_ || first_failure_; });
  return open_;
}

void Server::report_ready(std::optional<Failure> failure) noexcept {
  const std::lock_guard lock(mutex_);
  if (!first_failure_) first_failure_ = failure;
  ++reports_;
  changed_.notify_all();
}

StartFailure Server::told(const Failure& failure) const {
  const std::string reason =
      std::string(": ") + std::strerror(failure.os_errno) + advice_for(failure.os_errno);
  switch (failure.step) {
    case Step::thread: return {"cannot start a thread for each worker" + reason};
    case Step::worker: return {"cannot set up every worker" + reason};
    case Step::backend: break;
  }
  return {std::string("cannot set up ") + ksvc::backend_name(options_.backend) + reason,
          failure.os_errno};
}

void Server::post(bool cut) {
  const std::lock_guard lock(mutex_);
  end_wanted_ = true;
  changed_.notify_all();
  for (const auto& slot : slots_) {
    Slot::Command& command = cut ? slot->stop_command : slot->drain_command;
    if (!slot->post || std::exchange(command.posted, true)) continue;
    slot->post(command);
  }
}

void Server::drain() { post(false); }

void Server::cut_off() { post(true); }

void Server::join() {
  const std::lock_guard lock(join_mutex_);
  for (const auto& slot : slots_) {
    if (slot->thread.joinable()) slot->thread.join();
  }
}

ServerFigures Server::figures() const noexcept {
  ServerFigures sum;
  for (const auto& slot : slots_) {
    const WorkerCounters& counters = slot->counters;
    // Closed is read first: reading it last could count a connection as closed but not accepted.
    const std::uint64_t closed = counters.closed.value();
    const std::uint64_t accepted = counters.accepted.value();
    sum.accepted += accepted;
    sum.open += accepted - closed;
    sum.requests += counters.requests.value();
    sum.handler_errors += counters.handler_errors.value();
    sum.parked += counters.parked.value();
    for (std::size_t i = 0; i < 6; ++i) sum.answers[i] += counters.answers[i].value();
  }
  return sum;
}

std::string advice_for(int os_errno) {
  switch (os_errno) {
    case EMFILE:
    case ENFILE: return "; raise the open-files limit (ulimit -n) or use fewer workers";
    case ENOMEM: return "; raise the limit on memory (ulimit -v) or use fewer workers";
    case EAGAIN:
      return "; raise the limit on threads (ulimit -u) or on memory (ulimit -v), or use fewer "
             "workers";
    case EACCES: return "; ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    default: return {};
  }
}

}  // namespace weft::http
