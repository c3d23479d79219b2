// RateTable: a bucket for each of many clients, by the generic cell rate algorithm in integers.
//
// A bucket is one time: when it will be full again. A request moves it on by one interval, and is
// refused when it would be more than the whole bucket ahead of now. So a bucket whose time has come
// is the same as none, and only such a one is ever dropped.
// Any thread: the table is in shards, each with a lock of its own.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace weft::app {

struct Rate {
  std::int64_t interval_ns;   // in which one request's room comes back
  std::int64_t tolerance_ns;  // of a whole bucket
};

struct RateVerdict {
  bool allowed;
  std::uint64_t left;           // requests that would be allowed now
  std::int64_t full_after_ns;   // until the bucket is full again
  std::int64_t retry_after_ns;  // until one request is allowed; 0 when this one is
};

// Takes one request out of the bucket.
inline RateVerdict take_one(const Rate& rate, std::int64_t& full_at_ns, std::int64_t now_ns) {
  const std::int64_t before = std::max(full_at_ns, now_ns) - now_ns;
  const std::int64_t after = before + rate.interval_ns;
  const bool allowed = after <= rate.tolerance_ns;
  if (allowed) full_at_ns = now_ns + after;
  const std::int64_t used = allowed ? after : before;
  return {allowed, static_cast<std::uint64_t>((rate.tolerance_ns - used) / rate.interval_ns), used,
          allowed ? 0 : after - rate.tolerance_ns};
}

class RateTable {
 public:
  RateTable(const Rate& rate, std::size_t buckets) : rate_(rate), shards_(shards_for(buckets)) {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      // What does not divide goes to the first ones.
      shards_[i].prepare(buckets / shards_.size() + (i < buckets % shards_.size() ? 1 : 0));
    }
  }

  // Of whose client is this number.
  RateVerdict take(std::uint64_t number, std::int64_t now_ns) {
    return shards_[number & (shards_.size() - 1)].take(rate_, number, now_ns);
  }

 private:
  // A lock for each worker of a large machine; but no shard is so small that it is full long before
  // the others are.
  static constexpr std::size_t kMostShards = 64;
  static constexpr std::size_t kLeastInShard = 256;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  // How many of those that were not used for the longest are looked at for one that is idle: who
  // was not used for the time of a bucket is idle for certain.
  static constexpr int kLooks = 8;

  static std::size_t shards_for(std::size_t buckets) noexcept {
    const std::size_t most = std::min(buckets / kLeastInShard, kMostShards);
    return std::bit_floor(std::max(most, std::size_t{1}));
  }

  struct Slot {
    std::uint64_t number;
    std::int64_t full_at_ns;
    std::uint32_t next_in_chain;
    std::uint32_t newer;
    std::uint32_t older;
  };

  class alignas(64) Shard {
   public:
    void prepare(std::size_t most) {
      most_ = most;
      chains_.assign(std::bit_ceil(most), kNone);
    }

    RateVerdict take(const Rate& rate, std::uint64_t number, std::int64_t now_ns) {
      const std::lock_guard lock(mutex_);
      const std::uint32_t found = find_or_make(number, now_ns);
      return take_one(rate, found == kNone ? shared_full_at_ns_ : slots_[found].full_at_ns, now_ns);
    }

   private:
    // The lowest bits have chosen the shard.
    std::uint32_t& chain(std::uint64_t number) noexcept {
      return chains_[(number >> 8) & (chains_.size() - 1)];
    }

    std::uint32_t find_or_make(std::uint64_t number, std::int64_t now_ns) {
      std::uint32_t at = chain(number);
      while (at != kNone && slots_[at].number != number) at = slots_[at].next_in_chain;
      if (at != kNone) {
        if (at != newest_) {
          take_out_of_order(at);
          put_newest(at);
        }
        return at;
      }
      if (slots_.size() < most_) {
        at = static_cast<std::uint32_t>(slots_.size());
        slots_.push_back({});
      } else {
        at = drop_idle(now_ns);
        if (at == kNone) return kNone;
      }
      slots_[at] = {number, now_ns, chain(number), kNone, kNone};
      chain(number) = at;
      put_newest(at);
      return at;
    }

    std::uint32_t drop_idle(std::int64_t now_ns) noexcept {
      std::uint32_t at = oldest_;
      for (int looks = 0; at != kNone && looks < kLooks; ++looks, at = slots_[at].newer) {
        if (slots_[at].full_at_ns > now_ns) continue;
        take_out_of_order(at);
        std::uint32_t* link = &chain(slots_[at].number);
        while (*link != at) link = &slots_[*link].next_in_chain;
        *link = slots_[at].next_in_chain;
        return at;
      }
      return kNone;
    }

    void take_out_of_order(std::uint32_t at) noexcept {
      const Slot& slot = slots_[at];
      (slot.newer == kNone ? newest_ : slots_[slot.newer].older) = slot.older;
      (slot.older == kNone ? oldest_ : slots_[slot.older].newer) = slot.newer;
    }

    void put_newest(std::uint32_t at) noexcept {
      slots_[at].newer = kNone;
      slots_[at].older = newest_;
      (newest_ == kNone ? oldest_ : slots_[newest_].newer) = at;
      newest_ = at;
    }

    std::mutex mutex_;
    std::size_t most_ = 0;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> chains_;
    std::uint32_t newest_ = kNone;
    std::uint32_t oldest_ = kNone;
    std::int64_t shared_full_at_ns_ = 0;  // of those for whom there is no room
  };

  Rate rate_;
  std::vector<Shard> shards_;
};

}  // namespace weft::app
