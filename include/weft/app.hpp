// App: routes and the server that answers them.
//
//     weft::App app;
//     app.get("/hello/{name}", [](weft::Context& c) { c.text(c.param("name")); });
//     return app.listen(8080);
//
// Handlers may be called on several workers at once, so what they share must be safe for that.
// Routes may be added while the server runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "weft/error_format.hpp"
#include "weft/limits.hpp"
#include "weft/openapi.hpp"
#include "weft/rewrite.hpp"
#include "weft/routes.hpp"

namespace weft {

namespace app {
class HostedServer;
class RoutePlaces;
class StopSignals;
}  // namespace app

namespace http {
struct Site;
}
namespace ksvc {
struct BackendChoice;
}
namespace app::lua {
class Script;
}

// How a server runs: what App::run() and App::start() are given. docs/configuration.md lists where
// each setting comes from.
struct Options {
  // The address to listen on: "0.0.0.0" or "::" for all of the machine.
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: the system chooses, the start-up line tells
  // Where it is not empty, the server listens on a Unix socket at this path instead, and the file
  // goes when the server does. One that a server left behind when it died is replaced; one on which
  // somebody listens is not, and neither is any other file.
  std::string uds = {};
  unsigned uds_mode = 0;  // permission bits of that file, such as 0660; 0: what the umask leaves
  // Where it is not empty, the server listens on a socket that it inherited, and which stays open:
  // the number of a descriptor, or "systemd" for the one that a service manager hands over by
  // LISTEN_FDS, or "systemd:NAME" for one of several. Meanwhile nobody else may accept from it.
  std::string fd = {};
  unsigned workers = 1;  // 0: one per processor
  // "auto", "io_uring" or "epoll". With auto, the environment variable WEFT_BACKEND is asked next,
  // then the kernel: epoll where io_uring cannot be had, and ServerStats say why.
  std::string backend = "auto";
  // "per-worker": each worker has a back end of its own. "shared": one more OS thread has the only
  // one, and all workers hand it their operations.
  std::string topology = "per-worker";
  // Rings from which a thread of the kernel's takes what is submitted, so that workers seldom enter
  // the kernel: for machines with a core to spare for each ring. Needs io_uring; without it the
  // server does not start.
  bool sq = false;
  // What keeps a request whose handler waits: "green" the stack it runs on, "coroutine" a frame,
  // "callback" a record. Every kind of handler works with each; those that park take a stack.
  std::string model = "green";
  // A worker that has not been back in its loop for this long is reported on standard error, with
  // the stack of the handler that holds it up. Zero: never.
  std::chrono::milliseconds stall_after{100};
  // Where the handlers of worker routes run (worker_routes.hpp): "auto": on threads of a pool that
  // are made as they are needed; "on": on threads that are there from the start; "off": on the
  // workers, like all others.
  std::string worker_pool = "auto";
  // Threads of that pool, at most 64. 0: with "auto" at most four per processor, with "on" one for
  // two processors, at most 8.
  unsigned worker_pool_size = 0;
  // Which routes these are: "spawn": those that say so; "worker": all whose handler is a plain
  // call, but those that say on_loop(); "adaptive": those that say so, and those that are found to
  // hold a worker up, for as long as they do.
  std::string mode = "spawn";
  // Of each handler, and each green thread that does not ask for more.
  std::size_t stack_bytes = 64 * 1024;
  // Bounds on clients.
  Limits limits = {};
  // Paths with a slash too many, or too few.
  TrailingSlash trailing_slash = TrailingSlash::strict;
  // Who may say for whom it asks, in Forwarded or X-Forwarded-… fields: addresses, networks such as
  // "10.0.0.0/8" or "fd00::/8", and the names "loopback", "private" and "unix" (all that comes over
  // a Unix socket), with commas between them. Empty: nobody. See Context::client_address().
  std::string trusted_proxies = {};
  // Which fields those write: "x-forwarded" (X-Forwarded-For, -Proto and -Host) or "forwarded" (RFC
  // 7239). Only these are read, for a proxy passes on the others as its client wrote them.
  std::string proxy_headers = "x-forwarded";
  bool server_header = true;  // answers carry `Server: weft`
  bool quiet = false;         // no start-up line
  // Where it is not empty, GET of this path shows the figures of the server: see metrics.hpp.
  std::string metrics_path = {};
  // Where it is not empty, a line is written there for each request, also for those that reach no
  // route: a file, "-" for standard output, or "/dev/stderr". Nobody waits for it: log_writer.hpp.
  std::string access_log = {};
  // "common", "combined", "json" or a pattern, such as `%h %t "%r" %s %b %D`.
  std::string access_log_format = "combined";
  // What the server says about itself on standard error: "error", "warning", "info" or "debug".
  std::string log_level = "info";

  // The file that from_arguments() read, by --config or WEFT_CONFIG; empty: none.
  std::string config = {};

  // Reads a TOML file where --config or the variable WEFT_CONFIG names one, then the variables
  // WEFT_..., then the flags; what comes later wins, and what is given nowhere is as in `defaults`.
  // docs/configuration.md lists all settings, and --help prints them. Leaves the process with
  // status 2 and a message for each mistake when something makes no sense.
  static Options from_arguments(int argc, char** argv);
  static Options from_arguments(int argc, char** argv, const Options& defaults);
};

// What a server has done since it started, and what it is doing: one reading of all workers.
struct ServerStats {
  std::uint64_t connections_accepted = 0;  // since the start
  std::uint64_t connections_open = 0;      // now
  std::uint64_t connections_refused = 0;   // because there were too many
  std::uint64_t requests = 0;              // whose head could be read
  std::uint64_t handler_errors = 0;        // exceptions out of handlers, HttpError apart
  std::uint64_t green_threads_parked = 0;  // now
  std::uint64_t answers_2xx = 0;           // statuses 200 to 299
  std::uint64_t answers_3xx = 0;           // statuses 300 to 399
  std::uint64_t answers_4xx = 0;           // statuses 400 to 499
  std::uint64_t answers_5xx = 0;           // statuses 500 to 599
  unsigned workers = 0;                    // OS threads that serve
  std::string backend = {};                // "io_uring" or "epoll"
  std::string backend_reason = {};         // why that one
  std::chrono::milliseconds uptime{0};     // since the start
};

// The exit status of a process that App::run() had to end because a worker hung (EX_SOFTWARE).
inline constexpr int kHungStatus = 70;

class App : public RouteVerbs<App> {
 public:
  App();
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Routes are added by get(), post() and the others of RouteVerbs. Each throws
  // std::invalid_argument, naming both routes, when the pattern is malformed or conflicts with one
  // that was added before; then nothing has changed.
  //
  // Any thread, also while the server runs, and also a handler, which parks meanwhile: when the
  // call returns, every request that is sent from then on finds the route, on every worker. It
  // returns as soon as all workers have taken the route up. One that a handler holds up is waited
  // for no longer than a second, since it will take the route up before it looks at another
  // request. Only when that one has not got to the 1,024 routes before this is std::runtime_error
  // thrown, and nothing has changed.

  // Middleware for all routes that are added from now on, in groups too, the first one outermost;
  // and for requests that no route fits. Before the start: later it throws std::logic_error.
  template <class... Links>
  App& use(Links&&... links) {
    extend(detail::links_of(std::forward<Links>(links)...));
    return *this;
  }
  // Routes below `prefix`, which may hold parameters, with middleware of their own: see routes.hpp.
  template <class... Links>
  RouteGroup group(std::string_view prefix, Links&&... links) {
    return below(prefix, detail::links_of(std::forward<Links>(links)...));
  }

  // What worker routes that name it share: see worker_routes.hpp. Before the start: later it throws
  // std::logic_error; a name that is empty, or taken, is std::invalid_argument.
  App& executor(const std::string& name, const ExecutorOptions& options);

  // What other path a request has whose path fits a rule: the first that fits counts, and routes
  // are looked for by what it gives. See rewrite.hpp. Before the start: later it throws
  // std::logic_error; a rule that makes no sense is std::invalid_argument.
  App& rewrite(const std::vector<RewriteRule>& rules);

  // What all handlers share, one object of each type: Context::state() gives it. Before the start:
  // later it throws std::logic_error.
  template <class T>
  App& state(std::shared_ptr<T> shared) {
    keep_state(typeid(T), std::move(shared));
    return *this;
  }
  // The shape of all errors that are not a handler's own, those of the server and of middleware
  // included: see error_format.hpp. Before the start, as the next three, which have the last word.
  App& error_format(ErrorFormat format);
  // The answer where no route fits the path; the status is 404 already.
  App& not_found(Handler handler);
  // The answer where one does, but not for the method; 405 and Allow are set already.
  App& method_not_allowed(Handler handler);
  // The answer to what a handler throws, other than HttpError; the status is 500 already. It is
  // not called once the answer's head has been sent. It must not wait.
  App& on_error(std::function<void(Context&, const std::exception&)> handler);

  // Serves a document of all routes, and a page to read it: see openapi.hpp. Both go through the
  // middleware that the App has by then. Once; a second time throws std::logic_error. Throws
  // std::invalid_argument when the options make no sense, and when a route names a security scheme
  // that they have not.
  App& openapi(const OpenApiOptions& options);

  // Called by run() before it ends the process because a worker does not come back, with what it
  // has written about that: to put in order what must not be lost, or to end the process otherwise.
  // On run()'s thread. Before the start.
  App& on_hang(std::function<void(const std::string& report)> handler);

  // Serves until SIGINT or SIGTERM, then lets running requests finish; the second of them cuts them
  // off. Returns the exit status. A worker that a handler holds up for ever cannot be ended, only
  // the process can: when one has not come back Limits::drain_last_resort after the time that a
  // drain may take, a second after the second signal, or at the third, run() says on standard error
  // where that worker is, calls on_hang(), and leaves by std::_Exit(kHungStatus).
  // A process that leaves SIGPIPE to its default ignores it from then on, so that losing its
  // standard error does not end it.
  int listen(std::uint16_t port);
  // The same with all options.
  int run(const Options& options);

  // The same in pieces, for programs and tests that have their own main loop. Throws
  // std::runtime_error when the server cannot start. This and stop() are for the thread that owns
  // the App, not for handlers.
  void start(const Options& options);
  // Drains, and returns when the server has ended, which is never while a handler blocks its
  // worker.
  void stop();
  // The same, but waits no longer than that: false when a worker has not come back by then, and the
  // App still runs. Call it again, or have hung_workers() say why and leave by std::_Exit(); an App
  // whose worker hangs can be neither stopped nor destroyed.
  [[nodiscard]] bool stop_for(std::chrono::milliseconds patience);
  // Which workers have not ended since they were asked to, and where each is, in lines for people;
  // empty when all have. Any thread but theirs.
  std::string hung_workers() const;

  // Opens the server's access log anew, which has been renamed or removed: for those who rotate
  // logs. run() does so at SIGHUP. Any thread.
  void reopen_logs();

  // The port that the server listens on; 0 while none runs, and for a Unix socket. Any thread,
  // handlers too, as the next one.
  std::uint16_t port() const noexcept;
  // Empty figures while no server runs.
  ServerStats stats() const;

 private:
  friend class RouteGroup;
  friend class TestClient;
  friend class app::HostedServer;
  friend class app::lua::Script;
  struct Running;
  struct Routes;

  std::shared_ptr<Running> running() const;
  std::shared_ptr<Running> launch(http::Site& site, const Options& options,
                                  ksvc::BackendChoice& choice, bool first_on_caller = false);
  // Sets all up but accepts nobody yet.
  std::shared_ptr<Running> start_closed(const Options& options, ksvc::BackendChoice& choice,
                                        bool first_on_caller);
  void place_routes(http::Site& site, app::RoutePlaces* places);
  bool in_use() const;
  friend class RouteVerbs<App>;

  void add(std::optional<std::string_view> method, std::string_view pattern,
           detail::RouteParts parts);
  // With the links of all groups around it already.
  void add_whole(std::optional<std::string_view> method, std::string pattern,
                 detail::RouteParts parts);
  void extend(std::vector<Middleware> links);
  void extend_below(const std::string& prefix, std::vector<Middleware> links);
  RouteGroup below(std::string_view prefix, std::vector<Middleware> links);
  void keep_state(const std::type_info& type, std::shared_ptr<void> shared);
  void require_not_started(const char* what) const;
  void add_metrics_route(const std::string& path);
  void serve_until_signalled(Running& running, const app::StopSignals& signals);
  [[noreturn]] void leave_hung(Running& running);

  std::unique_ptr<Routes> routes_;
  mutable std::mutex mutex_;  // guards running_
  std::shared_ptr<Running> running_;
};

}  // namespace weft
