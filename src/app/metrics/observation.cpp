#include "app/metrics/observation.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "app/metrics/exposition.hpp"
#include "app/route_places.hpp"
#include "http/server.hpp"
#include "weft/version.hpp"

namespace weft::app {

namespace {

constexpr double kNanoseconds = 1e-9;
constexpr double kMicroseconds = 1e-6;

using Label = Exposition::Label;

// What all workers have counted for one route.
struct RouteSum {
  void add(const RouteFigures& figures) {
    // In this order, so that there are not fewer of all than of those that had a body.
    std::uint64_t with_body = 0;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      const std::uint64_t count = figures.request_bytes.count(i);
      bodies[i] += count;
      with_body += count;
    }
    std::uint64_t all = 0;
    for (std::size_t method = 0; method < requests.size(); ++method) {
      for (std::size_t code = 0; code < RouteFigures::kClasses; ++code) {
        const std::uint64_t count = figures.requests[method][code].value();
        requests[method][code] += count;
        all += count;
      }
    }
    if (all > with_body) bodies[0] += all - with_body;
    for (std::size_t i = 0; i < took.size(); ++i) took[i] += figures.took_us.count(i);
    for (std::size_t i = 0; i < answers.size(); ++i) answers[i] += figures.answer_bytes.count(i);
    took_ns += figures.took_ns.value();
    answer_bytes += figures.answer_bytes_sum.value();
    request_bytes += figures.request_bytes_sum.value();
  }

  using Bytes = std::array<std::uint64_t, decltype(RouteFigures::answer_bytes)::kBounds + 1>;

  std::string_view route;
  std::array<std::array<std::uint64_t, RouteFigures::kClasses>, http::method_count + 1> requests{};
  std::array<std::uint64_t, decltype(RouteFigures::took_us)::kBounds + 1> took{};
  Bytes answers{};
  Bytes bodies{};
  std::uint64_t took_ns = 0;
  std::uint64_t answer_bytes = 0;
  std::uint64_t request_bytes = 0;
};

template <class Buckets>
std::array<double, Buckets::kBounds> bounds_of(double unit) {
  std::array<double, Buckets::kBounds> bounds;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = static_cast<double>(Buckets::bound(i)) * unit;
  }
  return bounds;
}

std::string_view method_text(std::size_t method) {
  return method == http::method_count ? "other" : http::name(static_cast<http::Method>(method));
}

std::string_view route_text(std::size_t number, const RouteFigures& figures) {
  if (number == WorkerRecorder::kUnrouted) return "none";
  return figures.entry == nullptr ? std::string_view("others") : figures.entry->pattern;
}

// Routes that differ in their method alone are one, whose requests differ in theirs; and so are a
// route and what answers in front of it under the same pattern.
std::vector<RouteSum> sums_of(const Observation& observation) {
  std::vector<RouteSum> sums;
  std::map<std::string_view, std::size_t> places;
  const auto add = [&](std::string_view route, const RouteFigures& figures) {
    const auto [place, is_new] = places.emplace(route, sums.size());
    if (is_new) sums.emplace_back().route = route;
    sums[place->second].add(figures);
  };
  for (const auto& recorder : observation.recorders) {
    for (std::size_t number = 0; number < recorder->route_count(); ++number) {
      const RouteFigures* const figures = recorder->route(number);
      if (figures != nullptr) add(route_text(number, *figures), *figures);
    }
    for (std::size_t number = 0; number < WorkerRecorder::kMounts; ++number) {
      const RouteFigures* const figures = recorder->mount(number);
      if (figures == nullptr) break;
      add(*figures->mount, *figures);
    }
  }
  return sums;
}

void write_requests(Exposition& exposition, const std::vector<RouteSum>& sums) {
  exposition.family("weft_http_requests", FigureKind::counter,
                    "Requests that were answered, by route, method and the class of the status.");
  constexpr std::array<std::string_view, RouteFigures::kClasses> kCodes{"other", "1xx", "2xx",
                                                                        "3xx",   "4xx", "5xx"};
  for (const RouteSum& sum : sums) {
    for (std::size_t method = 0; method < sum.requests.size(); ++method) {
      for (std::size_t code = 0; code < kCodes.size(); ++code) {
        if (sum.requests[method][code] == 0) continue;
        const std::array labels{Label{"route", sum.route}, Label{"method", method_text(method)},
                                Label{"status", kCodes[code]}};
        exposition.value(labels, sum.requests[method][code]);
      }
    }
  }
}

void write_histograms(Exposition& exposition, const std::vector<RouteSum>& sums) {
  const auto seconds = bounds_of<decltype(RouteFigures::took_us)>(kMicroseconds);
  const auto bytes = bounds_of<decltype(RouteFigures::answer_bytes)>(1);
  exposition.family("weft_http_request_duration_seconds", FigureKind::histogram,
                    "From the first byte of a request to the end of its answer.");
  for (const RouteSum& sum : sums) {
    const std::array labels{Label{"route", sum.route}};
    exposition.histogram(labels, seconds, sum.took,
                         static_cast<double>(sum.took_ns) * kNanoseconds);
  }
  exposition.family("weft_http_response_size_bytes", FigureKind::histogram,
                    "Bodies of answers as they were sent.");
  for (const RouteSum& sum : sums) {
    const std::array labels{Label{"route", sum.route}};
    exposition.histogram(labels, bytes, sum.answers, static_cast<double>(sum.answer_bytes));
  }
  exposition.family("weft_http_request_size_bytes", FigureKind::histogram,
                    "Bodies of requests as far as they were read.");
  for (const RouteSum& sum : sums) {
    const std::array labels{Label{"route", sum.route}};
    exposition.histogram(labels, bytes, sum.bodies, static_cast<double>(sum.request_bytes));
  }
}

void write_refusals(Exposition& exposition, const Observation& observation) {
  exposition.family("weft_http_refused_requests", FigureKind::counter,
                    "Requests that were answered before their head was read, by status: malformed, "
                    "too long, too slow, or too many.");
  for (std::size_t code = 0; code < WorkerRecorder::kRefusals; ++code) {
    std::uint64_t sum = 0;
    for (const auto& recorder : observation.recorders) sum += recorder->refusals(code);
    if (sum == 0) continue;
    const std::string status =
        std::to_string(static_cast<std::size_t>(WorkerRecorder::kLeastRefusal) + code);
    const std::array labels{Label{"status", status}};
    exposition.value(labels, sum);
  }
}

void write_server(Exposition& exposition, const Observation& observation,
                  const http::Server& server) {
  const http::ServerFigures figures = server.figures();
  std::uint64_t in_flight = 0;
  for (const auto& recorder : observation.recorders) in_flight += recorder->in_flight();
  exposition.family("weft_http_requests_in_flight", FigureKind::gauge,
                    "Requests that have begun and are not answered yet.");
  exposition.value({}, in_flight);
  exposition.family("weft_connections_accepted", FigureKind::counter, "Connections so far.");
  exposition.value({}, figures.accepted);
  exposition.family("weft_connections_open", FigureKind::gauge, "Connections now.");
  exposition.value({}, figures.open);
  exposition.family("weft_connections_refused", FigureKind::counter,
                    "Connections that were one too many.");
  exposition.value({}, figures.refused);
  exposition.family("weft_handler_errors", FigureKind::counter,
                    "Requests whose handler threw what it should not.");
  exposition.value({}, figures.handler_errors);
  exposition.family("weft_green_threads_parked", FigureKind::gauge, "Green threads that wait.");
  exposition.value({}, figures.parked);
  const ksvc::LazyPool* const pool = server.pool();
  exposition.family("weft_pool_threads", FigureKind::gauge, "Threads of the pool for blocking().");
  exposition.value({}, std::uint64_t{pool != nullptr ? pool->threads() : 0});
  exposition.family("weft_pool_busy_threads", FigureKind::gauge, "Those of them that work.");
  exposition.value({}, std::uint64_t{pool != nullptr ? pool->busy() : 0});
  exposition.family("weft_pool_queued", FigureKind::gauge, "What waits for one of them.");
  exposition.value({}, std::uint64_t{pool != nullptr ? pool->queued() : 0});
}

void write_loops(Exposition& exposition, const http::Server& server) {
  const auto meters = server.turn_meters();
  const auto each = [&](const char* name, const char* help, const auto& value_of) {
    exposition.family(name, FigureKind::counter, help);
    for (std::size_t i = 0; i < meters.size(); ++i) {
      const std::string number = std::to_string(i);
      const std::array labels{Label{"worker", number}};
      exposition.value(labels, value_of(*meters[i]));
    }
  };
  each("weft_loop_turns", "Times that a worker has entered the kernel and come back.",
       [](const gvt::TurnMeter& meter) { return meter.turns(); });
  each("weft_loop_completions", "Completions of operations that it brought along.",
       [](const gvt::TurnMeter& meter) { return meter.completions(); });
  each("weft_loop_busy_seconds", "Time that a worker has spent outside of the kernel's waiting.",
       [](const gvt::TurnMeter& meter) {
         return static_cast<double>(meter.busy_ns()) * kNanoseconds;
       });
  exposition.family("weft_loop_operations_in_flight", FigureKind::gauge,
                    "Accepts, receives and sends that the kernel was asked for and has not ended.");
  const auto operations = server.operations_in_flight();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const std::string number = std::to_string(i);
    const std::array labels{Label{"worker", number}};
    exposition.value(labels, operations[i]);
  }
  std::array<std::uint64_t, gvt::TurnMeter::kBuckets + 1> lag{};
  std::array<double, gvt::TurnMeter::kBuckets> bounds{};
  std::uint64_t busy_ns = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = static_cast<double>(gvt::TurnMeter::bound_us(i)) * kMicroseconds;
  }
  for (const gvt::TurnMeter* const meter : meters) {
    busy_ns += meter->busy_ns();
    for (std::size_t i = 0; i < lag.size(); ++i) lag[i] += meter->lag(i);
  }
  exposition.family("weft_loop_lag_seconds", FigureKind::histogram,
                    "How long each turn of a loop kept waiting what came meanwhile.");
  exposition.histogram({}, bounds, lag, static_cast<double>(busy_ns) * kNanoseconds);
}

void write_log(Exposition& exposition, AccessLog* log) {
  if (log == nullptr) return;
  const LogWriterStats stats = log->writer().stats();
  const auto counter = [&](const char* name, const char* help, std::uint64_t value) {
    exposition.family(name, FigureKind::counter, help);
    exposition.value({}, value);
  };
  counter("weft_log_lines", "Lines of the access log.", stats.lines);
  counter("weft_log_dropped_lines", "Those that there was no room for.", stats.dropped);
  counter("weft_log_written_bytes", "Bytes of the access log.", stats.bytes);
  counter("weft_log_write_errors", "Writes of it that failed.", stats.errors);
}

std::string route_name(const RouteEntry* entry) {
  return entry != nullptr ? entry->pattern : "others";
}

using LaneValue = std::uint64_t (*)(const RoutePlaces::LaneFigures& figures);

// The last label says which of several values it is.
void write_lane_counters(Exposition& exposition, const RoutePlaces& places, const char* label,
                         std::initializer_list<std::pair<const char*, LaneValue>> values) {
  places.for_each_lane([&](const RoutePlaces::LaneFigures& figures) {
    const std::string route = route_name(figures.entry);
    const std::string method = figures.entry != nullptr ? figures.entry->method : "";
    for (const auto& [name, value] : values) {
      const std::array labels{Label{"route", route}, Label{"method", method}, Label{label, name}};
      exposition.value(labels, value(figures));
    }
  });
}

void write_executors(Exposition& exposition, const exec::Workshop& workshop) {
  const auto each = [&](const char* name, const char* help, const auto& value_of) {
    exposition.family(name, FigureKind::gauge, help);
    for (const auto& [called, executor] : workshop.executors()) {
      const std::array labels{Label{"executor", called}};
      exposition.value(labels, value_of(*executor));
    }
  };
  each("weft_executor_running", "Requests of an executor that run, or are about to.",
       [](const exec::Executor& executor) { return executor.gate.inside(); });
  each("weft_executor_queued", "Requests that wait for a place of an executor.",
       [](const exec::Executor& executor) { return executor.gate.waiting(); });
}

void write_worker_routes(Exposition& exposition, const RoutePlaces& places) {
  const exec::PoolPort* const pool = places.workshop().pool();
  exposition.family("weft_worker_pool_threads", FigureKind::gauge, "Threads for worker routes.");
  exposition.value({}, std::uint64_t{pool != nullptr ? pool->threads() : 0});
  exposition.family("weft_worker_pool_busy_threads", FigureKind::gauge, "Those of them that work.");
  exposition.value({}, std::uint64_t{pool != nullptr ? pool->busy() : 0});
  exposition.family("weft_worker_pool_queued", FigureKind::gauge,
                    "Requests that wait for one of them.");
  exposition.value({}, std::uint64_t{places.workshop().pool_gate().waiting()});
  write_executors(exposition, places.workshop());

  using Figures = RoutePlaces::LaneFigures;
  exposition.family("weft_worker_requests", FigureKind::counter,
                    "Requests for the pool, by what has become of them: begun, rejected for they "
                    "had waited too long, or dropped for nobody waited any more.");
  write_lane_counters(exposition, places, "outcome",
                      {{"begun", [](const Figures& f) { return f.lane->figures().begun(); }},
                       {"rejected", [](const Figures& f) { return f.lane->figures().rejected(); }},
                       {"dropped", [](const Figures& f) { return f.lane->figures().dropped(); }}});
  exposition.family("weft_route_moves", FigureKind::counter,
                    "Times that a route was sent to the pool, or back, since its calls took long.");
  write_lane_counters(exposition, places, "to",
                      {{"pool", [](const Figures& f) { return f.moved_to_pool; }},
                       {"loop", [](const Figures& f) { return f.moved_back; }}});

  using Queue = exec::QueueFigures;
  std::array<double, Queue::kBounds> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = static_cast<double>(Queue::bound_us(i)) * kMicroseconds;
  }
  exposition.family("weft_worker_queue_seconds", FigureKind::histogram,
                    "How long requests have waited until they began on the pool.");
  places.for_each_lane([&](const Figures& figures) {
    std::array<std::uint64_t, Queue::kBounds + 1> counts{};
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = figures.lane->figures().waited(i);
    const std::string route = route_name(figures.entry);
    const std::string method = figures.entry != nullptr ? figures.entry->method : "";
    const std::array labels{Label{"route", route}, Label{"method", method}};
    exposition.histogram(labels, bounds, counts,
                         static_cast<double>(figures.lane->figures().waited_ns()) * kNanoseconds);
  });
}

void write_build(Exposition& exposition, const Observation& observation) {
  const std::array build{Label{"version", version()}, Label{"commit", commit()}};
  exposition.family("weft_build", FigureKind::info, "The library that the program is linked with.");
  exposition.value(build, std::uint64_t{1});
  const std::array server{Label{"backend", observation.backend}, Label{"model", observation.model}};
  exposition.family("weft_server", FigureKind::info, "How the server works.");
  exposition.value(server, std::uint64_t{1});
  exposition.family("weft_workers", FigureKind::gauge, "OS threads that serve.");
  exposition.value({}, std::uint64_t{observation.recorders.size()});
}

}  // namespace

std::shared_ptr<Observation> Observation::of(const Options& options, bool counts, unsigned workers,
                                             std::size_t routes) {
  if (!counts && options.access_log.empty()) return nullptr;
  auto made = std::make_shared<Observation>();
  made->counts = counts;
  if (!options.access_log.empty()) {
    made->log = open_access_log(options.access_log, options.access_log_format);
  }
  for (unsigned i = 0; i < workers; ++i) {
    made->recorders.push_back(std::make_unique<WorkerRecorder>(made->log.get(), counts, routes));
  }
  made->model = options.model;
  return made;
}

std::vector<http::AnswerObserver*> Observation::observers() const {
  std::vector<http::AnswerObserver*> all;
  for (const auto& recorder : recorders) all.push_back(recorder.get());
  return all;
}

void Observation::write_to(Exposition& exposition) const {
  const auto sums = sums_of(*this);
  write_build(exposition, *this);
  write_requests(exposition, sums);
  write_histograms(exposition, sums);
  write_refusals(exposition, *this);
  if (const http::Server* const watched = server.load()) {
    write_server(exposition, *this, *watched);
    write_loops(exposition, *watched);
  }
  if (const RoutePlaces* const where = places.load()) write_worker_routes(exposition, *where);
  write_log(exposition, log.get());
}

}  // namespace weft::app
