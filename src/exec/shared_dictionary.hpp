// SharedDictionary: values by name for all workers, for a while or for good.
//
// Invariants: what it holds counts for no more than its bound; a value whose time is over is as if
// it were not there. When there is no room, what has expired goes first, and then a value is
// refused: nothing that was kept is lost. Any thread; calls hold a lock for a few hundred
// nanoseconds and never park.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "exec/value.hpp"

namespace weft::exec {

class SharedDictionary {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Outcome : std::uint8_t { done, no_room, there, not_there, no_integer };

  explicit SharedDictionary(std::size_t bytes, std::function<Clock::time_point()> clock = {})
      : shard_bytes_(bytes / kShards), clock_(std::move(clock)) {}

  std::optional<Value> get(std::string_view name);
  // Zero: for good.
  Outcome set(std::string_view name, Value value, Clock::duration lasts = {});
  // Only where there is none.
  Outcome add(std::string_view name, Value value, Clock::duration lasts = {});
  // Adds to an integer; one that is not there begins at `from`, if that is given.
  Outcome increase(std::string_view name, std::int64_t by, std::optional<std::int64_t> from,
                   Clock::duration lasts, std::int64_t& result);
  Outcome expire(std::string_view name, Clock::duration lasts);
  bool erase(std::string_view name);
  void clear();
  // Values, those whose time is over included.
  std::size_t size() const;

 private:
  // So that workers seldom meet.
  static constexpr std::size_t kShards = 16;
  // What a place in a table takes beside its texts.
  static constexpr std::size_t kEntryBytes = 96;

  struct Entry {
    Value value;
    Clock::time_point until;  // max: for good
    std::size_t bytes = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using Entries = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;
  struct Shard {
    mutable std::mutex mutex;
    Entries entries;
    std::size_t bytes = 0;
  };

  Clock::time_point now() const { return clock_ ? clock_() : Clock::now(); }
  static Clock::time_point until(Clock::time_point now, Clock::duration lasts);
  Shard& shard_of(std::string_view name) { return shards_[Hash()(name) % kShards]; }
  // Nothing where its time is over; then it is gone.
  static Entry* find(Shard& shard, std::string_view name, Clock::time_point now);
  bool put(Shard& shard, std::string_view name, Value value, Clock::time_point now,
           Clock::time_point until);

  std::size_t shard_bytes_;
  std::function<Clock::time_point()> clock_;
  std::array<Shard, kShards> shards_;
};

}  // namespace weft::exec
