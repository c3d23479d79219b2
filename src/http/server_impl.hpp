// What the files of Server share: a worker as its server sees it.
#pragma once

#include <unistd.h>

#include <atomic>
#include <functional>
#include <optional>
#include <thread>

#include "gvt/run_queue.hpp"
#include "gvt/turn_meter.hpp"
#include "http/answer_observer.hpp"
#include "http/models/model.hpp"
#include "http/server.hpp"

namespace weft::http {

// What a worker shows the outside: its counters, and a way in for as long as it runs.
struct Server::Slot {
  struct Command : gvt::Runnable {
    Command(Slot& owner, Run run_function) : Runnable(run_function), slot(owner) {}
    Slot& slot;
    bool posted = false;
  };
  // Unlike a command it comes again and again.
  struct RouteNotice : gvt::Runnable {
    explicit RouteNotice(Slot& owner) : Runnable(&Slot::take_routes_now), slot(owner) {}
    Slot& slot;
    std::atomic<bool> posted{false};
  };

  Slot() = default;
  ~Slot() {
    if (listener_fd >= 0) ::close(listener_fd);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  static void drain_now(gvt::Runnable& self) { static_cast<Command&>(self).slot.begin_drain(); }
  static void stop_now(gvt::Runnable& self) { static_cast<Command&>(self).slot.stop(); }
  static void take_routes_now(gvt::Runnable& self) {
    auto& notice = static_cast<RouteNotice&>(self);
    // Before the look: who puts something in after it posts this again.
    notice.posted.exchange(false);
    notice.slot.take_routes();
  }

  unsigned number = 0;  // in what is said of it
  WorkerCounters counters;
  gvt::TurnMeter turn_meter;
  AnswerObserver* observer = nullptr;
  RouteFeed feed;
  int listener_fd = -1;  // until the service takes it over
  std::thread thread;
  // Set by the worker's thread while it runs; guarded by Server::mutex_.
  std::function<void(gvt::Runnable&)> post;
  bool waits_elsewhere = false;  // its loop has ended, a handler on another thread has not
  // Called on the worker's thread only.
  std::function<void()> begin_drain;
  std::function<void()> stop;
  std::function<void()> take_routes;
  Command drain_command{*this, &Slot::drain_now};
  Command stop_command{*this, &Slot::stop_now};
  RouteNotice route_notice{*this};
};

// A worker of a server in the steps that its thread takes it through: set_up(); then, unless that
// failed or the end came first, begin(), resume() until it says false, and leave(); end() in any
// case.
class Server::ServedSlot {
 public:
  virtual ~ServedSlot() = default;
  virtual std::optional<Failure> set_up() noexcept = 0;
  virtual void begin() = 0;
  virtual bool resume() noexcept = 0;
  virtual void leave() = 0;
  virtual void end() noexcept = 0;
  virtual gvt::Scheduler& scheduler() noexcept = 0;
  virtual gvt::BlockingIo& io() noexcept = 0;
};

extern template void Server::start_workers_as<models::Green>();
extern template void Server::start_workers_as<models::Coroutine>();
extern template void Server::start_workers_as<models::Callback>();

}  // namespace weft::http
