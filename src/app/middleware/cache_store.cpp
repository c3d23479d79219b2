#include "app/middleware/cache_store.hpp"

#include <algorithm>
#include <utility>

#include "http/content_coding.hpp"

namespace weft::app {

namespace {

// What a map, a list and their strings take for one answer beside its text.
constexpr std::size_t kOverhead = 512;

// Texts that mean the same make one variant.
void append_codings(const http::HeadView& head, std::string& out) {
  const http::AcceptedCodings accepted(head);
  for (std::size_t i = 0; i < http::kContentCodings; ++i) {
    out += std::to_string(accepted.weight(static_cast<http::ContentCoding>(i)));
    out += ' ';
  }
}

}  // namespace

std::string CacheStore::values_of(const std::vector<std::string>& vary, const Asked& asked) {
  const http::HeadView& head = asked.head;
  std::string values = asked.is_https ? "https\n" : "http\n";
  for (const std::string& name : vary) {
    if (name == "accept-encoding") {
      append_codings(head, values);
    } else {
      for (std::size_t i = 0; i < head.header_count(); ++i) {
        const http::HeaderField field = head.header(i);
        if (!http::equals_ignoring_case(field.name, name)) continue;
        values.append(field.value);
        values += ',';
      }
    }
    values += '\n';
  }
  return values;
}

CacheStore::Found CacheStore::find(const Asked& asked, CacheClock::time_point now) {
  Shard& shard = shard_of(asked.key);
  Found found;
  const std::size_t hash = Hash()(asked.key);
  const std::lock_guard lock(shard.mutex);
  found.purges = shard.purges;
  const Pass& pass = pass_of(shard, hash);
  found.pass = pass.hash == hash && now < pass.until;
  const auto at = shard.resources.find(asked.key);
  const bool is_known = at != shard.resources.end();
  std::string values = values_of(is_known ? at->second.vary : std::vector<std::string>(), asked);
  found.flight.assign(asked.key).append("\n").append(values);
  if (!is_known) return found;
  Resource& resource = at->second;
  const auto variant =
      std::ranges::find(resource.variants, values, [](Order::iterator one) { return one->values; });
  if (variant == resource.variants.end()) return found;
  const Order::iterator kept = *variant;
  if (now >= kept->answer->stale_until) {
    forget(shard, kept);
    return found;
  }
  shard.order.splice(shard.order.begin(), shard.order, kept);
  found.answer = kept->answer;
  return found;
}

bool CacheStore::keep(const Asked& asked, const std::vector<std::string>& vary,
                      std::uint64_t purges, SharedAnswer answer) {
  const std::string_view key = asked.key;
  std::string values = values_of(vary, asked);
  const std::size_t bytes = kOverhead + 2 * key.size() + values.size() +
                            answer->content_type.size() + answer->fields.size() +
                            answer->body.size();
  if (bytes > most_bytes_) return false;
  Shard& shard = shard_of(key);
  const std::size_t hash = Hash()(key);
  const std::lock_guard lock(shard.mutex);
  if (shard.purges != purges) return false;
  if (Pass& pass = pass_of(shard, hash); pass.hash == hash) pass.until = {};
  Resource& resource = shard.resources.try_emplace(std::string(key)).first->second;
  resource.variants.reserve(kMostVariants);
  if (resource.vary != vary) {
    // Those kept by other fields would not be found.
    while (!resource.variants.empty()) {
      const Order::iterator old = resource.variants.back();
      resource.variants.pop_back();
      shard.bytes -= old->bytes;
      shard.order.erase(old);
    }
    resource.vary = vary;
  }
  const auto same =
      std::ranges::find(resource.variants, values, [](Order::iterator one) { return one->values; });
  if (same != resource.variants.end()) {
    shard.bytes -= (*same)->bytes;
    shard.order.erase(*same);
    resource.variants.erase(same);
  } else if (resource.variants.size() == kMostVariants) {
    const Order::iterator oldest = resource.variants.front();
    resource.variants.erase(resource.variants.begin());
    shard.bytes -= oldest->bytes;
    shard.order.erase(oldest);
    ++shard.evicted;
  }
  shard.order.push_front({std::string(key), std::move(values), std::move(answer), bytes});
  resource.variants.push_back(shard.order.begin());
  shard.bytes += bytes;
  while (shard.bytes > most_bytes_) {
    forget(shard, std::prev(shard.order.end()));
    ++shard.evicted;
  }
  return true;
}

void CacheStore::keep_out(std::string_view key, CacheClock::time_point until) {
  Shard& shard = shard_of(key);
  const std::size_t hash = Hash()(key);
  const std::lock_guard lock(shard.mutex);
  pass_of(shard, hash) = {hash, until};
}

// And its resource when it was the last.
void CacheStore::forget(Shard& shard, Order::iterator variant) {
  const auto resource = shard.resources.find(variant->key);
  std::erase(resource->second.variants, variant);
  if (resource->second.variants.empty()) shard.resources.erase(resource);
  shard.bytes -= variant->bytes;
  shard.order.erase(variant);
}

std::size_t CacheStore::forget_all(Shard& shard, Resource& resource) {
  const std::size_t count = resource.variants.size();
  for (const Order::iterator variant : resource.variants) {
    shard.bytes -= variant->bytes;
    shard.order.erase(variant);
  }
  return count;
}

CacheStore::Joined CacheStore::join(std::string_view key, const std::string& name) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  auto& flight = shard.flights[name];
  if (flight != nullptr) {
    flight->awaited = true;
    return {flight, false};
  }
  flight = std::make_shared<CacheFlight>();
  return {flight, true};
}

void CacheStore::end_flight(std::string_view key, const std::string& name,
                            CacheFlight& flight) noexcept {
  {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto at = shard.flights.find(name);
    if (at != shard.flights.end() && at->second.get() == &flight) shard.flights.erase(at);
  }
  flight.ended.done();
}

bool CacheStore::purge(std::string_view key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  ++shard.purges;
  const auto at = shard.resources.find(key);
  if (at == shard.resources.end()) return false;
  const bool any = forget_all(shard, at->second) > 0;
  shard.resources.erase(at);
  return any;
}

std::size_t CacheStore::purge_prefix(std::string_view prefix) {
  std::size_t purged = 0;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    ++shard.purges;
    for (auto at = shard.resources.begin(); at != shard.resources.end();) {
      if (!std::string_view(at->first).starts_with(prefix)) {
        ++at;
        continue;
      }
      if (forget_all(shard, at->second) > 0) ++purged;
      at = shard.resources.erase(at);
    }
  }
  return purged;
}

void CacheStore::clear() { purge_prefix({}); }

ResponseCache::Stats CacheStore::stats() const {
  ResponseCache::Stats stats;
  stats.hits = hits.load(std::memory_order_relaxed);
  stats.stale = stale.load(std::memory_order_relaxed);
  stats.misses = misses.load(std::memory_order_relaxed);
  stats.coalesced = coalesced.load(std::memory_order_relaxed);
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    stats.entries += shard.order.size();
    stats.bytes += shard.bytes;
    stats.evicted += shard.evicted;
  }
  return stats;
}

}  // namespace weft::app
