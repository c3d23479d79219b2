// Server: a Site on one or more workers, each on an OS thread of its own with its own listener.
//
// start() returns when every worker is ready to answer. drain() and cut_off() may be called from
// any thread, and more than once; join() by the one that started. The site must outlive the server.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
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
  // Called on a worker's thread when the last worker has ended.
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

class Server {
 public:
  Server(const Site& site, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Error texts say what to do, for they are shown as they are.
  Result<void> start(std::string& error_text);
  void drain();
  // Ends without waiting for requests.
  void cut_off();
  void join();

  std::uint16_t port() const noexcept { return port_; }
  ServerFigures figures() const noexcept;

 private:
  struct Slot;

  template <class Backend>
  void run_worker(Slot& slot, int listener_fd);
  void report_ready(Slot& slot, std::string error_text);
  void post(bool cut);

  const Site& site_;
  ServerOptions options_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t ready_ = 0;
  std::size_t running_ = 0;
  std::string first_error_;
};

}  // namespace weft::http
