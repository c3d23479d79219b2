#include "http/server.hpp"

#include <cerrno>
#include <cstring>
#include <optional>

#include "gvt/worker.hpp"
#include "http/service_impl.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::http {

// What a worker shows the outside: its counters, and a way in for as long as it runs.
struct Server::Slot {
  struct Command : gvt::Runnable {
    Command(Slot& owner, Run run_function) : Runnable(run_function), slot(owner) {}
    Slot& slot;
    bool posted = false;
  };

  static void drain_now(gvt::Runnable& self) { static_cast<Command&>(self).slot.begin_drain(); }
  static void stop_now(gvt::Runnable& self) { static_cast<Command&>(self).slot.stop(); }

  WorkerCounters counters;
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

Result<void> Server::start(std::string& error_text) {
  WEFT_ASSERT(slots_.empty() && options_.workers > 0);
  auto listeners = net::listen_on(options_.address, options_.workers);
  if (!listeners) {
    error_text = "cannot listen on " + options_.address.host + ":" +
                 std::to_string(options_.address.port) + ": " + listeners.error().message();
    return listeners.error();
  }
  port_ = listeners->port;
  running_ = options_.workers;
  // All slots before the first thread: a handler may ask for the figures at once.
  for (unsigned i = 0; i < options_.workers; ++i) slots_.push_back(std::make_unique<Slot>());
  for (unsigned i = 0; i < options_.workers; ++i) {
    Slot& slot = *slots_[i];
    slot.thread = std::thread([this, &slot, fd = listeners->fds[i]] {
      if (options_.backend == ksvc::BackendKind::io_uring) {
        run_worker<ksvc::BasicIoUring>(slot, fd);
      } else {
        run_worker<ksvc::Epoll>(slot, fd);
      }
    });
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_ == options_.workers; });
    error_text = first_error_;
  }
  if (error_text.empty()) return {};
  cut_off();
  join();
  return Error{ErrorCode::system, 0};
}

template <class Backend>
void Server::run_worker(Slot& slot, int listener_fd) {
  gvt::WorkerOptions worker_options;
  worker_options.scheduler.stack_bytes = options_.stack_bytes;
  auto made = gvt::Worker<Backend>::create(worker_options);
  if (!made) {
    ::close(listener_fd);
    return report_ready(
        slot, std::string("cannot set up ") + Backend::name() + ": " + made.error().message());
  }
  gvt::Worker<Backend>& worker = **made;
  {
    Service<gvt::Worker<Backend>> service(worker, site_, listener_fd, slot.counters);
    slot.begin_drain = [&service] { service.begin_drain(); };
    slot.stop = [&worker] { worker.stop(); };
    {
      const std::lock_guard lock(mutex_);
      slot.post = [&worker](gvt::Runnable& task) { worker.post(task); };
    }
    service.start();
    report_ready(slot, {});
    worker.run();
    // From here on nobody may reach this worker any more.
    const std::lock_guard lock(mutex_);
    slot.post = nullptr;
  }
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    last = --running_ == 0;
  }
  if (last && options_.on_end) options_.on_end();
}

void Server::report_ready(Slot&, std::string error_text) {
  const std::lock_guard lock(mutex_);
  if (first_error_.empty()) first_error_ = std::move(error_text);
  ++ready_;
  changed_.notify_all();
}

void Server::post(bool cut) {
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    Slot::Command& command = cut ? slot->stop_command : slot->drain_command;
    if (!slot->post || std::exchange(command.posted, true)) continue;
    slot->post(command);
  }
}

void Server::drain() { post(false); }

void Server::cut_off() { post(true); }

void Server::join() {
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

}  // namespace weft::http
