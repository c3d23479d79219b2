#include "app/middleware/proxy_upstreams.hpp"

#include <stdexcept>

#include "http/client/url.hpp"

namespace weft::app {

namespace {

constexpr std::string_view kUnix = "unix:";

void set_up(ProxyUpstream& upstream, const std::string& name, std::size_t most_bytes) {
  upstream.name = name;
  if (name.starts_with(kUnix)) {
    upstream.unix_socket = name.substr(kUnix.size());
    upstream.url = "http://localhost";
    upstream.authority = "localhost";
    if (!upstream.unix_socket.empty()) return;
    throw std::invalid_argument(
        "proxy upstream \"unix:\": name a socket, as in unix:/run/app.sock");
  }
  http::ClientUrl url;
  std::string refusal = http::parse_url(name, most_bytes, url);
  if (refusal.empty() && name.find_first_of("?#") != std::string::npos) {
    refusal = "it has a query, and only a path may stand in front of others";
  }
  if (!refusal.empty()) {
    throw std::invalid_argument("proxy upstream \"" + name + "\": " + refusal +
                                "; use http://HOST:PORT or unix:PATH");
  }
  upstream.authority = url.authority;
  upstream.base_path = url.target;
  while (upstream.base_path.ends_with('/')) upstream.base_path.pop_back();
  upstream.url = "http://" + url.authority + upstream.base_path;
}

}  // namespace

ProxyUpstreams::ProxyUpstreams(const ProxyOptions& options)
    : balance_(options.balance),
      failures_to_eject_(options.failures_to_eject),
      eject_for_ns_(std::chrono::nanoseconds(options.eject_for).count()) {
  if (options.upstreams.empty()) {
    throw std::invalid_argument("a proxy needs an upstream, as in {\"http://127.0.0.1:9000\"}");
  }
  if (options.upstreams.size() > kMost) {
    throw std::invalid_argument("a proxy takes up to 64 upstreams; put another proxy between");
  }
  for (const std::string& name : options.upstreams) {
    set_up(upstreams_.emplace_back(), name, options.limits.url_bytes);
  }
}

bool ProxyUpstreams::is_ejected(ProxyUpstream& upstream, std::int64_t now_ns) const noexcept {
  return failures_to_eject_ != 0 && upstream.failures >= failures_to_eject_ &&
         upstream.back_at_ns > now_ns;
}

// Whoever finds that the time is over tries it, and pushes the time on for all others until that
// has ended.
void ProxyUpstreams::take_back(ProxyUpstream& upstream, std::int64_t now_ns) const noexcept {
  if (failures_to_eject_ != 0 && upstream.failures >= failures_to_eject_) {
    upstream.back_at_ns = now_ns + eject_for_ns_;
  }
}

ProxyUpstream& ProxyUpstreams::choose(Tried& tried, std::int64_t now_ns) {
  const std::size_t count = upstreams_.size();
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed) % count;
  // Worse by each of these, in this order: tried, ejected, more in flight.
  struct Rank {
    bool tried;
    bool ejected;
    unsigned in_flight;
    auto operator<=>(const Rank&) const = default;
  };
  std::size_t best = first;
  Rank best_rank{true, true, 0};
  for (std::size_t step = 0; step < count; ++step) {
    const std::size_t i = (first + step) % count;
    ProxyUpstream& one = upstreams_[i];
    const bool counts = balance_ == ProxyBalance::least_in_flight;
    const Rank rank{(tried >> i & 1) != 0, is_ejected(one, now_ns),
                    counts ? one.in_flight.load(std::memory_order_relaxed) : 0};
    if (step != 0 && rank >= best_rank) continue;
    best = i;
    best_rank = rank;
  }
  tried |= Tried{1} << best;
  take_back(upstreams_[best], now_ns);
  return upstreams_[best];
}

void ProxyUpstreams::succeeded(ProxyUpstream& upstream) noexcept {
  if (upstream.failures.load(std::memory_order_relaxed) != 0) upstream.failures = 0;
}

void ProxyUpstreams::failed(ProxyUpstream& upstream, std::int64_t now_ns) const noexcept {
  const unsigned failures = ++upstream.failures;
  if (failures_to_eject_ != 0 && failures >= failures_to_eject_) {
    upstream.back_at_ns = now_ns + eject_for_ns_;
  }
}

}  // namespace weft::app
