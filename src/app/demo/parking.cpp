#include "app/demo/parking.hpp"

#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include <weft/green.hpp>
#include <weft/json.hpp>
#include <weft/scope.hpp>

namespace weft::demo {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;
using SteadyClock = std::chrono::steady_clock;

// Visitors must not be able to hold many stacks for long: neither one of them nor all together.
constexpr unsigned kMostSleepMs = 10'000;
constexpr unsigned kMostParked = 1'000;
constexpr unsigned kMostAsleep = 5'000;

std::optional<unsigned> parse_number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || value > most) return std::nullopt;
  return value;
}

void refuse(Context& c, std::string_view what) {
  c.status(400);
  c.json({{"error", what}});
}

// Places for green threads that sleep, out of those for all requests; given back at the end.
class Places {
 public:
  // None when fewer than `count` are free.
  static std::optional<Places> take(std::atomic<unsigned>& taken, unsigned count) noexcept {
    unsigned before = taken.load(std::memory_order_relaxed);
    do {
      if (count > kMostAsleep - before) return std::nullopt;
    } while (!taken.compare_exchange_weak(before, before + count, std::memory_order_relaxed));
    return Places(taken, count);
  }
  Places(Places&& other) noexcept : taken_(other.taken_), count_(std::exchange(other.count_, 0)) {}
  ~Places() { taken_.fetch_sub(count_, std::memory_order_relaxed); }
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  Places& operator=(Places&&) = delete;

  // Splits one off.
  Places one() noexcept {
    --count_;
    return Places(taken_, 1);
  }

 private:
  Places(std::atomic<unsigned>& taken, unsigned count) noexcept : taken_(taken), count_(count) {}

  std::atomic<unsigned>& taken_;
  unsigned count_;
};

void refuse_for_now(Context& c) {
  c.status(503).set_header("Retry-After", "1");
  c.json({{"error", "too many green threads are asleep; try again in a moment"}});
}

// What the green threads of one /park have in common; they share a worker.
struct ParkRun {
  SteadyClock::time_point started = SteadyClock::now();
  unsigned finished = 0;
  double first_ms = 0;
  double last_ms = 0;

  void finish_one() {
    last_ms = Milliseconds(SteadyClock::now() - started).count();
    if (finished++ == 0) first_ms = last_ms;
  }
};

}  // namespace

void Parking::nap(Context& c) {
  const auto ms = parse_number(c.param("ms"), kMostSleepMs);
  if (!ms) return refuse(c, "ask for 0 to 10000 milliseconds");
  const auto place = Places::take(asleep_, 1);
  if (!place) return refuse_for_now(c);
  const auto started = SteadyClock::now();
  weft::sleep(std::chrono::milliseconds(*ms));
  c.json({{"slept_ms", Milliseconds(SteadyClock::now() - started).count()}});
}

void Parking::park_many(Context& c) {
  const auto count = parse_number(c.param("count"), kMostParked);
  const auto ms = parse_number(c.param("ms"), kMostSleepMs);
  if (!count || !ms) return refuse(c, "ask for at most 1000 green threads and 10000 milliseconds");
  auto places = Places::take(asleep_, *count);
  if (!places) return refuse_for_now(c);
  ParkRun run;
  // Whose client goes away has them all woken.
  weft::scope([&](Scope& scope) {
    for (unsigned started = 0; started < *count; ++started) {
      scope.spawn([&run, place = places->one(), duration = std::chrono::milliseconds(*ms)] {
        weft::sleep(duration);
        run.finish_one();
      });
    }
  });
  c.json({{"finished", run.finished}, {"first_ms", run.first_ms}, {"last_ms", run.last_ms}});
}

}  // namespace weft::demo
