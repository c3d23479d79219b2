// The IdempotencyStore in memory: in shards by key, each with a lock and an order of expiry.
#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

#include "weft/idempotency_store.hpp"

namespace weft {

namespace {

std::size_t size_of(const KeptAnswer& answer) noexcept {
  std::size_t size = answer.content_type.size() + answer.body.size();
  for (const auto& [name, value] : answer.headers) size += name.size() + value.size();
  return size;
}

class MemoryIdempotencyStore final : public IdempotencyStore {
 public:
  explicit MemoryIdempotencyStore(const MemoryIdempotencyStoreOptions& options)
      : options_(options) {}

  Claim claim(const std::string& key, const std::string& fingerprint,
              std::chrono::seconds lease) override {
    const std::chrono::nanoseconds now = time();
    if (keys_.load() >= options_.keys || bytes_.load() >= options_.bytes) {
      for (Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        drop_expired(shard, now);
      }
    }
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    drop_expired(shard, now);
    if (const auto found = shard.by_key.find(key); found != shard.by_key.end()) {
      const Kept& kept = found->second;
      if (!kept.is_complete) return {Claim::Kind::in_progress, kept.fingerprint};
      return {Claim::Kind::completed, kept.fingerprint, kept.answer};
    }
    // Those that come at the same time may go a little beyond; one for each thread at most.
    if (keys_.load() >= options_.keys || bytes_.load() >= options_.bytes) {
      return {Claim::Kind::full};
    }
    const auto made = shard.by_key.emplace(key, Kept{fingerprint}).first;
    made->second.expiry = shard.by_expiry.emplace(now + lease, &made->first);
    ++keys_;
    return {Claim::Kind::taken};
  }

  void complete(const std::string& key, KeptAnswer answer, std::chrono::seconds lifetime) override {
    const std::chrono::nanoseconds now = time();
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.by_key.find(key);
    // Its lease was over, and another one was as good or has expired, too.
    if (found == shard.by_key.end() || found->second.is_complete) return;
    Kept& kept = found->second;
    bytes_ += size_of(answer);
    kept.answer = std::move(answer);
    kept.is_complete = true;
    shard.by_expiry.erase(kept.expiry);
    kept.expiry = shard.by_expiry.emplace(now + lifetime, &found->first);
  }

  void release(const std::string& key) override {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.by_key.find(key);
    if (found != shard.by_key.end() && !found->second.is_complete) drop(shard, found);
  }

 private:
  // A lock for each worker of a large machine.
  static constexpr std::size_t kShards = 16;

  using ByExpiry = std::multimap<std::chrono::nanoseconds, const std::string*>;
  struct Kept {
    std::string fingerprint;
    bool is_complete = false;
    KeptAnswer answer = {};
    ByExpiry::iterator expiry = {};
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<std::string, Kept> by_key;
    ByExpiry by_expiry;
  };

  void drop_expired(Shard& shard, std::chrono::nanoseconds now) {
    while (!shard.by_expiry.empty() && shard.by_expiry.begin()->first <= now) {
      drop(shard, shard.by_key.find(*shard.by_expiry.begin()->second));
    }
  }
  void drop(Shard& shard, std::unordered_map<std::string, Kept>::iterator at) {
    if (at->second.is_complete) bytes_ -= size_of(at->second.answer);
    --keys_;
    shard.by_expiry.erase(at->second.expiry);
    shard.by_key.erase(at);
  }
  Shard& shard_of(const std::string& key) noexcept {
    return shards_[std::hash<std::string>{}(key) % kShards];
  }
  std::chrono::nanoseconds time() const {
    return options_.clock ? options_.clock() : std::chrono::steady_clock::now().time_since_epoch();
  }

  MemoryIdempotencyStoreOptions options_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::size_t> keys_{0};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace

std::shared_ptr<IdempotencyStore> memory_idempotency_store(
    const MemoryIdempotencyStoreOptions& options) {
  if (options.keys == 0 || options.bytes == 0) {
    throw std::invalid_argument(
        "memory_idempotency_store has room for nothing: give it .keys and .bytes");
  }
  return std::make_shared<MemoryIdempotencyStore>(options);
}

}  // namespace weft
