// Metrics: figures of a server and of an application, in the text that Prometheus and its like
// read.
//
//     auto figures = std::make_shared<weft::Metrics>();
//     auto& orders = figures->counter("shop_orders_total", "Orders that were taken.");
//     app.post("/orders", [&orders](weft::Context& c) { orders.add(); c.status(201); });
//     app.get("/metrics", weft::metrics({.registry = figures}));
//
// Invariants. What counts never waits and takes no lock: each thread counts in a part of its own,
// and the parts are added up by whoever reads. A figure lives as long as its Metrics; its reference
// may be kept. Names and labels are checked when it is made.
// Any thread may call any of this.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/handler.hpp"

namespace weft {

namespace app {
class Exposition;
}

class Metrics {
 public:
  // Names and values that tell figures of one name apart. Values may be any text.
  using Labels = std::vector<std::pair<std::string, std::string>>;
  // Figures of one Metrics. Each is memory, and a line that is read with every scrape: more of them
  // come from a label that has a value per user, say, and must not.
  static constexpr std::size_t kMostSeries = 10'000;

  // A number that only grows, until the program ends.
  class Counter {
   public:
    Counter();
    ~Counter();
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;

    // Adds to it.
    void add(std::uint64_t amount = 1) noexcept;
    // What all threads have added.
    std::uint64_t value() const noexcept;

   private:
    struct Part;
    std::unique_ptr<Part[]> parts_;
  };

  // A number that goes up and down. It is one for all threads, so let it not change all the time.
  class Gauge {
   public:
    Gauge() = default;
    Gauge(const Gauge&) = delete;
    Gauge& operator=(const Gauge&) = delete;

    // Each changes it: sets it, or adds to it; `change` may be negative.
    void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
    void add(double change = 1) noexcept { value_.fetch_add(change, std::memory_order_relaxed); }
    // What it is now.
    double value() const noexcept { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<double> value_{0};
  };

  // How many of what was observed were at most so large, and their sum.
  class Histogram {
   public:
    // The bounds ascend; beyond the last comes everything.
    explicit Histogram(std::vector<double> bounds);
    ~Histogram();
    Histogram(const Histogram&) = delete;
    Histogram& operator=(const Histogram&) = delete;

    // Takes a value up; what is no number is left out.
    void observe(double value) noexcept;
    // As they were given.
    std::span<const double> bounds() const noexcept { return bounds_; }
    // For each bound, and for what is beyond the last, how many values were within it and above the
    // one before.
    std::vector<std::uint64_t> counts() const;
    // Of all values.
    double sum() const noexcept;

   private:
    struct Part;
    std::vector<double> bounds_;
    std::size_t cells_;
    std::unique_ptr<Part[]> parts_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  };

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Each makes a figure, or finds the one of that name and those labels. Throws
  // std::invalid_argument, saying what to do, when the name or a label is none, when the name
  // begins with "weft_" or "process_", which are the server's, or stands for something else
  // already; and std::length_error beyond kMostSeries. A counter's name ends with "_total", which
  // is added where it is missing; a name ends with its unit, such as "_seconds" or "_bytes".
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  // Without bounds they are those of seconds_bounds().
  Histogram& histogram(std::string_view name, std::string_view help,
                       std::vector<double> bounds = {}, const Labels& labels = {});

  // From 0.5 ms on, each twice the one before, up to 16 s.
  static std::vector<double> seconds_bounds();
  // `count` bounds, each `factor` times the one before.
  static std::vector<double> exponential_bounds(double first, double factor, std::size_t count);

  // For metrics().
  void write_to(app::Exposition& exposition) const;

 private:
  struct Family;
  struct Series;
  class Registry;
  std::unique_ptr<Registry> registry_;
};

// What metrics() shows.
struct MetricsOptions {
  // The application's own figures; null: those of App::state<Metrics>(), if there are any.
  std::shared_ptr<Metrics> registry = {};
  // Whether the figures of the server are among them. Only then are its requests counted.
  bool server = true;
};

// A handler that shows the figures: `app.get("/metrics", weft::metrics())`. It answers in the text
// format of Prometheus, or in that of OpenMetrics where the request's Accept prefers it. An App
// that has such a route when it starts counts its requests from then on; others pay nothing for it.
Handler metrics(const MetricsOptions& options = {});

}  // namespace weft
