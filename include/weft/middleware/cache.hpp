// cache(): keeps answers in memory and gives them again, without calling the handler.
//
//     app.use(weft::cache({.ttl = 30s}));
//
// Whole answers to GET, which answer HEAD, too. How long is what the answer says (s-maxage, or else
// max-age, or else Expires), or else the option's ttl. As a cache that many share (RFC 9111) it
// keeps nothing that is `no-store`, `no-cache` or `private`, sets a cookie, varies by `*`, or that
// is streamed; what answers a request with Authorization or Cookie only if it says `public`,
// s-maxage or must-revalidate. Keys in other places it does not know: who checks them stands
// outside of it. Of several requests that miss the same one runs the handler, and the others wait
// for its answer, on whatever worker they are. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "weft/middleware.hpp"

namespace weft {

namespace app {
class CacheStore;
}

// Where answers are kept: to be looked into, emptied, and shared by several cache().
class ResponseCache {
 public:
  // All answers together, with what it takes to find them; those used longest ago go first.
  explicit ResponseCache(std::size_t max_bytes = std::size_t{64} * 1024 * 1024);
  ~ResponseCache();
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  // The key of a request unless the options say otherwise: Context::host() in lower case, the path,
  // and the query with its pairs in the order of their names, unless one of these is escaped:
  // "example.org/list?page=2&sort=name". Of each key http and https have answers of their own.
  static std::string key_of(Context& context);

  // Forgets the answers of that key, in all their variants. Whether there were any.
  bool purge(std::string_view key);
  // Forgets those whose keys begin so; how many keys that were.
  std::size_t purge_prefix(std::string_view prefix);
  // Forgets all.
  void clear();

  // What has happened since it was made, and what is kept now.
  struct Stats {
    std::uint64_t hits = 0;       // given from memory, fresh
    std::uint64_t stale = 0;      // given although old
    std::uint64_t misses = 0;     // asked of the handler
    std::uint64_t coalesced = 0;  // waited for the answer to another request
    std::uint64_t evicted = 0;    // gone to make room
    std::size_t entries = 0;      // answers, each variant for itself
    std::size_t bytes = 0;        // what they count against the bound
  };
  // A look at it, while others go on.
  Stats stats() const;

  // For cache().
  app::CacheStore& store() noexcept { return *store_; }

 private:
  std::unique_ptr<app::CacheStore> store_;
};

// What cache() keeps, and for how long.
struct CacheOptions {
  // For answers that do not say themselves how long they may be kept; 0: those are not kept.
  std::chrono::milliseconds ttl{0};
  // So long after that the old answer is given while one request has it renewed, and when the
  // handler fails. `stale-while-revalidate` in an answer's Cache-Control goes before.
  std::chrono::milliseconds stale_while_revalidate{0};
  // What makes two requests the same; an empty text passes the cache by. Empty: key_of().
  std::function<std::string(Context&)> key = {};
  // A longer body is not kept, nor is one that a sixteenth of the store does not hold.
  std::size_t max_body_bytes = std::size_t{1024} * 1024;
  // So long a request waits for the answer to another, all in all, and then has its own made: below
  // the time after which clients give up.
  std::chrono::milliseconds wait{5'000};
  // Take requests with a Cookie for such without credentials: where cookies do not change answers.
  bool ignore_cookies = false;
  // Renew what is kept when a client says `Cache-Control: no-cache`, as a forced reload does. Off,
  // because then everybody can have the handler run.
  bool heed_clients = false;
  // The header that says HIT, STALE or MISS; empty: none.
  std::string status_header = "X-Cache";
  // Where to keep answers; null: in a store of its own.
  std::shared_ptr<ResponseCache> store = {};
};

// Throws std::invalid_argument for an option that makes no sense.
[[nodiscard]] Middleware cache(const CacheOptions& options = {});

}  // namespace weft
