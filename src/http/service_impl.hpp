// The member functions of Service, for the files that instantiate it.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <string>

#include "http/connection_impl.hpp"
#include "http/log_text.hpp"
#include "http/service.hpp"

namespace weft::http {

template <class Worker>
Service<Worker>::Service(Worker& worker, const Site& site, int listener_fd,
                         WorkerCounters& counters)
    : worker_(worker),
      site_(site),
      router_(site.router),
      counters_(counters),
      common_fields_(site.server_field),
      accept_target_(*this),
      accept_timer_(*this, &Service::accept_again),
      drain_timer_(*this, &Service::stop_accepting),
      grace_timer_(*this, &Service::grace_ended),
      listener_fd_(listener_fd) {
  worker_.observe_turns(this);
  refresh_date();
}

template <class Worker>
Service<Worker>::~Service() {
  worker_.observe_turns(nullptr);
  for (ServiceTimer* timer : {&accept_timer_, &drain_timer_, &grace_timer_}) {
    worker_.timers().clear(*timer);
  }
  ending_ = true;
  if (accepting_) {
    worker_.backend().submit(ksvc::Cancel{listener_fd_, accept_target_.corr_id()}, 0);
  }
  connections_.visit([](Connection<Worker>& connection) { connection.cut_off(); });
  run_until_at_rest();
  connections_.visit([](Connection<Worker>& connection) { connection.close(); });
  if (listener_fd_ >= 0) close_listener();
  run_until_at_rest();
}

// Until the kernel has nothing of ours any more and has taken what it was given.
template <class Worker>
void Service<Worker>::run_until_at_rest() {
  auto& backend = worker_.backend();
  // All of it ends at once; not to hang is worth more than to be sure of that.
  const gvt::TimePoint give_up = worker_.now() + std::chrono::seconds(1);
  ksvc::DirectWakeSink sink;
  do {
    backend.submit_and_wait(at_rest() ? 0 : 1, give_up);
    backend.drain(sink);
  } while (!(at_rest() && backend.settled()) && worker_.now() < give_up);
}

template <class Worker>
bool Service<Worker>::at_rest() {
  bool all = !accepting_;
  connections_.visit([&all](Connection<Worker>& one) { all = all && one.at_rest(); });
  return all;
}

template <class Worker>
void Service<Worker>::start() {
  arm_accept();
}

template <class Worker>
void Service<Worker>::arm_accept() {
  accepting_ = true;
  const bool wait = !waits_for_nobody_;
  worker_.backend().submit(ksvc::Accept{listener_fd_, wait, wait}, accept_target_.corr_id());
}

template <class Worker>
void Service<Worker>::accepted(ksvc::CompletionTarget& target, unsigned,
                               const ksvc::Completion& completion) {
  Service& self = static_cast<AcceptTarget&>(target).service;
  if (completion.result >= 0) self.adopt(completion.result);
  if (completion.more) return;
  self.accepting_ = false;
  if (!self.ending_) self.accept_ended(completion.result);
}

template <class Worker>
void Service<Worker>::accept_ended(std::int32_t result) {
  if (stop_accepting_) {
    if (!waits_for_nobody_) return accept_what_is_left();
    if (result == -EAGAIN) {
      close_listener();
      return stop_if_drained();
    }
  }
  // A client that has gone before it was accepted is no reason to wait.
  if (result < 0 && result != -ECONNABORTED && result != -EINTR) return accept_failed(-result);
  arm_accept();
}

template <class Worker>
void Service<Worker>::adopt(int fd) {
  Connection<Worker>* connection = nullptr;
  try {
    if (!ending_) connection = &connections_.create(*this, fd);
  } catch (const std::bad_alloc&) {
    connection = nullptr;
  }
  if (connection == nullptr) return worker_.backend().submit(ksvc::Close{fd}, 0);
  counters_.accepted.add(1);
  connection->start();
  if (draining_) connection->begin_drain();
}

// Out of descriptors or memory: the accept has ended, and arming it at once would only spin.
template <class Worker>
void Service<Worker>::accept_failed(int os_errno) {
  complain([&] {
    return std::string("cannot accept connections: ") + std::strerror(os_errno) +
           "; trying again every " + std::to_string(limits().accept_pause.count()) + " ms";
  });
  worker_.timers().set(accept_timer_, worker_.turn_time() + limits().accept_pause);
}

template <class Worker>
void Service<Worker>::accept_again(gvt::Timer& timer) {
  Service& self = static_cast<ServiceTimer&>(timer).service;
  if (!self.accepting_ && self.listener_fd_ >= 0) self.arm_accept();
}

template <class Worker>
void Service<Worker>::turn_begins(bool settled) {
  if (settled) {
    settled_turn_ = turn_;
    arena_.reset();
    while (gvt::Runnable* task = waiting_for_settled_.pop()) worker_.make_ready(*task);
  } else if (!waiting_for_settled_.empty()) {
    worker_.keep_awake();
  }
  ++turn_;
  counters_.parked.set(worker_.parked());
  if (worker_.turn_time() >= next_date_) refresh_date();
}

template <class Worker>
void Service<Worker>::refresh_date() {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t wall = worker_.wall_time().ns;
  common_fields_.set_date(wall / kSecond);
  next_date_ = worker_.turn_time() + std::chrono::nanoseconds(kSecond - wall % kSecond);
}

template <class Worker>
void Service<Worker>::release(Connection<Worker>& connection) {
  counters_.closed.add(1);
  connections_.destroy(connection);
  stop_if_drained();
}

template <class Worker>
void Service<Worker>::begin_drain() {
  if (draining_) return;
  draining_ = true;
  // Turn new connections away before their handshake; whoever has one already is still accepted.
  worker_.backend().submit(ksvc::RefuseConnections{listener_fd_}, 0);
  worker_.timers().set(drain_timer_, worker_.turn_time() + limits().accept_rest);
  worker_.timers().set(grace_timer_, worker_.turn_time() + limits().drain_grace);
  connections_.visit([](Connection<Worker>& connection) { connection.begin_drain(); });
}

template <class Worker>
void Service<Worker>::stop_accepting(gvt::Timer& timer) {
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

template <class Worker>
void Service<Worker>::accept_what_is_left() {
  waits_for_nobody_ = true;
  arm_accept();
}

template <class Worker>
void Service<Worker>::close_listener() {
  worker_.backend().submit(ksvc::Close{listener_fd_}, 0);
  listener_fd_ = -1;
}

template <class Worker>
void Service<Worker>::stop_if_drained() {
  if (draining_ && listener_fd_ < 0 && connections_.size() == 0) worker_.stop();
}

template <class Worker>
void Service<Worker>::grace_ended(gvt::Timer& timer) {
  Service& self = static_cast<ServiceTimer&>(timer).service;
  self.next_log_ = {};  // this one is not left out
  self.complain([&self] {
    return "the grace period is over: " + std::to_string(self.connections_.size()) +
           " connections are cut off";
  });
  self.worker_.stop();
}

template <class Worker>
template <class MakeLine>
void Service<Worker>::complain(const MakeLine& make_line) noexcept {
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

template <class Worker>
void Service<Worker>::log_handler_error(std::string_view target, std::string_view what) {
  counters_.handler_errors.add(1);
  complain([&] { return "the handler for " + printable(target) + " threw: " + printable(what); });
}

}  // namespace weft::http
