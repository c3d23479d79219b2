// App: routes and the server that answers them.
//
//     weft::App app;
//     app.get("/hello/:name", [](weft::Context& c) { c.text(c.param("name")); });
//     return app.listen(8080);
//
// Routes are added before listen(); handlers may be called on several workers at once, so what they
// share must be safe for that.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "weft/context.hpp"

namespace weft {

using Handler = std::function<void(Context&)>;

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: the system chooses, the start-up line tells
  unsigned workers = 1;       // 0: one per processor
  // "auto", "io_uring" or "epoll". With auto, the environment variable WEFT_BACKEND is asked next,
  // then the kernel: epoll where io_uring cannot be had, and ServerStats say why.
  std::string backend = "auto";
  std::size_t stack_bytes = 64 * 1024;
  std::chrono::milliseconds request_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds drain_grace{10'000};
  std::size_t body_bytes = 1024 * 1024;
  bool server_header = true;  // answers carry `Server: weft`
  bool quiet = false;         // no start-up line

  // Reads --host, --port, --workers and --backend; prints --help. Leaves the process with status 2
  // and a message when an argument makes no sense.
  static Options from_arguments(int argc, char** argv);
};

struct ServerStats {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t requests = 0;
  std::uint64_t handler_errors = 0;
  std::uint64_t green_threads_parked = 0;
  std::uint64_t answers_2xx = 0;
  std::uint64_t answers_3xx = 0;
  std::uint64_t answers_4xx = 0;
  std::uint64_t answers_5xx = 0;
  unsigned workers = 0;
  std::string backend;         // "io_uring" or "epoll"
  std::string backend_reason;  // why that one
  std::chrono::milliseconds uptime{0};
};

class App {
 public:
  App();
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Patterns: "/users", "/users/:id", "/files/*path". Throws std::invalid_argument, naming both
  // routes, when a pattern is malformed or conflicts with one that was added before.
  App& get(std::string_view pattern, Handler handler);
  App& post(std::string_view pattern, Handler handler);
  App& put(std::string_view pattern, Handler handler);
  App& patch(std::string_view pattern, Handler handler);
  App& del(std::string_view pattern, Handler handler);
  // `method` in capitals, as in "OPTIONS".
  App& route(std::string_view method, std::string_view pattern, Handler handler);

  // Serves until SIGINT or SIGTERM, then lets running requests finish. Returns the exit status.
  // A process that leaves SIGPIPE to its default ignores it from then on, so that losing its
  // standard error does not end it.
  int listen(std::uint16_t port);
  int run(const Options& options);

  // The same in pieces, for programs and tests that have their own main loop. start() throws
  // std::runtime_error when the server cannot start; stop() drains and returns when it has ended.
  // Both are for the thread that owns the App, not for handlers.
  void start(const Options& options);
  void stop();

  // Any thread, handlers too. 0 and empty figures while no server runs.
  std::uint16_t port() const noexcept;
  ServerStats stats() const;

 private:
  struct Running;
  struct Routes;

  std::shared_ptr<Running> running() const;

  std::unique_ptr<Routes> routes_;
  mutable std::mutex mutex_;  // guards running_
  std::shared_ptr<Running> running_;
};

}  // namespace weft
