// CacheStore: answers by key and variant, within a bound, and who is having one made.
//
// Invariants. Sixteen shards by the hash of the key, each with a lock that is never held across a
// wait, its own order of use and its own part of the bound. What is kept is not changed; who has
// been given it keeps it for as long as it likes. A flight is in its shard from its beginning to
// its end. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/head_parser.hpp"
#include "weft/middleware/cache.hpp"
#include "weft/sync.hpp"

namespace weft::app {

using CacheClock = std::chrono::steady_clock;

struct StoredAnswer {
  int status = 200;
  std::string content_type;
  std::string fields;  // lines
  std::string body;
  CacheClock::time_point stored;
  CacheClock::time_point fresh_until;
  CacheClock::time_point stale_until;
  bool is_public = false;  // also for requests with credentials
};
using SharedAnswer = std::shared_ptr<const StoredAnswer>;

// One request's handler runs, and others wait for what it comes to.
struct CacheFlight {
  WaitGroup ended{1};
  std::atomic<bool> awaited{false};
};

class CacheStore {
 public:
  explicit CacheStore(std::size_t max_bytes) : most_bytes_(max_bytes / kShards) {}
  CacheStore(const CacheStore&) = delete;
  CacheStore& operator=(const CacheStore&) = delete;

  struct Found {
    SharedAnswer answer;  // null: none that may be given, be it old
    bool pass = false;    // none is kept of these
    std::string flight;   // what its flight is called
    std::uint64_t purges = 0;
  };
  // What is asked for. Links in an answer may be of the scheme, so each has answers of its own.
  struct Asked {
    std::string_view key;
    http::HeadView head;
    bool is_https = false;
  };
  Found find(const Asked& asked, CacheClock::time_point now);
  // `vary`: names in lower case; `purges`: what find() said before the answer was made, for one
  // that was being made when it was to be forgotten is not kept. Nor is one that is too large.
  bool keep(const Asked& asked, const std::vector<std::string>& vary, std::uint64_t purges,
            SharedAnswer answer);
  // For so long nobody is to wait for another's answer of that key.
  void keep_out(std::string_view key, CacheClock::time_point until);

  // Begins a flight, or joins the one there is.
  struct Joined {
    std::shared_ptr<CacheFlight> flight;
    bool leads = false;
  };
  Joined join(std::string_view key, const std::string& name);
  void end_flight(std::string_view key, const std::string& name, CacheFlight& flight) noexcept;

  bool purge(std::string_view key);
  std::size_t purge_prefix(std::string_view prefix);
  void clear();
  ResponseCache::Stats stats() const;

  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> stale{0};
  std::atomic<std::uint64_t> misses{0};
  std::atomic<std::uint64_t> coalesced{0};

 private:
  static constexpr std::size_t kShards = 16;
  // Variants of one key; beyond them the oldest goes. A client can make up as many as it likes.
  static constexpr std::size_t kMostVariants = 16;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  struct Variant {
    std::string key;
    std::string values;  // the scheme, and those of the fields by which it varies
    SharedAnswer answer;
    std::size_t bytes = 0;
  };
  using Order = std::list<Variant>;  // used last in front
  struct Resource {
    std::vector<std::string> vary;
    std::vector<Order::iterator> variants;
  };
  // A key, by its hash, of which no answer is waited for; the next one in its place ends that.
  struct Pass {
    std::size_t hash = 0;
    CacheClock::time_point until;
  };
  static constexpr std::size_t kPasses = 256;  // of a shard
  using Resources = std::unordered_map<std::string, Resource, Hash, std::equal_to<>>;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    Resources resources;
    Order order;
    std::size_t bytes = 0;
    std::uint64_t evicted = 0;
    std::uint64_t purges = 0;
    std::array<Pass, kPasses> passes;
    std::unordered_map<std::string, std::shared_ptr<CacheFlight>, Hash, std::equal_to<>> flights;
  };

  Shard& shard_of(std::string_view key) { return shards_[Hash()(key) / 7 % kShards]; }
  static Pass& pass_of(Shard& shard, std::size_t hash) {
    return shard.passes[hash / (7 * kShards) % kPasses];
  }
  static void forget(Shard& shard, Order::iterator variant);
  static std::size_t forget_all(Shard& shard, Resource& resource);
  static std::string values_of(const std::vector<std::string>& vary, const Asked& asked);

  const std::size_t most_bytes_;  // of a shard
  std::array<Shard, kShards> shards_;
};

}  // namespace weft::app
