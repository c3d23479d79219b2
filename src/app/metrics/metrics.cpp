#include "weft/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <variant>

#include "app/log/thread_number.hpp"
#include "app/metrics/exposition.hpp"

namespace weft {

namespace {

using app::FigureKind;

// Threads that count at the same time seldom meet in one; more would cost memory for nothing.
constexpr std::size_t kParts = 16;

std::size_t own_part() noexcept { return app::thread_number() % kParts; }

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_name(std::string_view name, bool colons) {
  const auto fits = [colons](char c) {
    return is_letter(c) || is_digit(c) || (colons && c == ':');
  };
  return !name.empty() && !is_digit(name.front()) && std::ranges::all_of(name, fits);
}

[[noreturn]] void refuse(std::string_view name, const std::string& why) {
  throw std::invalid_argument("metric \"" + std::string(name) + "\": " + why);
}

void require_name(std::string_view name) {
  if (!is_name(name, true)) {
    refuse(name, "a name has letters, digits, _ and :, and does not begin with a digit");
  }
  for (const std::string_view taken : {"weft_", "process_"}) {
    if (name.starts_with(taken)) {
      refuse(name, "names with " + std::string(taken) + " in front are the server's; take another");
    }
  }
}

void require_labels(std::string_view name, const Metrics::Labels& labels, FigureKind kind) {
  std::set<std::string_view> seen;
  for (const auto& [label, value] : labels) {
    if (!is_name(label, false) || label.starts_with("__")) {
      refuse(name, "label \"" + label +
                       "\": a label has letters, digits and _, and begins with a letter");
    }
    if (kind == FigureKind::histogram && label == "le") {
      refuse(name, "the label le is the histogram's own; take another");
    }
    if (!seen.insert(label).second) refuse(name, "the label " + label + " occurs twice");
  }
}

void require_bounds(std::string_view name, const std::vector<double>& bounds) {
  // Each is a line, and memory for every thread.
  constexpr std::size_t kMost = 100;
  if (bounds.size() > kMost) {
    refuse(name, "a histogram has at most " + std::to_string(kMost) + " bounds");
  }
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (!std::isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1])) {
      refuse(name, "the bounds of a histogram are finite and ascend");
    }
  }
}

// The names that samples of a family have.
std::vector<std::string> sample_names(const std::string& family, FigureKind kind) {
  if (kind == FigureKind::counter) return {family, family + "_total"};
  if (kind != FigureKind::histogram) return {family};
  return {family, family + "_bucket", family + "_sum", family + "_count"};
}

const char* name_of(FigureKind kind) {
  return kind == FigureKind::counter ? "counter"
         : kind == FigureKind::gauge ? "gauge"
                                     : "histogram";
}

}  // namespace

// ---- Counter

struct alignas(64) Metrics::Counter::Part {
  std::atomic<std::uint64_t> value{0};
};

Metrics::Counter::Counter() : parts_(std::make_unique<Part[]>(kParts)) {}
Metrics::Counter::~Counter() = default;

void Metrics::Counter::add(std::uint64_t amount) noexcept {
  parts_[own_part()].value.fetch_add(amount, std::memory_order_relaxed);
}

std::uint64_t Metrics::Counter::value() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kParts; ++i) sum += parts_[i].value.load(std::memory_order_relaxed);
  return sum;
}

// ---- Histogram

struct alignas(64) Metrics::Histogram::Part {
  std::atomic<double> sum{0};
};

Metrics::Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      // Whole cache lines for each part.
      cells_((bounds_.size() + 1 + 7) / 8 * 8),
      parts_(std::make_unique<Part[]>(kParts)),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(kParts * cells_)) {}
Metrics::Histogram::~Histogram() = default;

void Metrics::Histogram::observe(double value) noexcept {
  if (std::isnan(value)) return;
  const auto within = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  const std::size_t part = own_part();
  counts_[part * cells_ + static_cast<std::size_t>(within)].fetch_add(1, std::memory_order_relaxed);
  parts_[part].sum.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Metrics::Histogram::counts() const {
  std::vector<std::uint64_t> sums(bounds_.size() + 1);
  for (std::size_t part = 0; part < kParts; ++part) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] += counts_[part * cells_ + i].load(std::memory_order_relaxed);
    }
  }
  return sums;
}

double Metrics::Histogram::sum() const noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < kParts; ++i) sum += parts_[i].sum.load(std::memory_order_relaxed);
  return sum;
}

// ---- Metrics

struct Metrics::Series {
  Labels labels;
  std::variant<std::monostate, Counter, Gauge, Histogram> figure;
};

struct Metrics::Family {
  FigureKind kind;
  std::string help;
  std::vector<double> bounds;
  std::map<Labels, std::unique_ptr<Series>> series;
};

class Metrics::Registry {
 public:
  // The one that is meant, new or not; new ones have no figure yet.
  Series& find(const std::string& name, FigureKind kind, std::string_view help,
               const std::vector<double>& bounds, const Labels& labels);

  std::mutex mutex;
  std::map<std::string, Family> families;

 private:
  Family& find_family(const std::string& name, FigureKind kind, std::string_view help,
                      const std::vector<double>& bounds);

  std::map<std::string, std::string> owners_;  // of the names of samples
  std::size_t series_ = 0;
};

Metrics::Family& Metrics::Registry::find_family(const std::string& name, FigureKind kind,
                                                std::string_view help,
                                                const std::vector<double>& bounds) {
  const auto known = families.find(name);
  if (known != families.end()) {
    Family& family = known->second;
    if (family.kind != kind) {
      refuse(name, std::string("it is a ") + name_of(family.kind) + " already; take another name");
    }
    if (family.bounds != bounds) refuse(name, "it is a histogram with other bounds already");
    return family;
  }
  const auto names = sample_names(name, kind);
  for (const std::string& one : names) {
    const auto owner = owners_.find(one);
    if (owner == owners_.end()) continue;
    refuse(name, "its sample " + one + " would be taken for one of " + owner->second +
                     "; take another name");
  }
  for (const std::string& one : names) owners_[one] = name;
  return families.emplace(name, Family{kind, std::string(help), bounds, {}}).first->second;
}

Metrics::Series& Metrics::Registry::find(const std::string& name, FigureKind kind,
                                         std::string_view help, const std::vector<double>& bounds,
                                         const Labels& labels) {
  Labels sorted = labels;
  std::ranges::sort(sorted);
  Family& family = find_family(name, kind, help, bounds);
  auto& place = family.series[sorted];
  if (place == nullptr) {
    if (series_ >= kMostSeries) {
      family.series.erase(sorted);
      throw std::length_error("more than " + std::to_string(kMostSeries) +
                              " metrics: a label must not have a value per user or request");
    }
    place = std::make_unique<Series>();
    place->labels = labels;
    ++series_;
  }
  return *place;
}

Metrics::Metrics() : registry_(std::make_unique<Registry>()) {}
Metrics::~Metrics() = default;

Metrics::Counter& Metrics::counter(std::string_view name, std::string_view help,
                                   const Labels& labels) {
  require_name(name);
  require_labels(name, labels, FigureKind::counter);
  if (name.ends_with("_total")) name.remove_suffix(std::string_view("_total").size());
  if (name.empty()) refuse("_total", "a counter has a name in front of that");
  const std::lock_guard lock(registry_->mutex);
  auto& figure = registry_->find(std::string(name), FigureKind::counter, help, {}, labels).figure;
  if (auto* const known = std::get_if<Counter>(&figure)) return *known;
  return figure.emplace<Counter>();
}

Metrics::Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  require_name(name);
  require_labels(name, labels, FigureKind::gauge);
  const std::lock_guard lock(registry_->mutex);
  auto& figure = registry_->find(std::string(name), FigureKind::gauge, help, {}, labels).figure;
  if (auto* const known = std::get_if<Gauge>(&figure)) return *known;
  return figure.emplace<Gauge>();
}

Metrics::Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                                       std::vector<double> bounds, const Labels& labels) {
  require_name(name);
  require_labels(name, labels, FigureKind::histogram);
  if (bounds.empty()) bounds = seconds_bounds();
  require_bounds(name, bounds);
  const std::lock_guard lock(registry_->mutex);
  auto& figure =
      registry_->find(std::string(name), FigureKind::histogram, help, bounds, labels).figure;
  if (auto* const known = std::get_if<Histogram>(&figure)) return *known;
  return figure.emplace<Histogram>(std::move(bounds));
}

std::vector<double> Metrics::seconds_bounds() { return exponential_bounds(0.0005, 2, 16); }

std::vector<double> Metrics::exponential_bounds(double first, double factor, std::size_t count) {
  std::vector<double> bounds;
  for (double bound = first; bounds.size() < count; bound *= factor) bounds.push_back(bound);
  return bounds;
}

void Metrics::write_to(app::Exposition& exposition) const {
  const std::lock_guard lock(registry_->mutex);
  for (const auto& [name, family] : registry_->families) {
    exposition.family(name, family.kind, family.help);
    for (const auto& [key, series] : family.series) {
      std::vector<app::Exposition::Label> labels(series->labels.begin(), series->labels.end());
      const auto& figure = series->figure;
      if (const auto* const counter = std::get_if<Counter>(&figure)) {
        exposition.value(labels, counter->value());
      } else if (const auto* const gauge = std::get_if<Gauge>(&figure)) {
        exposition.value(labels, gauge->value());
      } else if (const auto* const histogram = std::get_if<Histogram>(&figure)) {
        exposition.histogram(labels, histogram->bounds(), histogram->counts(), histogram->sum());
      }
    }
  }
}

}  // namespace weft
