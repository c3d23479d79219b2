// The IdempotencyStore in memory: in shards by key, each with a lock and an order of expiry; and
// what each owner has of it, in shards of its own, whose locks are taken inside of those. Those who
// cannot be told from others are one owner, whose share is all.
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
  for (const std::string& name : answer.replaced) size += name.size();
  return size;
}

class MemoryIdempotencyStore final : public IdempotencyStore {
 public:
  explicit MemoryIdempotencyStore(const MemoryIdempotencyStoreOptions& options)
      : options_(options) {}

  Claim claim(const Wish& wish) override {
    const std::chrono::nanoseconds now = time();
    if (is_full() || !owner_has_room(wish.owner)) {
      for (Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        drop_expired(shard, now);
      }
    }
    Shard& shard = shard_of(wish.key);
    const std::lock_guard lock(shard.mutex);
    drop_expired(shard, now);
    if (const auto found = shard.by_key.find(wish.key); found != shard.by_key.end()) {
      const Kept& kept = found->second;
      if (!kept.is_complete) return {Claim::Kind::in_progress, kept.fingerprint};
      return {Claim::Kind::completed, kept.fingerprint, kept.answer};
    }
    // Those that come at the same time may go a little beyond; one for each thread at most.
    if (is_full()) return {Claim::Kind::full};
    const auto owner = add_key_of(wish.owner);
    if (owner == nullptr) return {Claim::Kind::owner_full};
    try {
      const auto made = shard.by_key.emplace(wish.key, Kept{wish.fingerprint, owner}).first;
      try {
        made->second.expiry = shard.by_expiry.emplace(now + wish.lease, &made->first);
      } catch (...) {
        shard.by_key.erase(made);
        throw;
      }
    } catch (...) {
      forget_key_of(*owner, 0);
      throw;
    }
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
    const std::size_t bytes = size_of(answer);
    bytes_ += bytes;
    kept.owner->second.bytes += bytes;
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
  // What one owner has; there while it has a key.
  struct Share {
    std::size_t keys = 0;
    std::atomic<std::size_t> bytes{0};
  };
  using Owners = std::unordered_map<std::string, Share>;
  using Owner = Owners::value_type;
  struct alignas(64) OwnerShard {
    std::mutex mutex;
    Owners shares;
  };
  struct Kept {
    std::string fingerprint;
    Owner* owner;  // whose address stays
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
    const std::size_t bytes = at->second.is_complete ? size_of(at->second.answer) : 0;
    bytes_ -= bytes;
    --keys_;
    forget_key_of(*at->second.owner, bytes);
    shard.by_expiry.erase(at->second.expiry);
    shard.by_key.erase(at);
  }
  bool is_full() const noexcept {
    return keys_.load() >= options_.keys || bytes_.load() >= options_.bytes;
  }
  bool has_room(const std::string& owner, const Share& share) const noexcept {
    return owner.empty() ||
           (share.keys < options_.keys_per_owner && share.bytes.load() < options_.bytes_per_owner);
  }
  bool owner_has_room(const std::string& name) {
    OwnerShard& shard = owners_of(name);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.shares.find(name);
    return found == shard.shares.end() || has_room(name, found->second);
  }
  // Null when it may have no more.
  Owner* add_key_of(const std::string& name) {
    OwnerShard& shard = owners_of(name);
    const std::lock_guard lock(shard.mutex);
    Owner& owner = *shard.shares.try_emplace(name).first;
    if (!has_room(name, owner.second)) return nullptr;
    ++owner.second.keys;
    return &owner;
  }
  void forget_key_of(Owner& owner, std::size_t bytes) noexcept {
    OwnerShard& shard = owners_of(owner.first);
    const std::lock_guard lock(shard.mutex);
    owner.second.bytes -= bytes;
    if (--owner.second.keys == 0) shard.shares.erase(shard.shares.find(owner.first));
  }
  OwnerShard& owners_of(const std::string& name) noexcept {
    return owners_[std::hash<std::string>{}(name) % kShards];
  }
  Shard& shard_of(const std::string& key) noexcept {
    return shards_[std::hash<std::string>{}(key) % kShards];
  }
  std::chrono::nanoseconds time() const {
    return options_.clock ? options_.clock() : std::chrono::steady_clock::now().time_since_epoch();
  }

  MemoryIdempotencyStoreOptions options_;
  std::array<Shard, kShards> shards_;
  std::array<OwnerShard, kShards> owners_;
  std::atomic<std::size_t> keys_{0};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace

std::shared_ptr<IdempotencyStore> memory_idempotency_store(
    const MemoryIdempotencyStoreOptions& options) {
  if (options.keys == 0 || options.bytes == 0 || options.keys_per_owner == 0 ||
      options.bytes_per_owner == 0) {
    throw std::invalid_argument(
        "memory_idempotency_store has room for nothing: give it .keys and .bytes, and of each "
        "_per_owner");
  }
  return std::make_shared<MemoryIdempotencyStore>(options);
}

}  // namespace weft
