// The SessionStore in memory: in shards by key, each with a lock and an order of use of its own.
#include <algorithm>
#include <array>
#include <functional>
#include <list>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "weft/session_store.hpp"

namespace weft {

namespace {

class MemorySessionStore final : public SessionStore {
 public:
  explicit MemorySessionStore(const MemorySessionStoreOptions& options)
      : clock_(options.clock),
        shard_count_(std::clamp<std::size_t>(options.sessions / kLeastInShard, 1, kMostShards)),
        most_sessions_((options.sessions + shard_count_ - 1) / shard_count_),
        most_bytes_((options.bytes + shard_count_ - 1) / shard_count_) {}

  std::optional<std::string> load(const std::string& key) override {
    Shard& shard = shard_of(key);
    const std::chrono::nanoseconds now = time();
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.find(key, now);
    if (found == shard.by_key.end()) return std::nullopt;
    shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
    return found->second->bytes;
  }

  bool save(const std::string& key, std::string_view bytes, std::chrono::seconds lifetime,
            Save how) override {
    Shard& shard = shard_of(key);
    const std::chrono::nanoseconds now = time();
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.find(key, now);
    if (found == shard.by_key.end() && how == Save::existing) return false;
    shard.add({key, std::string(bytes), now + lifetime});
    make_room(shard);
    return true;
  }

  bool rename(const std::string& former, const std::string& key, std::string_view bytes,
              std::chrono::seconds lifetime) override {
    Shard& from = shard_of(former);
    Shard& to = shard_of(key);
    const std::chrono::nanoseconds now = time();
    std::unique_lock from_lock(from.mutex, std::defer_lock);
    std::unique_lock to_lock(to.mutex, std::defer_lock);
    if (&from == &to) {
      from_lock.lock();
    } else {
      std::lock(from_lock, to_lock);
    }
    if (from.find(former, now) == from.by_key.end()) return false;
    // The new one first, since there may be no memory for it.
    to.add({key, std::string(bytes), now + lifetime});
    if (former != key) from.drop(from.by_key.find(former));
    make_room(to);
    return true;
  }

  void destroy(const std::string& key) override {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.by_key.find(key);
    if (found != shard.by_key.end()) shard.drop(found);
  }

 private:
  // A lock for each worker of a large machine; but no shard so small that it is full long before
  // the others are.
  static constexpr std::size_t kMostShards = 16;
  static constexpr std::size_t kLeastInShard = 256;

  struct Kept {
    std::string key;
    std::string bytes;
    std::chrono::nanoseconds expires_at;
  };
  struct alignas(64) Shard {
    using ByKey = std::unordered_map<std::string_view, std::list<Kept>::iterator>;

    // One that has expired goes.
    ByKey::iterator find(const std::string& key, std::chrono::nanoseconds now) {
      const auto found = by_key.find(key);
      if (found == by_key.end() || found->second->expires_at > now) return found;
      drop(found);
      return by_key.end();
    }
    // The one used last. One of that key is dropped.
    void add(Kept kept) {
      if (const auto found = by_key.find(kept.key); found != by_key.end()) drop(found);
      by_use.push_front(std::move(kept));
      try {
        by_key.emplace(by_use.front().key, by_use.begin());
      } catch (...) {
        by_use.pop_front();
        throw;
      }
      bytes += by_use.front().bytes.size();
    }
    void drop(ByKey::iterator at) {
      const auto kept = at->second;
      bytes -= kept->bytes.size();
      by_key.erase(at);
      by_use.erase(kept);
    }

    std::mutex mutex;
    std::list<Kept> by_use;  // from the one used last
    ByKey by_key;
    std::size_t bytes = 0;
  };

  // Not of the one that has just come, however large it is.
  void make_room(Shard& shard) const {
    while (shard.by_use.size() > 1 &&
           (shard.by_use.size() > most_sessions_ || shard.bytes > most_bytes_)) {
      shard.drop(shard.by_key.find(shard.by_use.back().key));
    }
  }
  Shard& shard_of(const std::string& key) noexcept {
    return shards_[std::hash<std::string>{}(key) % shard_count_];
  }
  std::chrono::nanoseconds time() const {
    return clock_ ? clock_() : std::chrono::steady_clock::now().time_since_epoch();
  }

  std::function<std::chrono::nanoseconds()> clock_;
  std::size_t shard_count_;
  std::size_t most_sessions_;
  std::size_t most_bytes_;
  std::array<Shard, kMostShards> shards_;
};

}  // namespace

std::shared_ptr<SessionStore> memory_session_store(const MemorySessionStoreOptions& options) {
  if (options.sessions == 0 || options.bytes == 0) {
    throw std::invalid_argument(
        "memory_session_store has room for nothing: give it .sessions and .bytes");
  }
  return std::make_shared<MemorySessionStore>(options);
}

}  // namespace weft
