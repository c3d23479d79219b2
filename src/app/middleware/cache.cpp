#include "weft/middleware/cache.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

#include "app/middleware/cache_rules.hpp"
#include "app/middleware/cache_store.hpp"
#include "app/middleware/conditional.hpp"
#include "app/middleware/passed_bodies.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/method.hpp"
#include "http/query.hpp"
#include "http/response_fields.hpp"
#include "weft/context.hpp"
#include "weft/http_error.hpp"

namespace weft {

namespace {

using app::CacheClock;
using app::CacheStore;

bool has_line(std::string_view lines, std::string_view wanted) {
  bool found = false;
  http::for_each_field(lines, [&](std::string_view line, std::string_view, std::string_view) {
    found = line == wanted;
    return !found;
  });
  return found;
}

// One request on its way through a cache().
class CachedRequest {
 public:
  CachedRequest(const CacheOptions& options, CacheStore& store, Context& context, Next& next)
      : options_(options),
        store_(store),
        exchange_(context.exchange()),
        next_(next),
        key_(options.key ? options.key(context) : ResponseCache::key_of(context)),
        asked_{key_, exchange_.head(), context.scheme() == "https"},
        is_head_(exchange_.head().head().method == http::Method::head),
        has_credentials_(exchange_.head().find("authorization") ||
                         (!options.ignore_cookies && exchange_.head().find("cookie"))),
        renews_(options.heed_clients && app::request_says(exchange_.head(), "no-cache")) {}

  void answer() {
    if (key_.empty()) return next_();
    // Who has waited for others twice, and got nothing, has its own made.
    if (!answer_or_wait() && !answer_or_wait()) run();
  }

 private:
  // What the answer had before the handler ran.
  struct Before {
    std::string fields;
    std::size_t lasting = 0;
  };
  // The end of a flight, whatever it comes to.
  struct Flight {
    Flight(CacheStore& cache_store, std::string_view cache_key, std::string flight_name)
        : store(cache_store), key(cache_key), name(std::move(flight_name)) {
      joined = store.join(key, name);
    }
    ~Flight() { end(); }
    void end() noexcept {
      if (std::exchange(joined.leads, false)) store.end_flight(key, name, *joined.flight);
    }
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;

    CacheStore& store;
    std::string_view key;
    std::string name;
    CacheStore::Joined joined;
  };
  // Ends a flight when its answer becomes a stream, which is not kept and may go on for ever.
  class StreamWatch final : public app::PassedBodies {
   public:
    StreamWatch(CachedRequest& request, Flight& flight) noexcept
        : PassedBodies(request.exchange_), request_(request), flight_(flight) {}
    void begin_answer_stream(std::optional<std::uint64_t> length) override {
      behind().begin_answer_stream(length);
      request_.keep_out(flight_);
      flight_.end();
    }

   private:
    CachedRequest& request_;
    Flight& flight_;
  };

  // False when it has waited.
  bool answer_or_wait() {
    const auto now = CacheClock::now();
    found_ = store_.find(asked_, now);
    if (has_credentials_ && found_.answer != nullptr && !found_.answer->is_public) {
      found_.answer = nullptr;
    }
    const bool is_fresh = found_.answer != nullptr && now < found_.answer->fresh_until;
    if (is_fresh && !renews_) {
      count(store_.hits);
      give(*found_.answer, now, "HIT");
      return true;
    }
    // Nobody is to wait for what will not be kept.
    if (found_.pass || has_credentials_ || is_head_ || renews_ || forbids_to_keep()) {
      run();
      return true;
    }
    Flight flight(store_, key_, std::move(found_.flight));
    if (flight.joined.leads) {
      run(&flight);
      return true;
    }
    if (found_.answer != nullptr) {
      count(store_.stale);
      give(*found_.answer, now, "STALE");
      return true;
    }
    count(store_.coalesced);
    if (!give_up_at_) give_up_at_ = now + options_.wait;
    if (flight.joined.flight->ended.wait_for(std::max(*give_up_at_ - now, {}))) return false;
    run();
    return true;
  }

  static void count(std::atomic<std::uint64_t>& counter) {
    counter.fetch_add(1, std::memory_order_relaxed);
  }

  // Has the handler answer, and keeps what it says; what there is of an old answer is given in
  // place of a failure.
  void run(Flight* flight = nullptr) {
    count(store_.misses);
    const Before before{std::string(exchange_.response().fields.view()),
                        exchange_.response().lasting};
    try {
      call_handler(flight);
    } catch (const HttpError&) {
      throw;
    } catch (const std::exception&) {
      if (!give_old(before)) throw;
      return;
    }
    http::Response& response = exchange_.response();
    if (response.head_is_out || exchange_.bodies().answer_is_streamed()) {
      if (flight != nullptr) keep_out(*flight);
      return;
    }
    if (response.status >= 500) {
      if (!give_old(before)) mark(response, "MISS");
      return;
    }
    try {
      kept_ = keep(before);
    } catch (const std::bad_alloc&) {
      // It is answered all the same.
    }
    if (!kept_ && flight != nullptr) keep_out(*flight);
    mark(response, "MISS");
    // As it would have been answered from memory.
    if (kept_ && !is_head_) app::answer_conditionally(exchange_);
  }

  void call_handler(Flight* flight) {
    if (flight == nullptr) return next_();
    const StreamWatch watch(*this, *flight);
    next_();
  }

  bool give_old(const Before& before) {
    http::Response& response = exchange_.response();
    if (found_.answer == nullptr || response.head_is_out ||
        exchange_.bodies().answer_is_streamed()) {
      return false;
    }
    response.fields.assign(before.fields);
    response.lasting = before.lasting;
    count(store_.stale);
    give(*found_.answer, CacheClock::now(), "STALE");
    return true;
  }

  // Others are not to wait for answers of which nothing is kept.
  void keep_out(const Flight& flight) {
    constexpr std::chrono::seconds kPause{5};
    if (flight.joined.flight->awaited) store_.keep_out(key_, CacheClock::now() + kPause);
  }

  bool forbids_to_keep() const { return app::request_says(exchange_.head(), "no-store"); }

  bool keep(const Before& before) {
    const http::Response& response = exchange_.response();
    if (is_head_ || response.body.size() > options_.max_body_bytes || forbids_to_keep()) {
      return false;
    }
    auto permission =
        app::permission_to_keep(response, options_.ttl, options_.stale_while_revalidate);
    if (!permission || (has_credentials_ && !permission->is_public)) return false;
    auto answer = std::make_shared<app::StoredAnswer>();
    answer->status = response.status;
    answer->content_type = response.content_type;
    http::for_each_field(response.fields.view(),
                         [&](std::string_view line, std::string_view, std::string_view) {
                           // What was there already is the request's, and not the answer's.
                           if (!has_line(before.fields, line)) answer->fields += line;
                           return true;
                         });
    answer->body = response.body.view();
    answer->stored = CacheClock::now();
    answer->fresh_until = answer->stored + permission->fresh;
    answer->stale_until = answer->fresh_until + permission->stale;
    answer->is_public = permission->is_public;
    return store_.keep(asked_, permission->vary, found_.purges, std::move(answer));
  }

  void give(const app::StoredAnswer& answer, CacheClock::time_point now, std::string_view how) {
    http::Response& response = exchange_.response();
    response.status = answer.status;
    response.content_type = answer.content_type.empty()
                                ? std::string_view()
                                : exchange_.keep(std::string(answer.content_type));
    response.content_type_chosen = true;
    response.fields.append(answer.fields);
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - answer.stored).count();
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), std::max(age, {}));
    response.add_field("Age", {digits.data(), static_cast<std::size_t>(end.ptr - digits.data())});
    response.body.assign(answer.body);
    mark(response, how);
    if (answer.status == 200) app::answer_conditionally(exchange_);
  }

  void mark(http::Response& response, std::string_view how) const {
    if (!options_.status_header.empty()) response.add_field(options_.status_header, how);
  }

  const CacheOptions& options_;
  CacheStore& store_;
  http::Exchange& exchange_;
  Next& next_;
  const std::string key_;
  const CacheStore::Asked asked_;
  const bool is_head_;
  const bool has_credentials_;
  const bool renews_;
  bool kept_ = false;
  std::optional<CacheClock::time_point> give_up_at_;  // of waiting for others
  CacheStore::Found found_;
};

bool is_cacheable_request(const http::Exchange& exchange) {
  const http::RequestHead& head = exchange.head().head();
  return (head.method == http::Method::get || head.method == http::Method::head) &&
         !head.has_body() && !head.upgrade && !exchange.head().find("range");
}

}  // namespace

ResponseCache::ResponseCache(std::size_t max_bytes)
    : store_(std::make_unique<CacheStore>(max_bytes)) {}

ResponseCache::~ResponseCache() = default;

std::string ResponseCache::key_of(Context& context) {
  const http::HeadView head = context.exchange().head();
  // As handlers know it, who may write it into their answers.
  std::string key = http::in_lower_case(std::string(context.host()));
  key += head.path();
  if (head.query().empty()) return key;
  std::vector<http::QueryPair> pairs;
  bool is_plain = true;
  for (const http::QueryPair& pair : http::Query(head.query())) {
    pairs.push_back(pair);
    is_plain = is_plain && pair.name.find_first_of("%+") == std::string_view::npos;
  }
  // Those of one name stay in the order of their places: of those the first counts, and names that
  // are escaped may be the same.
  const auto goes_before = [](const http::QueryPair& left, const http::QueryPair& right) {
    return left.name != right.name ? left.name < right.name : left.name.data() < right.name.data();
  };
  if (is_plain) std::ranges::sort(pairs, goes_before);
  char separator = '?';
  for (const http::QueryPair& pair : pairs) {
    key += std::exchange(separator, '&');
    key.append(pair.name).append("=").append(pair.value);
  }
  return key;
}

bool ResponseCache::purge(std::string_view key) { return store_->purge(key); }

std::size_t ResponseCache::purge_prefix(std::string_view prefix) {
  return store_->purge_prefix(prefix);
}

void ResponseCache::clear() { store_->clear(); }

ResponseCache::Stats ResponseCache::stats() const { return store_->stats(); }

Middleware cache(const CacheOptions& options) {
  if (options.ttl.count() < 0 || options.stale_while_revalidate.count() < 0 ||
      options.wait.count() < 0) {
    throw std::invalid_argument("cache: a time below zero; 0 turns it off");
  }
  if (!options.status_header.empty() && !http::is_token(options.status_header)) {
    throw std::invalid_argument("cache: status_header must be the name of a header, not '" +
                                options.status_header + "'");
  }
  struct Kept {
    CacheOptions options;
    std::shared_ptr<ResponseCache> store;
  };
  auto kept = std::make_shared<const Kept>(
      Kept{options, options.store ? options.store : std::make_shared<ResponseCache>()});
  return [kept = std::move(kept)](Context& context, Next& next) {
    if (!is_cacheable_request(context.exchange())) return next();
    CachedRequest(kept->options, kept->store->store(), context, next).answer();
  };
}

}  // namespace weft
