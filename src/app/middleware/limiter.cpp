#include "weft/middleware/limiter.hpp"

#include <atomic>
#include <charconv>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "app/error_wording.hpp"
#include "app/middleware/rate_table.hpp"
#include "app/secrets.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
// Times add up, so they stay far below what 64 bits hold.
constexpr std::int64_t kMost_ns = std::numeric_limits<std::int64_t>::max() / 4;
// As many buckets as 32 bits number, and a little less.
constexpr std::size_t kMostBuckets = std::size_t{1} << 31;

std::int64_t steady_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t up_to_seconds(std::int64_t time_ns) {
  return time_ns / kSecond_ns + (time_ns % kSecond_ns != 0 ? 1 : 0);
}

// Clients get whole networks of IPv6 addresses: a /64 is one of them.
std::uint64_t number_of(const app::TableKey& key, const std::optional<Endpoint>& client) {
  if (!client) return app::table_number(key, {});
  const auto* const bytes = reinterpret_cast<const char*>(client->bytes().data());
  return app::table_number(key, {bytes, client->is_ipv6() ? std::size_t{8} : std::size_t{4}});
}

class Limiter {
 public:
  Limiter(const LimiterOptions& options, const app::Rate& rate)
      : options_(options), table_(rate, options.keys), hash_key_(app::random_table_key()) {
    const std::uint64_t burst = options.burst == 0 ? options.requests : options.burst;
    limit_ = std::to_string(burst);
    policy_ = std::to_string(options.requests) + ";w=" +
              std::to_string(std::max<std::int64_t>(up_to_seconds(options.window.count()), 1));
    if (burst != options.requests) policy_ += ";burst=" + limit_;
  }

  void handle(Context& context, Next& next) {
    if (options_.skip && options_.skip(context)) return next();
    const std::uint64_t number = options_.key ? app::table_number(hash_key_, options_.key(context))
                                              : number_of(hash_key_, context.client_address());
    const std::int64_t now_ns = options_.clock ? options_.clock().count() : steady_now();
    const app::RateVerdict verdict = table_.take(number, now_ns);
    if (options_.headers) {
      context.set_header("RateLimit-Limit", limit_);
      set_number(context, "RateLimit-Remaining", verdict.left);
      set_number(context, "RateLimit-Reset",
                 static_cast<std::uint64_t>(up_to_seconds(verdict.full_after_ns)));
      context.set_header("RateLimit-Policy", policy_);
    }
    if (verdict.allowed) return next();
    set_number(context, "Retry-After",
               static_cast<std::uint64_t>(up_to_seconds(verdict.retry_after_ns)));
    app::answer_error(context, 429, "Too many requests; try again later\n");
  }

 private:
  static void set_number(Context& context, std::string_view name, std::uint64_t number) {
    char text[20];
    const char* const end = std::to_chars(text, text + sizeof text, number).ptr;
    context.set_header(name, {text, static_cast<std::size_t>(end - text)});
  }

  LimiterOptions options_;
  app::RateTable table_;
  app::TableKey hash_key_;
  std::string limit_;
  std::string policy_;
};

// The requests of one key that run; one that runs has a place in the map, so that it needs no bound
// of its own.
class InFlightTable {
 public:
  bool enter(std::uint64_t number, std::size_t most) {
    Shard& shard = shard_of(number);
    const std::lock_guard lock(shard.mutex);
    std::size_t& running = shard.running[number];
    if (running >= most) return false;
    ++running;
    return true;
  }
  void leave(std::uint64_t number) noexcept {
    Shard& shard = shard_of(number);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.running.find(number);
    if (--found->second == 0) shard.running.erase(found);
  }

 private:
  static constexpr std::size_t kShards = 64;
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::size_t> running;
  };
  Shard& shard_of(std::uint64_t number) noexcept { return shards_[number % kShards]; }

  std::array<Shard, kShards> shards_;
};

class MaxInFlight {
 public:
  explicit MaxInFlight(const InFlightOptions& options)
      : options_(options),
        hash_key_(app::random_table_key()),
        retry_after_(std::to_string(options.retry_after.count())) {}

  void handle(Context& context, Next& next) {
    if (options_.skip && options_.skip(context)) return next();
    if (options_.key) return handle_by_key(context, next);
    const struct Place {
      explicit Place(std::atomic<std::size_t>& of) noexcept : running(of), before(running++) {}
      ~Place() { --running; }
      std::atomic<std::size_t>& running;
      std::size_t before;
    } place(running_);
    if (place.before < options_.requests) return next();
    refuse(context, 503);
  }

 private:
  void handle_by_key(Context& context, Next& next) {
    const std::uint64_t number = app::table_number(hash_key_, options_.key(context));
    if (!table_.enter(number, options_.requests)) return refuse(context, 429);
    const struct Place {
      ~Place() { table.leave(number); }
      InFlightTable& table;
      std::uint64_t number;
    } place{table_, number};
    next();
  }

  void refuse(Context& context, int status) {
    context.set_header("Retry-After", retry_after_);
    app::answer_error(context, status, "Too many requests are running; try again later\n");
  }

  InFlightOptions options_;
  app::TableKey hash_key_;
  std::string retry_after_;
  std::atomic<std::size_t> running_{0};
  InFlightTable table_;
};

}  // namespace

Middleware limiter(const LimiterOptions& options) {
  if (options.requests == 0) {
    throw std::invalid_argument("limiter allows no request: give it .requests");
  }
  if (options.keys == 0 || options.keys > kMostBuckets) {
    throw std::invalid_argument("limiter has .keys of 0 or beyond 2^31: 65,536 are 2.5 MiB");
  }
  const std::uint64_t burst = options.burst == 0 ? options.requests : options.burst;
  const std::int64_t window_ns = options.window.count();
  if (window_ns <= 0 || window_ns > kMost_ns ||
      options.requests > static_cast<std::uint64_t>(window_ns)) {
    throw std::invalid_argument(
        "limiter has a .window that is no time, is beyond 70 years, or has more requests than "
        "nanoseconds: give it a second, a minute, an hour");
  }
  // Rounded up, so that the rate is not exceeded.
  const auto requests = static_cast<std::int64_t>(options.requests);
  const std::int64_t interval_ns = window_ns / requests + (window_ns % requests != 0 ? 1 : 0);
  if (burst > static_cast<std::uint64_t>(kMost_ns / interval_ns)) {
    throw std::invalid_argument("limiter has a .burst that takes 70 years to come back: lower it");
  }
  const app::Rate rate{interval_ns, interval_ns * static_cast<std::int64_t>(burst)};
  return [self = std::make_shared<Limiter>(options, rate)](Context& context, Next& next) {
    self->handle(context, next);
  };
}

Middleware max_in_flight(const InFlightOptions& options) {
  if (options.requests == 0) {
    throw std::invalid_argument("max_in_flight allows no request: give it .requests");
  }
  if (options.retry_after.count() < 0) {
    throw std::invalid_argument("max_in_flight has a negative .retry_after: give it 0 or more");
  }
  return [self = std::make_shared<MaxInFlight>(options)](Context& context, Next& next) {
    self->handle(context, next);
  };
}

}  // namespace weft
