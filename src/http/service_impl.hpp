// The member functions of Service, for the files that instantiate it.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <string>

#include "http/connection_impl.hpp"
#include "http/log_text.hpp"
#include "http/service.hpp"
#include "ksvc/core/assert.hpp"
#include "net/address.hpp"

namespace weft::http {

template <class Worker, class Model>
Service<Worker, Model>::Service(Worker& worker, const Site& site, int listener_fd,
                                WorkerCounters& counters, ConnectionCount& connection_count)
    : worker_(worker),
      site_(site),
      router_(site.router),
      endpoints_(site.endpoints),
      counters_(counters),
      connection_count_(connection_count),
      common_fields_(site.server_field),
      budget_(site.limits,
              [this] {
                complain(LogLevel::warning, [this] {
                  return "slow clients hold " + std::to_string(limits().buffered_bytes) +
                         " bytes: further ones are answered 503 or closed";
                });
              }),
      accept_target_(*this, &Service::accepted),
      look_target_(*this, &Service::looked),
      accept_timer_(*this, &Service::accept_again),
      drain_timer_(*this, &Service::stop_accepting),
      grace_timer_(*this, &Service::grace_ended),
      cancel_rest_timer_(*this, &Service::cancel_rest_ended),
      listener_fd_(listener_fd) {
  worker_.observe_turns(this);
  refresh_date();
}

template <class Worker, class Model>
Service<Worker, Model>::~Service() {
  worker_.observe_turns(nullptr);
  for (ServiceTimer* timer : {&accept_timer_, &drain_timer_, &grace_timer_, &cancel_rest_timer_}) {
    worker_.timers().clear(*timer);
  }
  ending_ = true;
  if (accepting_) {
    worker_.backend().submit(ksvc::Cancel{listener_fd_, accept_target_.corr_id()}, 0);
  }
  if (looking_) worker_.backend().submit(ksvc::Cancel{listener_fd_, look_target_.corr_id()}, 0);
  connections_.visit([](Connection<Worker, Model>& connection) { connection.cut_off(); });
  run_until_at_rest();
  connections_.visit([this](Connection<Worker, Model>& connection) {
    forget(connection);
    connection.close();
    connection.leave_request();
  });
  if (listener_fd_ >= 0) close_listener();
  run_until_at_rest();
}

// Until the kernel has nothing of ours any more and has taken what it was given.
template <class Worker, class Model>
void Service<Worker, Model>::run_until_at_rest() {
  auto& backend = worker_.backend();
  // All of it ends at once; not to hang is worth more than to be sure of that.
  const gvt::TimePoint give_up = worker_.now() + std::chrono::seconds(1);
  ksvc::DirectWakeSink sink;
  do {
    backend.submit_and_wait(at_rest() ? 0 : 1, give_up);
    backend.drain(sink);
  } while (!(at_rest() && backend.settled()) && worker_.now() < give_up);
}

template <class Worker, class Model>
bool Service<Worker, Model>::at_rest() {
  bool all = !accepting_ && !looking_;
  connections_.visit([&all](Connection<Worker, Model>& one) { all = all && one.at_rest(); });
  return all;
}

template <class Worker, class Model>
void Service<Worker, Model>::start() {
  arm_accept();
}

template <class Worker, class Model>
void Service<Worker, Model>::arm_accept() {
  accepting_ = true;
  operation_begins();
  const bool wait = !waits_for_nobody_;
  // The kernel gives a client to whoever has waited longest at the listener. Who shares one stands
  // in line anew for each, or the same worker would get all of them.
  const bool many = wait && !listener_is_shared_;
  worker_.backend().submit(ksvc::Accept{listener_fd_, many, wait}, accept_target_.corr_id());
}

template <class Worker, class Model>
void Service<Worker, Model>::accepted(ksvc::CompletionTarget& target, unsigned,
                                      const ksvc::Completion& completion) {
  Service& self = static_cast<ListenerTarget&>(target).service;
  if (completion.result >= 0) self.adopt(completion.result);
  if (completion.more) return;
  self.accepting_ = false;
  self.operation_ends();
  if (!self.ending_) self.accept_ended(completion.result);
}

template <class Worker, class Model>
void Service<Worker, Model>::accept_ended(std::int32_t result) {
  if (stop_accepting_) {
    if (!waits_for_nobody_) return accept_what_is_left();
    if (result == -EAGAIN) {
      close_listener();
      return stop_if_drained();
    }
  }
  // Another worker that shares the listener is done with waiting, and so has made it wait for
  // nobody. The drain's timer takes what is there.
  if (draining_ && listener_is_shared_ && result == -EAGAIN) return;
  // A client that has gone before it was accepted is no reason to wait.
  if (result < 0 && result != -ECONNABORTED && result != -EINTR) return accept_failed(-result);
  arm_accept();
}

template <class Worker, class Model>
void Service<Worker, Model>::adopt(int fd) {
  if (ending_) return worker_.backend().submit(ksvc::Close{fd}, 0);
  std::optional<ClientAddress> from;
  if (limits().connections_per_address > 0) [[unlikely]] {
    from = client_address_of(fd);
    if (from && !let_in_from(*from)) {
      complain(LogLevel::warning, [&] {
        const auto client = net::peer_endpoint(fd);
        return "closed a connection of " + (client ? client->host() : "a client") +
               ", which has as many as one client may: " +
               std::to_string(limits().connections_per_address);
      });
      return turn_away(fd, std::nullopt);
    }
  }
  make_connection(fd, from);
}

template <class Worker, class Model>
bool Service<Worker, Model>::let_in_from(ClientAddress address) {
  try {
    return connection_count_.let_in_from(address, limits().connections_per_address);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

template <class Worker, class Model>
void Service<Worker, Model>::make_connection(int fd, std::optional<ClientAddress> from) {
  const bool let_in = connection_count_.let_in(limits().connections);
  if (!let_in) [[unlikely]] {
    complain(LogLevel::warning, [&] {
      return "the limit of " + std::to_string(limits().connections) +
             " connections is reached: further ones are answered 503";
    });
    if (refused_ >= limits().refused_connections) return turn_away(fd, from);
  }
  Connection<Worker, Model>* connection = nullptr;
  try {
    connection = &connections_.create(*this, fd);
    if (from) addresses_.emplace(connection, *from);
  } catch (const std::bad_alloc&) {
    if (connection != nullptr) connections_.destroy(*connection);
    if (let_in) connection_count_.let_go();
    return turn_away(fd, from);
  }
  counters_.accepted.add(1);
  forget_peer(fd);
  if (let_in) [[likely]] {
    connection->start();
    if (draining_) connection->begin_drain();
  } else {
    counters_.refused.add(1);
    ++refused_;
    connection->refuse();
  }
}

// Without a word, and with nothing left of it here.
template <class Worker, class Model>
void Service<Worker, Model>::turn_away(int fd, std::optional<ClientAddress> from) {
  counters_.refused.add(1);
  if (from) connection_count_.let_go_from(*from);
  worker_.backend().submit(ksvc::Close{fd, true}, 0);
}

// Whoever had the descriptor before is somebody else.
template <class Worker, class Model>
void Service<Worker, Model>::forget_peer(int fd) noexcept {
  if (static_cast<std::size_t>(fd) < peers_.size()) peers_[static_cast<std::size_t>(fd)] = {};
}

template <class Worker, class Model>
const std::optional<weft::Endpoint>& Service<Worker, Model>::peer_of(
    int fd, const BodySource& connection) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  // What a back end makes up has numbers beyond those of the system.
  constexpr std::size_t kMost = std::size_t{1} << 20;
  if (index >= peers_.size() && index < kMost) {
    try {
      peers_.resize(std::max<std::size_t>(index + 1, 2 * peers_.size()));
    } catch (const std::bad_alloc&) {
      // It is asked each time, then.
    }
  }
  const bool has_room = index < peers_.size();
  Peer& peer = has_room ? peers_[index] : last_peer_;
  if (!peer.known || !has_room) peer = {true, connection.peer()};
  return peer.endpoint;
}

// It is on its way out.
template <class Worker, class Model>
void Service<Worker, Model>::forget(const Connection<Worker, Model>& connection) noexcept {
  if (connection.refused()) {
    --refused_;
  } else {
    connection_count_.let_go();
  }
  if (addresses_.empty()) return;
  const auto found = addresses_.find(&connection);
  if (found == addresses_.end()) return;
  connection_count_.let_go_from(found->second);
  addresses_.erase(found);
}

// Out of descriptors or memory: the accept has ended, and arming it at once would only spin.
template <class Worker, class Model>
void Service<Worker, Model>::accept_failed(int os_errno) {
  complain(LogLevel::error, [&] {
    return std::string("cannot accept connections: ") + std::strerror(os_errno) +
           "; trying again every " + std::to_string(limits().accept_pause.count()) + " ms";
  });
  if (waits_for_nobody_) look_for_who_waits();
  worker_.timers().set(accept_timer_, worker_.turn_time() + limits().accept_pause);
}

template <class Worker, class Model>
void Service<Worker, Model>::accept_again(gvt::Timer& timer) {
  Service& self = static_cast<ServiceTimer&>(timer).service;
  if (self.accepting_ || self.listener_fd_ < 0) return;
  if (!self.waits_for_nobody_) return self.arm_accept();
  self.look_is_over_ = true;
  if (!self.looking_) return self.look_has_ended();
  self.worker_.backend().submit(ksvc::Cancel{self.listener_fd_, self.look_target_.corr_id()}, 0);
}

// To accept takes a descriptor even where nobody waits to be; to see that nobody does takes none.
template <class Worker, class Model>
void Service<Worker, Model>::look_for_who_waits() {
  looking_ = true;
  look_is_over_ = false;
  someone_waits_ = false;
  worker_.backend().submit(ksvc::PollReadable{listener_fd_}, look_target_.corr_id());
}

template <class Worker, class Model>
void Service<Worker, Model>::looked(ksvc::CompletionTarget& target, unsigned,
                                    const ksvc::Completion& completion) {
  Service& self = static_cast<ListenerTarget&>(target).service;
  // Who cannot look has to try.
  if (completion.result != -ECANCELED) self.someone_waits_ = true;
  if (completion.more) return;
  self.looking_ = false;
  if (self.look_is_over_ && !self.ending_) self.look_has_ended();
}

template <class Worker, class Model>
void Service<Worker, Model>::look_has_ended() {
  if (someone_waits_) return arm_accept();
  close_listener();
  stop_if_drained();
}

template <class Worker, class Model>
void Service<Worker, Model>::turn_begins(bool settled) {
  if (settled) {
    settled_turn_ = turn_;
    arena_.reset();
    while (gvt::Runnable* task = waiting_for_settled_.pop()) worker_.make_ready(*task);
  } else if (!waiting_for_settled_.empty()) {
    worker_.keep_awake();
  }
  if (feed_ != nullptr) take_routes();
  ++turn_;
  counters_.parked.set(handlers_waiting());
  if (worker_.turn_time() >= next_date_) refresh_date();
}

// What cannot be taken up for want of memory is tried again at the next turn: it comes before any
// request that arrives.
template <class Worker, class Model>
void Service<Worker, Model>::take_routes() noexcept {
  feed_->take_up([this](const NewRoute& route) {
    try {
      // Whoever registers has tried it on the same routes.
      const auto refused = add_route(route, router_, endpoints_);
      WEFT_ASSERT(!refused);
      return true;
    } catch (const std::bad_alloc&) {
      complain(LogLevel::error,
               [&route] { return "no memory for the new route " + printable(route.pattern); });
      return false;
    }
  });
}

template <class Worker, class Model>
void Service<Worker, Model>::refresh_date() {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t wall = worker_.wall_time().ns;
  common_fields_.set_date(wall / kSecond);
  wall_ahead_ = std::chrono::nanoseconds(wall - worker_.now().ns);
  next_date_ = worker_.turn_time() + std::chrono::nanoseconds(kSecond - wall % kSecond);
}

template <class Worker, class Model>
void Service<Worker, Model>::release(Connection<Worker, Model>& connection) {
  counters_.closed.add(1);
  forget(connection);
  connections_.destroy(connection);
  stop_if_drained();
}

template <class Worker, class Model>
void Service<Worker, Model>::begin_drain() {
  if (draining_) return;
  draining_ = true;
  // Turn new connections away before their handshake; whoever has one already is still accepted.
  if (!listener_is_shared_) worker_.backend().submit(ksvc::RefuseConnections{listener_fd_}, 0);
  worker_.timers().set(drain_timer_, worker_.turn_time() + limits().accept_rest);
  worker_.timers().set(grace_timer_, worker_.turn_time() + limits().drain_grace);
  connections_.visit([](Connection<Worker, Model>& connection) { connection.begin_drain(); });
}

template <class Worker, class Model>
void Service<Worker, Model>::stop_accepting(gvt::Timer& timer) {
  Service& self = static_cast<ServiceTimer&>(timer).service;
  // From here on any end of the accept is its last, whatever ended it.
  self.stop_accepting_ = true;
  self.worker_.timers().clear(self.accept_timer_);
  if (self.accepting_) {
    self.worker_.backend().submit(ksvc::Cancel{self.listener_fd_, self.accept_target_.corr_id()},
                                  0);
  } else {
    self.accept_what_is_left();
  }
}

template <class Worker, class Model>
void Service<Worker, Model>::accept_what_is_left() {
  waits_for_nobody_ = true;
  arm_accept();
}

template <class Worker, class Model>
void Service<Worker, Model>::close_listener() {
  worker_.backend().submit(ksvc::Close{listener_fd_}, 0);
  listener_fd_ = -1;
}

template <class Worker, class Model>
void Service<Worker, Model>::stop_if_drained() {
  if (draining_ && listener_fd_ < 0 && connections_.size() == 0) worker_.stop();
}

template <class Worker, class Model>
void Service<Worker, Model>::grace_ended(gvt::Timer& timer) {
  Service& self = static_cast<ServiceTimer&>(timer).service;
  self.next_log_ = {};  // this one is not left out
  self.complain(LogLevel::warning, [&self] {
    return "the grace period is over: " + std::to_string(self.connections_.size()) +
           " connections are cut off";
  });
  if (self.handlers_waiting() == 0) return self.worker_.stop();
  self.handlers_cancel_.cancel(detail::CancelReason::cancelled);
  self.connections_.visit([](Connection<Worker, Model>& one) { one.give_up_body(); });
  self.worker_.timers().set(self.cancel_rest_timer_,
                            self.worker_.turn_time() + self.limits().cancel_rest);
}

template <class Worker, class Model>
void Service<Worker, Model>::cancel_rest_ended(gvt::Timer& timer) {
  static_cast<ServiceTimer&>(timer).service.worker_.stop();
}

template <class Worker, class Model>
template <class MakeLine>
void Service<Worker, Model>::complain(LogLevel level, const MakeLine& make_line) noexcept {
  if (level > site_.log_level) return;
  if (worker_.turn_time() < next_log_) {
    ++log_lines_dropped_;
    return;
  }
  next_log_ = worker_.turn_time() + limits().log_pause;
  try {
    std::string line = make_line();
    if (log_lines_dropped_ > 0) {
      line += " (" + std::to_string(log_lines_dropped_) + " messages before this were left out)";
    }
    site_.log(line);
    log_lines_dropped_ = 0;
  } catch (const std::bad_alloc&) {
    ++log_lines_dropped_;
  }
}

template <class Worker, class Model>
void Service<Worker, Model>::log_handler_error(std::string_view target, std::string_view what) {
  counters_.handler_errors.add(1);
  if (site_.handler_failed) site_.handler_failed(what);
  complain(LogLevel::error,
           [&] { return "the handler for " + printable(target) + " threw: " + printable(what); });
}

// For who looks for what a client does wrong: there may be many of them, and they are answered.
template <class Worker, class Model>
void Service<Worker, Model>::log_refused_head(int status, std::string_view reason, int fd) {
  complain(LogLevel::debug, [&] {
    const auto client =
        ksvc::made_by_backend(fd) ? Result<weft::Endpoint>(Error{}) : net::peer_endpoint(fd);
    return "refused a request of " + (client ? client->to_string() : "a client") + " with " +
           std::to_string(status) + ": " + std::string(reason);
  });
}

}  // namespace weft::http
