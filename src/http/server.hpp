// Server: a Site on one or more workers, each on an OS thread of its own with its own listener.
//
// start() returns when every worker is set up, or with what failed and nothing left behind; none
// accepts a client before open(). drain(), cut_off() and join() may be called from any thread, and
// more than once; asked for before open(), the first two end the server without a client. The site
// must outlive the server.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "http/site.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "net/listener.hpp"

namespace weft::http {

struct ServerOptions {
  net::ListenAddress address;
  unsigned workers = 1;
  ksvc::BackendKind backend = ksvc::BackendKind::epoll;
  std::size_t stack_bytes = 64 * 1024;
  // Called once when the last worker of a started server has ended: on that worker's thread, or by
  // start() when the end was asked for before it returned.
  std::function<void()> on_end;
};

struct ServerFigures {
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;
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

  std::uint16_t port() const noexcept { return port_; }
  ServerFigures figures() const noexcept;

 private:
  struct Slot;
  enum class Step : std::uint8_t { thread, worker, backend };
  // Says no more than a thread that is out of memory can.
  struct Failure {
    Step step;
    int os_errno;
  };

  // What a slot's thread does.
  template <class Traits>
  void serve(Slot& slot) noexcept;
  void start_threads();
  // True when the worker is to run.
  bool wait_for_open();
  void report_ready(std::optional<Failure> failure) noexcept;
  StartFailure told(const Failure& failure) const;
  void post(bool cut);

  const Site& site_;
  ServerOptions options_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::mutex join_mutex_;
  std::mutex mutex_;  // guards what follows
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
