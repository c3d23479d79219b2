// The member functions of Service, for the files that instantiate it.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "http/connection_impl.hpp"
#include "http/log_text.hpp"
#include "http/service.hpp"
#include "net/listener.hpp"

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
  connections_.visit([](Connection<Worker>& connection) { ::close(connection.fd()); });
  if (listener_fd_ >= 0) ::close(listener_fd_);
}

template <class Worker>
void Service<Worker>::start() {
  arm_accept();
}

template <class Worker>
void Service<Worker>::arm_accept() {
  accepting_ = true;
  worker_.backend().submit(ksvc::Accept{listener_fd_, true}, accept_target_.corr_id());
}

template <class Worker>
void Service<Worker>::accepted(ksvc::CompletionTarget& target, unsigned,
                               const ksvc::Completion& completion) {
  Service& self = static_cast<AcceptTarget&>(target).service;
  if (completion.result >= 0) self.adopt(completion.result);
  if (completion.more) return;
  self.accepting_ = false;
  if (self.stop_accepting_) return self.accept_what_is_left();
  if (completion.result < 0) return self.accept_failed(-completion.result);
  self.arm_accept();
}

template <class Worker>
void Service<Worker>::adopt(int fd) {
  Connection<Worker>* connection = nullptr;
  try {
    connection = &connections_.create(*this, fd);
  } catch (const std::bad_alloc&) {
    ::close(fd);
    return;
  }
  counters_.accepted.add(1);
  connection->start();
  if (draining_) connection->begin_drain();
}

// Out of descriptors or memory: the accept has ended, and arming it at once would only spin.
template <class Worker>
void Service<Worker>::accept_failed(int os_errno) {
  if (may_log()) {
    std::fprintf(stderr, "weft: cannot accept connections: %s; trying again every %d ms\n",
                 std::strerror(os_errno), static_cast<int>(limits().accept_pause.count()));
  }
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
  while (gvt::Runnable* task = waiting_for_turn_.pop()) worker_.make_ready(*task);
  ++turn_;
  counters_.parked.set(worker_.parked());
  if (worker_.turn_time() >= next_date_) refresh_date();
}

template <class Worker>
void Service<Worker>::refresh_date() {
  timespec wall{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  common_fields_.set_date(wall.tv_sec);
  next_date_ = worker_.turn_time() + std::chrono::nanoseconds(1'000'000'000 - wall.tv_nsec);
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
  net::refuse_new_connections(listener_fd_);
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
  for (int fd = net::accept_now(listener_fd_); fd >= 0; fd = net::accept_now(listener_fd_)) {
    adopt(fd);
  }
  worker_.backend().submit(ksvc::Close{listener_fd_}, 0);
  listener_fd_ = -1;
  stop_if_drained();
}

template <class Worker>
void Service<Worker>::stop_if_drained() {
  if (draining_ && listener_fd_ < 0 && connections_.size() == 0) worker_.stop();
}

template <class Worker>
void Service<Worker>::grace_ended(gvt::Timer& timer) {
  Service& self = static_cast<ServiceTimer&>(timer).service;
  std::fprintf(stderr, "weft: the grace period is over: %zu connections are cut off\n",
               self.connections_.size());
  self.worker_.stop();
}

template <class Worker>
bool Service<Worker>::may_log() {
  if (worker_.turn_time() < next_log_) {
    ++log_lines_dropped_;
    return false;
  }
  next_log_ = worker_.turn_time() + limits().log_pause;
  if (log_lines_dropped_ > 0) {
    std::fprintf(stderr, "weft: %llu messages were left out\n",
                 static_cast<unsigned long long>(log_lines_dropped_));
    log_lines_dropped_ = 0;
  }
  return true;
}

template <class Worker>
void Service<Worker>::log_handler_error(std::string_view target, std::string_view what) {
  counters_.handler_errors.add(1);
  if (!may_log()) return;
  std::fprintf(stderr, "weft: the handler for %s threw: %s\n", printable(target).c_str(),
               printable(what).c_str());
}

}  // namespace weft::http
