// Server: a Site on one or more workers, each on an OS thread of its own.
//
// start() returns when every worker is set up, or with what failed and nothing left behind; none
// accepts a client before open(). drain(), cut_off() and join() may be called from any thread, and
// more than once; asked for before open(), the first two end the server without a client. The site
// must outlive the server; once start() has returned, only its routes and endpoints may change.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gvt/blocking_io.hpp"
#include "gvt/services.hpp"
#include "gvt/stall_detector.hpp"
#include "gvt/turn_meter.hpp"
#include "http/answer_observer.hpp"
#include "http/connection_count.hpp"
#include "http/models/model.hpp"
#include "http/route_feed.hpp"
#include "http/site.hpp"
#include "ksvc/core/io_backend.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "net/listener.hpp"
#include "net/shared_listener.hpp"

namespace weft::http {

enum class Topology : std::uint8_t { reactor_per_worker, one_reactor };

struct ServerOptions {
  // One of three: an address, with a listener for each worker; where it is not empty, the path of
  // a Unix socket; where it is not -1, a listener that was inherited and stays open. Workers share
  // the latter two.
  net::ListenAddress address;
  net::ListenPath path;
  int inherited_fd = -1;
  unsigned workers = 1;
  // The first of them is on the thread that calls start(), which takes it through begin(), resume()
  // and end().
  bool first_on_caller = false;
  ksvc::BackendKind backend = ksvc::BackendKind::epoll;
  Topology topology = Topology::reactor_per_worker;
  Model model = Model::green;
  std::chrono::milliseconds stall_after{0};  // zero: nobody watches
  std::size_t stack_bytes = 64 * 1024;
  // Empty, or one for each worker; they must outlive the server.
  std::vector<AnswerObserver*> observers;
  bool measure_turns = false;
  // Of io_uring: rings from which a thread of the kernel's takes what is submitted.
  bool sqpoll = false;
  // Called by a worker that has been stopped before all its handlers had ended: returns when none
  // of them runs on another thread, for until then it may look at its request. Empty: none does.
  std::function<void()> wait_for_handlers_elsewhere;
  // Called once when the last worker of a started server has ended: on that worker's thread, or by
  // start() when the end was asked for before it returned.
  std::function<void()> on_end;
};

struct ServerFigures {
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;
  std::uint64_t refused = 0;
  std::uint64_t requests = 0;
  std::uint64_t handler_errors = 0;
  std::uint64_t parked = 0;
  std::uint64_t answers[6] = {};  // by the first digit of the status
};

struct StartFailure {
  std::string text;       // shown as it is, so it says what to do
  int backend_errno = 0;  // other than 0: the back end could not be set up, another one may be
};

class Server {
 public:
  Server(const Site& site, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Once.
  [[nodiscard]] std::optional<StartFailure> start();
  void open();
  void drain();
  // Ends without waiting for requests.
  void cut_off();
  void join();
  // When drain() or cut_off() were asked for and the server has not ended: which workers have not
  // got back to their loops, and where they are, in lines for people. Empty when all have ended.
  std::string hung_workers();

  // ---- The first worker, where it is on the thread that has called start(), and for that thread:
  // begin() behind open(), resume() until it says false, end(). Others end it as they end the rest.

  // False when the end was asked for before open(): then there is nothing to resume.
  bool begin();
  // Serves until something on the loop visits the OS thread (gvt::Scheduler::visit_os_thread());
  // false when the worker has stopped.
  bool resume() noexcept;
  // What remains of it is closed. join() waits for the others.
  void end() noexcept;
  // From start() to end().
  gvt::Scheduler& scheduler() noexcept;
  gvt::BlockingIo& io() noexcept;

  // Between start() and the end, by one thread at a time. Whether every worker has room for one
  // more route, which then stays so until add_route().
  bool has_room_for_route() noexcept;
  // Each worker serves the route (which must fit those it has) from its next turn on: so every
  // request that is sent after this returns finds it. `untaken` counts those that do not yet.
  void add_route(const NewRoute& route) noexcept;

  // 0 where it is no TCP port.
  std::uint16_t port() const noexcept { return port_; }
  // Where clients find it, "http://127.0.0.1:8080" or "unix:/run/weft.sock".
  const std::string& location() const noexcept { return location_; }
  ServerFigures figures() const noexcept;
  // Of each worker, where turns are measured.
  std::vector<const gvt::TurnMeter*> turn_meters() const;
  // By worker: accepts, receives and sends that the kernel has been asked for and has not ended.
  std::vector<std::uint64_t> operations_in_flight() const;
  // Null until something has needed it.
  const ksvc::LazyPool* pool() const noexcept { return services_ ? services_->pool() : nullptr; }

 private:
  struct Slot;
  class ServedSlot;
  template <class Topology, class ConnectionModel>
  class Serving;
  ksvc::BackendOptions backend_options() const noexcept {
    ksvc::BackendOptions options;
    options.sqpoll = options_.sqpoll;
    return options;
  }
  enum class Step : std::uint8_t { thread, worker, backend };
  // Says no more than a thread that is out of memory can.
  struct Failure {
    Step step;
    int os_errno;
  };

  std::optional<StartFailure> open_listeners();
  std::optional<StartFailure> open_own_listeners();
  std::optional<StartFailure> share(int listener_fd);
  std::optional<StartFailure> start_stall_detector();
  void start_workers();
  template <class ConnectionModel>
  void start_workers_as();
  template <class Topology, class ConnectionModel>
  void start_threads();
  // What a slot's thread does.
  void serve(ServedSlot& slot) noexcept;
  // True when the worker is to run.
  bool wait_for_open();
  void report_ready(std::optional<Failure> failure) noexcept;
  StartFailure told(const Failure& failure) const;
  void post(bool cut);

  const Site& site_;
  ServerOptions options_;
  std::uint16_t port_ = 0;
  std::string location_;
  bool shared_listener_ = false;
  std::optional<gvt::Services> services_;  // of all workers
  ConnectionCount connection_count_;
  std::optional<gvt::StallDetector> stall_detector_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::unique_ptr<ServedSlot> callers_;  // the first worker, where it is the caller's
  bool callers_run_ = false;
  std::mutex join_mutex_;
  std::mutex mutex_;  // guards what follows
  net::SocketFile socket_file_;
  std::condition_variable changed_;
  std::size_t reports_ = 0;
  std::size_t running_ = 0;
  std::optional<Failure> first_failure_;
  bool started_ = false;
  bool open_ = false;
  bool end_wanted_ = false;
};

// What to do about an error of the system, to be put behind its text; empty without advice.
std::string advice_for(int os_errno);

}  // namespace weft::http
