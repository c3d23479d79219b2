#include "weft/app.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <variant>

#include "app/app_state.hpp"
#include "app/error_wording.hpp"
#include "app/fd_wish.hpp"
#include "app/stop_patience.hpp"
#include "app/stop_signals.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/metrics.hpp"

namespace weft {

namespace {

// The longest time that can be said means "never"; in a clock's nanoseconds it would overflow.
Limits with_times_in_range(Limits limits) {
  constexpr std::chrono::milliseconds kNever = std::chrono::hours(24 * 365 * 100);
  for (std::chrono::milliseconds* time :
       {&limits.head_timeout, &limits.body_timeout, &limits.request_timeout, &limits.idle_timeout,
        &limits.write_timeout, &limits.upgraded_keep_alive, &limits.drain_grace,
        &limits.drain_last_resort}) {
    *time = std::clamp(*time, std::chrono::milliseconds(0), kNever);
  }
  return limits;
}

ksvc::BackendChoice choose(const Options& options) {
  const bool automatic = options.backend == "auto";
  const auto kind =
      automatic ? ksvc::wish_of_environment() : ksvc::parse_backend_kind(options.backend);
  if (!kind && !automatic) {
    throw std::runtime_error("unknown back end \"" + options.backend +
                             "\": use auto, io_uring or epoll");
  }
  const ksvc::KernelFeatures& features = ksvc::probe_kernel_features();
  ksvc::BackendChoice choice = ksvc::choose_backend(features, kind);
  if (!choice) throw std::runtime_error(choice.reason);
  if (!options.sq) return choice;
  // Whoever asks for that asks for io_uring.
  if (choice.kind != ksvc::BackendKind::io_uring) {
    throw std::runtime_error("sq needs io_uring, and the back end is epoll (" + choice.reason +
                             "); leave sq out, or see that io_uring can be used");
  }
  if (!features.setup.sqpoll) {
    throw std::runtime_error(
        "sq needs rings with a thread of the kernel's, which this kernel does not make here; leave "
        "it out");
  }
  choice.reason += "; its rings have a thread of the kernel's";
  return choice;
}

http::Topology topology_of(const Options& options) {
  if (options.topology == "per-worker") return http::Topology::reactor_per_worker;
  if (options.topology == "shared") return http::Topology::one_reactor;
  throw std::runtime_error("unknown topology \"" + options.topology +
                           "\": use per-worker or shared");
}

http::Model model_of(const Options& options) {
  if (options.model == "green") return http::Model::green;
  if (options.model == "coroutine") return http::Model::coroutine;
  if (options.model == "callback") return http::Model::callback;
  throw std::runtime_error("unknown model \"" + options.model +
                           "\": use green, coroutine or callback");
}

bool is_unix_socket(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return fd >= 0 && ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         domain == AF_UNIX;
}

http::TrustedProxies trusted_proxies_of(const Options& options) {
  auto parsed = http::TrustedProxies::parse(options.trusted_proxies);
  if (const auto* refusal = std::get_if<std::string>(&parsed)) throw std::runtime_error(*refusal);
  return std::get<http::TrustedProxies>(std::move(parsed));
}

http::ProxyFields proxy_fields_of(const Options& options) {
  if (options.proxy_headers == "x-forwarded") return http::ProxyFields::x_forwarded;
  if (options.proxy_headers == "forwarded") return http::ProxyFields::forwarded;
  throw std::runtime_error("unknown proxy headers \"" + options.proxy_headers +
                           "\": use x-forwarded or forwarded");
}

http::LogLevel level_of(const Options& options) {
  if (options.log_level == "error") return http::LogLevel::error;
  if (options.log_level == "warning") return http::LogLevel::warning;
  if (options.log_level == "info") return http::LogLevel::info;
  if (options.log_level == "debug") return http::LogLevel::debug;
  throw std::runtime_error("unknown log level \"" + options.log_level +
                           "\": use error, warning, info or debug");
}

http::TrailingSlash policy_of(TrailingSlash wish) {
  switch (wish) {
    case TrailingSlash::redirect: return http::TrailingSlash::redirect;
    case TrailingSlash::ignore: return http::TrailingSlash::ignore;
    case TrailingSlash::strict: break;
  }
  return http::TrailingSlash::strict;
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

constexpr std::chrono::milliseconds kForEver = std::chrono::milliseconds::max();

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Which of the inherited descriptors is meant, or -1 for none.
int inherited_fd(const Options& options) {
  if (options.fd.empty()) return -1;
  if (!options.uds.empty()) {
    throw std::runtime_error("both uds and fd are given, and a server listens on one socket");
  }
  const auto wish = app::parse_fd_wish(options.fd);
  if (!wish) {
    throw std::runtime_error("unknown fd \"" + options.fd + "\": use " + app::kFdWishes);
  }
  if (wish->number >= 0) return wish->number;
  const auto found = net::activated_fd({.pid = variable("LISTEN_PID"),
                                        .count = variable("LISTEN_FDS"),
                                        .names = variable("LISTEN_FDNAMES")},
                                       wish->name, ::getpid());
  if (const auto* refusal = std::get_if<std::string>(&found)) throw std::runtime_error(*refusal);
  return std::get<int>(found);
}

}  // namespace

void app::print_start_line(const Options& options, const std::string& location, unsigned workers,
                           const ksvc::BackendChoice& choice) {
  if (options.quiet || level_of(options) < http::LogLevel::info) return;
  std::fprintf(stderr, "weft: %s on %s, %u worker%s (%s)\n", location.c_str(),
               ksvc::backend_name(choice.kind), workers, workers == 1 ? "" : "s",
               choice.reason.c_str());
}

bool app::has_ended(const ksvc::EventFdNotifier& ended, int patience_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  for (;;) {
    pollfd one{ended.fd(), POLLIN, 0};
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
  }
}

App::App() : routes_(std::make_unique<Routes>()) {}

App::~App() {
  WEFT_ASSERT(routes_->test_clients == 0 && "a TestClient ends before its App does");
  stop();
}

bool App::in_use() const { return routes_->test_clients > 0 || running() != nullptr; }

std::shared_ptr<App::Running> App::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
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
    signals.emplace(!options.access_log.empty());
    start(options);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "weft: %s%s\n", error.what(),
                 http::advice_for(error.code().value()).c_str());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weft: %s\n", error.what());
    return 1;
  }
  if (const auto running = this->running()) serve_until_signalled(*running, *signals);
  stop();
  return 0;
}

void App::serve_until_signalled(Running& running, const app::StopSignals& signals) {
  app::StopPatience patience(routes_->site.limits);
  for (;;) {
    std::array<pollfd, 2> watched{pollfd{signals.fd(), POLLIN, 0},
                                  pollfd{running.ended.fd(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), patience.left_ms());
    while (const int signal = signals.take()) {
      if (signal == SIGHUP) {
        reopen_logs();
        continue;
      }
      // The first asks, the second insists.
      if (patience.stop_is_asked()) {
        running.server.drain();
      } else {
        running.server.cut_off();
      }
    }
    if (app::has_ended(running.ended, 0)) return;
    if (patience.is_over()) leave_hung(running);
  }
}

// Nothing that a worker uses may be destroyed, and whoever waits for one waits for ever.
void App::leave_hung(Running& running) {
  const std::string report = running.server.hung_workers() + "weft: the process ends with status " +
                             std::to_string(kHungStatus) + ", since a worker cannot be ended\n";
  std::fputs(report.c_str(), stderr);
  std::fflush(stderr);
  if (routes_->application.on_hang) routes_->application.on_hang(report);
  std::_Exit(kHungStatus);
}

void App::add_metrics_route(const std::string& path) {
  if (path.empty() || path == routes_->metrics_path) return;
  if (path.front() != '/') {
    throw std::runtime_error("the metrics_path \"" + path + "\" is no path: begin it with a slash");
  }
  try {
    get(path, metrics());
  } catch (const std::invalid_argument& refused) {
    throw std::runtime_error(std::string("cannot show metrics: ") + refused.what());
  }
  routes_->metrics_path = path;
}

void App::reopen_logs() {
  const auto running = this->running();
  if (running && running->observation && running->observation->log) {
    running->observation->log->writer().reopen();
  }
}

// Where each route's handler runs, as far as that depends on the options.
void App::place_routes(http::Site& site, app::RoutePlaces* places) {
  const app::RouteMode mode = places != nullptr ? places->mode() : app::RouteMode::in_place;
  site.places = places;
  for (http::Endpoint& endpoint : site.endpoints) {
    auto& entry = *static_cast<app::RouteEntry*>(endpoint.object);
    if (places != nullptr) places->require_place(entry);
    // What others serve already stays as it is.
    if (!in_use() && !entry.links.empty()) {
      entry.last = app::may_leave_loop(entry, mode) ? &app::run_behind_links : nullptr;
    }
    endpoint = app::endpoint_of(entry, mode);
  }
}

// Sets up `site`, a copy of the routes' or they themselves, and a server on it that is not open
// yet. Under the routes' lock, so that none comes while the workers copy those that there are.
std::shared_ptr<App::Running> App::launch(http::Site& site, const Options& options,
                                          ksvc::BackendChoice& choice, bool first_on_caller) {
  raise_descriptor_limit();
  static_cast<Limits&>(site.limits) = with_times_in_range(options.limits);
  site.server_field = options.server_header;
  site.log_level = level_of(options);
  app::Application& application = routes_->application;
  site.application = &application;
  // What others serve already stays as it is.
  if (!in_use()) routes_->calls_unrouted = application.prepare_unrouted();
  site.unrouted.reset();
  if (routes_->calls_unrouted) site.unrouted.emplace(&app::call_unrouted, &application);
  site.rewrite = nullptr;
  if (!application.rewrites.empty()) {
    site.rewrite = [&application](http::Exchange& exchange) {
      app::rewrite_path(application, exchange);
    };
  }
  const int inherited = inherited_fd(options);
  site.serves_unix = !options.uds.empty() || is_unix_socket(inherited);
  site.trusted_proxies = trusted_proxies_of(options);
  site.proxy_fields = proxy_fields_of(options);
  site.error_wording = app::wording_of(application.error_format);
  site.on_error = nullptr;
  if (application.on_error) {
    site.on_error = [&application](http::Exchange& exchange, const std::exception& error) {
      Context context(exchange);
      application.on_error(context, error);
    };
  }
  site.router.set_trailing_slash(policy_of(options.trailing_slash));
  choice = choose(options);
  http::ServerOptions server_options;
  server_options.address = {options.host, options.port, site.limits.bind_patience};
  server_options.path = {options.uds, options.uds_mode, site.limits.bind_patience};
  server_options.inherited_fd = inherited;
  server_options.workers =
      options.workers > 0 ? options.workers : std::max(1U, std::thread::hardware_concurrency());
  server_options.first_on_caller = first_on_caller;
  server_options.backend = choice.kind;
  server_options.topology = topology_of(options);
  server_options.sqpoll = options.sq;
  server_options.model = model_of(options);
  server_options.stall_after = options.stall_after;
  server_options.stack_bytes = std::max(options.stack_bytes, application.least_stack_bytes);
  const auto places = app::RoutePlaces::of(options, application.executors, server_options.workers,
                                           routes_->entries.size());
  place_routes(site, places.get());
  if (places != nullptr) {
    server_options.wait_for_handlers_elsewhere = [where = places.get()] {
      where->wait_until_none_runs();
    };
  }
  const auto observation = app::Observation::of(options, application.counts_requests,
                                                server_options.workers, routes_->entries.size());
  site.observation = observation.get();
  if (observation) {
    server_options.observers = observation->observers();
    server_options.measure_turns = observation->counts;
  }
  auto next = std::make_shared<Running>(site, server_options, choice.reason, observation, places);
  auto failure = next->server.start();
  if (failure && failure->backend_errno != 0 && options.sq) {
    throw std::runtime_error(std::string("rings with a thread of the kernel's, which sq asks for, "
                                         "could not be set up: ") +
                             std::strerror(failure->backend_errno) + "; leave sq out");
  }
  if (failure && failure->backend_errno != 0 && choice.kind == ksvc::BackendKind::io_uring) {
    choice = ksvc::without_io_uring(choice, failure->backend_errno);
    if (!choice) throw std::runtime_error(choice.reason);
    server_options.backend = choice.kind;
    next = std::make_shared<Running>(site, server_options, choice.reason, observation, places);
    failure = next->server.start();
  }
  if (failure) throw std::runtime_error(failure->text);
  if (observation) {
    observation->backend = ksvc::backend_name(choice.kind);
    observation->server = &next->server;
    observation->places = places.get();
  }
  return next;
}

std::shared_ptr<App::Running> App::start_closed(const Options& options, ksvc::BackendChoice& choice,
                                                bool first_on_caller) {
  if (!running()) add_metrics_route(options.metrics_path);
  // No route comes while the workers copy those that there are.
  const std::lock_guard routes_lock(routes_->mutex);
  if (running()) throw std::logic_error("this App runs already");
  auto next = launch(routes_->site, options, choice, first_on_caller);
  // In place before the first request can ask for stats().
  const std::lock_guard lock(mutex_);
  running_ = next;
  return next;
}

void App::start(const Options& options) {
  ksvc::BackendChoice choice;
  const auto next = start_closed(options, choice, false);
  next->server.open();
  app::print_start_line(options, next->server.location(), next->workers, choice);
}

std::uint16_t App::port() const noexcept {
  const auto running = this->running();
  return running ? running->server.port() : 0;
}

void App::stop() { static_cast<void>(stop_for(kForEver)); }

bool App::stop_for(std::chrono::milliseconds patience) {
  const auto running = this->running();
  if (!running) return true;
  running->server.drain();
  if (patience < kForEver) {
    constexpr std::chrono::milliseconds kMost{INT_MAX};
    const auto limit = std::clamp(patience, std::chrono::milliseconds(0), kMost);
    if (!app::has_ended(running->ended, static_cast<int>(limit.count()))) return false;
  }
  running->server.join();
  const std::lock_guard lock(mutex_);
  if (running_ == running) running_.reset();
  return true;
}

std::string App::hung_workers() const {
  const auto running = this->running();
  return running ? running->server.hung_workers() : std::string();
}

ServerStats App::stats() const {
  ServerStats stats;
  const auto running = this->running();
  if (!running) return stats;
  const http::ServerFigures figures = running->server.figures();
  stats.connections_accepted = figures.accepted;
  stats.connections_open = figures.open;
  stats.connections_refused = figures.refused;
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
