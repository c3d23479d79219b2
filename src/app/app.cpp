#include "weft/app.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "app/stop_signals.hpp"
#include "http/server.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"

namespace weft {

struct App::Routes {
  http::Site site;
  std::deque<Handler> handlers;  // a deque: endpoints hold their addresses
};

struct App::Running {
  Running(const http::Site& site, const http::ServerOptions& options, std::string reason)
      : server(site, with_notice(options, ended)),
        backend_reason(std::move(reason)),
        backend(options.backend),
        workers(options.workers) {}

  static http::ServerOptions with_notice(http::ServerOptions options,
                                         ksvc::EventFdNotifier& notice) {
    options.on_end = [&notice] { notice.wake(); };
    return options;
  }

  ksvc::EventFdNotifier ended;
  http::Server server;
  std::string backend_reason;
  ksvc::BackendKind backend;
  unsigned workers;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

namespace {

void call_handler(void* self, http::Exchange& exchange) {
  Context context(exchange);
  (*static_cast<Handler*>(self))(context);
}

ksvc::BackendChoice choose(const Options& options) {
  std::string wish = options.backend;
  const char* source = "";
  if (wish == "auto") {
    const char* environment = std::getenv("WEFT_BACKEND");
    if (environment != nullptr && *environment != '\0') {
      wish = environment;
      source = " in the environment variable WEFT_BACKEND";
    }
  }
  const auto kind = ksvc::parse_backend_kind(wish);
  if (!kind && wish != "auto") {
    throw std::runtime_error("unknown back end \"" + wish + "\"" + source +
                             ": use auto, io_uring or epoll");
  }
  ksvc::BackendChoice choice = ksvc::choose_backend(ksvc::probe_kernel_features(), kind);
  if (!choice) throw std::runtime_error(choice.reason);
  return choice;
}

// Every connection is a descriptor: take as many as we are allowed.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Writing to a standard error that is gone must not end the server; its sockets never ask for it.
void ignore_broken_pipes() {
  struct sigaction present{};
  if (::sigaction(SIGPIPE, nullptr, &present) == 0 && present.sa_handler == SIG_DFL) {
    ::signal(SIGPIPE, SIG_IGN);
  }
}

void print_start_line(const Options& options, std::uint16_t port, unsigned workers,
                      const ksvc::BackendChoice& choice) {
  if (options.quiet) return;
  const bool v6 = options.host.find(':') != std::string::npos;
  std::fprintf(stderr, "weft: http://%s%s%s:%u on %s, %u worker%s (%s)\n", v6 ? "[" : "",
               options.host.c_str(), v6 ? "]" : "", port, ksvc::backend_name(choice.kind), workers,
               workers == 1 ? "" : "s", choice.reason.c_str());
}

}  // namespace

App::App() : routes_(std::make_unique<Routes>()) {}

App::~App() { stop(); }

std::shared_ptr<App::Running> App::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

App& App::get(std::string_view pattern, Handler handler) {
  return route("GET", pattern, std::move(handler));
}
App& App::post(std::string_view pattern, Handler handler) {
  return route("POST", pattern, std::move(handler));
}
App& App::put(std::string_view pattern, Handler handler) {
  return route("PUT", pattern, std::move(handler));
}
App& App::patch(std::string_view pattern, Handler handler) {
  return route("PATCH", pattern, std::move(handler));
}
App& App::del(std::string_view pattern, Handler handler) {
  return route("DELETE", pattern, std::move(handler));
}

App& App::route(std::string_view method, std::string_view pattern, Handler handler) {
  if (running()) throw std::logic_error("routes are added before the server starts");
  const http::Method known = http::method_from(method);
  if (known == http::Method::unknown) {
    throw std::invalid_argument("unknown method " + std::string(method) + " for route " +
                                std::string(pattern));
  }
  if (!handler) throw std::invalid_argument("no handler for route " + std::string(pattern));
  http::Site& site = routes_->site;
  const auto id = static_cast<http::RouteId>(site.endpoints.size());
  if (const auto refused = site.router.add(known, pattern, id)) {
    throw std::invalid_argument(refused->text);
  }
  Handler& kept = routes_->handlers.emplace_back(std::move(handler));
  site.endpoints.push_back({&call_handler, &kept});
  return *this;
}

int App::listen(std::uint16_t port) {
  Options options;
  options.port = port;
  return run(options);
}

int App::run(const Options& options) {
  ignore_broken_pipes();
  std::optional<app::StopSignals> signals;
  try {
    // Before any worker starts, so that all of them leave these signals to us.
    signals.emplace();
    start(options);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "weft: %s%s\n", error.what(),
                 http::advice_for(error.code().value()).c_str());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weft: %s\n", error.what());
    return 1;
  }
  const auto running = this->running();
  int stops = 0;
  for (bool ended = running == nullptr; !ended;) {
    std::array<pollfd, 2> watched{pollfd{signals->fd(), POLLIN, 0},
                                  pollfd{running->ended.fd(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), -1);
    while (signals->take()) {
      // The first asks, the second insists.
      if (++stops == 1) {
        running->server.drain();
      } else {
        running->server.cut_off();
      }
    }
    ended = (watched[1].revents & POLLIN) != 0;
  }
  stop();
  return 0;
}

void App::start(const Options& options) {
  if (running()) throw std::logic_error("this App runs already");
  raise_descriptor_limit();
  http::Limits& limits = routes_->site.limits;
  limits.request_timeout = options.request_timeout;
  limits.idle_timeout = options.idle_timeout;
  limits.drain_grace = options.drain_grace;
  limits.body_bytes = options.body_bytes;
  routes_->site.server_field = options.server_header;
  ksvc::BackendChoice choice = choose(options);
  http::ServerOptions server_options;
  server_options.address = {options.host, options.port, limits.bind_patience};
  server_options.workers =
      options.workers > 0 ? options.workers : std::max(1U, std::thread::hardware_concurrency());
  server_options.backend = choice.kind;
  server_options.stack_bytes = options.stack_bytes;
  auto next = std::make_shared<Running>(routes_->site, server_options, choice.reason);
  auto failure = next->server.start();
  if (failure && failure->backend_errno != 0 && choice.kind == ksvc::BackendKind::io_uring) {
    choice = ksvc::without_io_uring(choice, failure->backend_errno);
    if (!choice) throw std::runtime_error(choice.reason);
    server_options.backend = choice.kind;
    next = std::make_shared<Running>(routes_->site, server_options, choice.reason);
    failure = next->server.start();
  }
  if (failure) throw std::runtime_error(failure->text);
  {
    // In place before the first request can ask for stats().
    const std::lock_guard lock(mutex_);
    running_ = next;
  }
  next->server.open();
  print_start_line(options, next->server.port(), server_options.workers, choice);
}

std::uint16_t App::port() const noexcept {
  const auto running = this->running();
  return running ? running->server.port() : 0;
}

void App::stop() {
  const auto running = this->running();
  if (!running) return;
  running->server.drain();
  running->server.join();
  const std::lock_guard lock(mutex_);
  if (running_ == running) running_.reset();
}

ServerStats App::stats() const {
  ServerStats stats;
  const auto running = this->running();
  if (!running) return stats;
  const http::ServerFigures figures = running->server.figures();
  stats.connections_accepted = figures.accepted;
  stats.connections_open = figures.open;
  stats.requests = figures.requests;
  stats.handler_errors = figures.handler_errors;
  stats.green_threads_parked = figures.parked;
  stats.answers_2xx = figures.answers[2];
  stats.answers_3xx = figures.answers[3];
  stats.answers_4xx = figures.answers[4];
  stats.answers_5xx = figures.answers[5];
  stats.workers = running->workers;
  stats.backend = ksvc::backend_name(running->backend);
  stats.backend_reason = running->backend_reason;
  stats.uptime = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - running->started);
  return stats;
}

}  // namespace weft
