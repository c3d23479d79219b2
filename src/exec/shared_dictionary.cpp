#include "exec/shared_dictionary.hpp"

#include <utility>

namespace weft::exec {

SharedDictionary::Clock::time_point SharedDictionary::until(Clock::time_point now,
                                                            Clock::duration lasts) {
  if (lasts <= Clock::duration::zero()) return Clock::time_point::max();
  return lasts > Clock::time_point::max() - now ? Clock::time_point::max() : now + lasts;
}

SharedDictionary::Entry* SharedDictionary::find(Shard& shard, std::string_view name,
                                                Clock::time_point now) {
  const auto place = shard.entries.find(name);
  if (place == shard.entries.end()) return nullptr;
  if (place->second.until > now) return &place->second;
  shard.bytes -= place->second.bytes;
  shard.entries.erase(place);
  return nullptr;
}

bool SharedDictionary::put(Shard& shard, std::string_view name, Value value, Clock::time_point now,
                           Clock::time_point until) {
  const std::size_t bytes = kEntryBytes + name.size() + counted_bytes(value);
  Entry* entry = find(shard, name, now);
  const auto others = [&] { return shard.bytes - (entry != nullptr ? entry->bytes : 0); };
  if (bytes > shard_bytes_) return false;
  if (others() > shard_bytes_ - bytes) {
    std::erase_if(shard.entries, [&](const auto& member) {
      const bool over = member.second.until <= now;
      if (over) shard.bytes -= member.second.bytes;
      return over;
    });
    if (others() > shard_bytes_ - bytes) return false;
  }
  if (entry == nullptr) {
    entry = &shard.entries.emplace(std::string(name), Entry{}).first->second;
  }
  shard.bytes = others() + bytes;
  *entry = {std::move(value), until, bytes};
  return true;
}

std::optional<Value> SharedDictionary::get(std::string_view name) {
  Shard& shard = shard_of(name);
  const std::lock_guard lock(shard.mutex);
  const Entry* const entry = find(shard, name, now());
  return entry != nullptr ? std::optional(entry->value) : std::nullopt;
}

SharedDictionary::Outcome SharedDictionary::set(std::string_view name, Value value,
                                                Clock::duration lasts) {
  Shard& shard = shard_of(name);
  const std::lock_guard lock(shard.mutex);
  const auto at = now();
  return put(shard, name, std::move(value), at, until(at, lasts)) ? Outcome::done
                                                                  : Outcome::no_room;
}

SharedDictionary::Outcome SharedDictionary::add(std::string_view name, Value value,
                                                Clock::duration lasts) {
  Shard& shard = shard_of(name);
  const std::lock_guard lock(shard.mutex);
  const auto at = now();
  if (find(shard, name, at) != nullptr) return Outcome::there;
  return put(shard, name, std::move(value), at, until(at, lasts)) ? Outcome::done
                                                                  : Outcome::no_room;
}

SharedDictionary::Outcome SharedDictionary::increase(std::string_view name, std::int64_t by,
                                                     std::optional<std::int64_t> from,
                                                     Clock::duration lasts, std::int64_t& result) {
  // As Lua does: it goes round.
  const auto sum = [by](std::int64_t value) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) +
                                     static_cast<std::uint64_t>(by));
  };
  Shard& shard = shard_of(name);
  const std::lock_guard lock(shard.mutex);
  const auto at = now();
  if (Entry* const entry = find(shard, name, at)) {
    auto* const value = entry->value.get_if<std::int64_t>();
    if (value == nullptr) return Outcome::no_integer;
    *value = sum(*value);
    result = *value;
    return Outcome::done;
  }
  if (!from) return Outcome::not_there;
  result = sum(*from);
  return put(shard, name, Value(std::int64_t{result}), at, until(at, lasts)) ? Outcome::done
                                                                             : Outcome::no_room;
}

SharedDictionary::Outcome SharedDictionary::expire(std::string_view name, Clock::duration lasts) {
  Shard& shard = shard_of(name);
  const std::lock_guard lock(shard.mutex);
  const auto at = now();
  Entry* const entry = find(shard, name, at);
  if (entry == nullptr) return Outcome::not_there;
  entry->until = until(at, lasts);
  return Outcome::done;
}

bool SharedDictionary::erase(std::string_view name) {
  Shard& shard = shard_of(name);
  const std::lock_guard lock(shard.mutex);
  const Entry* const entry = find(shard, name, now());
  if (entry == nullptr) return false;
  shard.bytes -= entry->bytes;
  shard.entries.erase(shard.entries.find(name));
  return true;
}

void SharedDictionary::clear() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.entries.clear();
    shard.bytes = 0;
  }
}

std::size_t SharedDictionary::size() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.entries.size();
  }
  return sum;
}

}  // namespace weft::exec
