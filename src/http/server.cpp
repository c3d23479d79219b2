#include "http/server_impl.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <variant>

#include "ksvc/core/assert.hpp"
#include "net/address.hpp"

namespace weft::http {

Server::Server(const Site& site, ServerOptions options)
    : site_(site), options_(std::move(options)) {}

Server::~Server() {
  cut_off();
  end();
  join();
}

std::optional<StartFailure> Server::start() {
  WEFT_ASSERT(slots_.empty() && options_.workers > 0);
  // Before the listeners, so that each is closed, whatever comes.
  for (unsigned i = 0; i < options_.workers; ++i) {
    slots_.emplace_back(std::make_unique<Slot>())->number = i;
  }
  WEFT_ASSERT(options_.observers.empty() || options_.observers.size() == slots_.size());
  for (std::size_t i = 0; i < options_.observers.size(); ++i) {
    slots_[i]->observer = options_.observers[i];
  }
  if (auto failed = open_listeners()) {
    slots_.clear();
    return failed;
  }
  services_.emplace(ksvc::probe_kernel_features(), ksvc::LazyPoolOptions{});
  if (auto failed = start_stall_detector()) return failed;
  start_workers();
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
  end();
  join();
  slots_.clear();
  return told(*failure);
}

std::optional<StartFailure> Server::open_listeners() {
  if (options_.inherited_fd >= 0) {
    const auto listener = net::inherited_listener(options_.inherited_fd);
    if (const auto* refusal = std::get_if<std::string>(&listener)) return StartFailure{*refusal};
    return share(options_.inherited_fd);
  }
  if (options_.path.path.empty()) return open_own_listeners();
  const std::string cannot = "cannot listen on unix:" + options_.path.path + ": ";
  auto opened = net::listen_on(options_.path);
  if (const auto* refusal = std::get_if<std::string>(&opened))
    return StartFailure{cannot + *refusal};
  auto& listener = std::get<net::PathListener>(opened);
  socket_file_ = std::move(listener.file);
  auto failed = share(listener.fd);
  ::close(listener.fd);
  return failed;
}

std::optional<StartFailure> Server::open_own_listeners() {
  const net::ListenAddress& address = options_.address;
  const std::string place = address.host + ":" + std::to_string(address.port);
  if (!net::parse_address(address.host, address.port)) {
    return StartFailure{"cannot listen on " + place +
                        ": give an IPv4 or IPv6 address, or localhost"};
  }
  const auto listeners = net::listen_on(address, options_.workers);
  if (!listeners) {
    const Error error = listeners.error();
    return StartFailure{"cannot listen on " + place + ": " + error.message() +
                        advice_for(error.os_errno)};
  }
  port_ = (*listeners).port;
  const bool v6 = address.host.find(':') != std::string::npos;
  location_ =
      "http://" + (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(port_);
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i]->listener_fd = (*listeners).fds[i];
  return std::nullopt;
}

// Gives every worker a descriptor of its own of the one listener.
std::optional<StartFailure> Server::share(int listener_fd) {
  shared_listener_ = true;
  location_ = net::location_of(listener_fd);
  if (const auto endpoint = net::local_endpoint(listener_fd)) port_ = endpoint->port();
  for (const auto& slot : slots_) {
    slot->listener_fd = ::fcntl(listener_fd, F_DUPFD_CLOEXEC, 0);
    if (slot->listener_fd < 0) {
      const int failed = errno;
      return StartFailure{std::string("cannot give every worker the listener: ") +
                          std::strerror(failed) + advice_for(failed)};
    }
  }
  return std::nullopt;
}

std::optional<StartFailure> Server::start_stall_detector() {
  if (options_.stall_after.count() <= 0) return std::nullopt;
  try {
    stall_detector_.emplace(gvt::StallOptions{.threshold = options_.stall_after});
    return std::nullopt;
  } catch (const std::system_error& error) {
    slots_.clear();
    return told({Step::thread, error.code().value()});
  }
}

void Server::start_workers() {
  switch (options_.model) {
    case Model::green: return start_workers_as<models::Green>();
    case Model::coroutine: return start_workers_as<models::Coroutine>();
    case Model::callback: return start_workers_as<models::Callback>();
  }
}

void Server::open() {
  const std::lock_guard lock(mutex_);
  WEFT_ASSERT(started_);
  open_ = !end_wanted_;
  changed_.notify_all();
}

bool Server::begin() {
  WEFT_ASSERT(callers_ != nullptr && !callers_run_);
  {
    const std::lock_guard lock(mutex_);
    callers_run_ = open_;
  }
  if (callers_run_) callers_->begin();
  return callers_run_;
}

bool Server::resume() noexcept { return callers_->resume(); }

void Server::end() noexcept {
  if (callers_ == nullptr) return;
  if (std::exchange(callers_run_, false)) callers_->leave();
  callers_->end();
  callers_.reset();
}

gvt::Scheduler& Server::scheduler() noexcept { return callers_->scheduler(); }

gvt::BlockingIo& Server::io() noexcept { return callers_->io(); }

void Server::serve(ServedSlot& slot) noexcept {
  report_ready(slot.set_up());
  if (wait_for_open()) {
    slot.begin();
    while (slot.resume()) {
      // Nobody is at home on this thread: who visits it goes on at once.
    }
    slot.leave();
  }
  slot.end();
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
  // Who looks for it from now on does not find it; who has found it is still accepted.
  socket_file_.remove();
  for (const auto& slot : slots_) {
    Slot::Command& command = cut ? slot->stop_command : slot->drain_command;
    if (!slot->post || std::exchange(command.posted, true)) continue;
    slot->post(command);
  }
}

bool Server::has_room_for_route() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    if (slot->post && !slot->feed.has_room()) return false;
  }
  return true;
}

void Server::add_route(const NewRoute& route) noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    if (!slot->post) continue;
    route.untaken.add();
    const bool put = slot->feed.put(route);
    WEFT_ASSERT(put);
    if (!slot->route_notice.posted.exchange(true)) slot->post(slot->route_notice);
  }
}

void Server::drain() { post(false); }

void Server::cut_off() { post(true); }

std::string Server::hung_workers() {
  std::vector<unsigned> hung;
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& slot : slots_) {
      if (slot->waits_elsewhere && slot->post) {
        text += "weft: worker " + std::to_string(slot->number) +
                " has stopped, but a handler of its does not come back from the pool\n";
      } else if (slot->post) {
        hung.push_back(slot->number);
      }
    }
  }
  for (const unsigned worker : hung) {
    text +=
        "weft: worker " + std::to_string(worker) + " does not come back to its loop; it is at\n";
    text += stall_detector_ ? stall_detector_->where_is(worker)
                            : "   (nobody watches: stall_after is 0)\n";
  }
  return text;
}

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
    sum.refused += counters.refused.value();
    sum.requests += counters.requests.value();
    sum.handler_errors += counters.handler_errors.value();
    sum.parked += counters.parked.value();
    for (std::size_t i = 0; i < 6; ++i) sum.answers[i] += counters.answers[i].value();
  }
  return sum;
}

std::vector<const gvt::TurnMeter*> Server::turn_meters() const {
  std::vector<const gvt::TurnMeter*> meters;
  if (!options_.measure_turns) return meters;
  for (const auto& slot : slots_) meters.push_back(&slot->turn_meter);
  return meters;
}

std::vector<std::uint64_t> Server::operations_in_flight() const {
  std::vector<std::uint64_t> counts;
  for (const auto& slot : slots_) counts.push_back(slot->counters.operations.value());
  return counts;
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
