// ProxyUpstreams: the servers behind a proxy: which one is next, and which ones are left out
// because they have failed.
//
// Any thread; all of it is counts that several may change at once, and a choice that was right a
// moment ago is good enough.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "weft/middleware/proxy.hpp"

namespace weft::app {

struct ProxyUpstream {
  std::string name;         // as the options have it
  std::string url;          // in front of paths, without a slash at its end
  std::string authority;    // host and port, as Host says it
  std::string base_path;    // of the URL; empty, or "/app"
  std::string unix_socket;  // empty: by TCP

  std::atomic<unsigned> in_flight{0};
  std::atomic<unsigned> failures{0};        // in a row
  std::atomic<std::int64_t> back_at_ns{0};  // ejected until then
  std::atomic<std::int64_t> next_log_ns{0};
};

class ProxyUpstreams {
 public:
  // One bit for each of them.
  using Tried = std::uint64_t;
  static constexpr std::size_t kMost = 64;

  // Throws std::invalid_argument.
  explicit ProxyUpstreams(const ProxyOptions& options);

  // One that has not been tried, if there is any; marks it. Ejected ones come last.
  ProxyUpstream& choose(Tried& tried, std::int64_t now_ns);
  std::size_t size() const noexcept { return upstreams_.size(); }

  // How a request has ended for the upstream.
  static void succeeded(ProxyUpstream& upstream) noexcept;
  void failed(ProxyUpstream& upstream, std::int64_t now_ns) const noexcept;

 private:
  bool is_ejected(ProxyUpstream& upstream, std::int64_t now_ns) const noexcept;
  void take_back(ProxyUpstream& upstream, std::int64_t now_ns) const noexcept;

  ProxyBalance balance_;
  unsigned failures_to_eject_;
  std::int64_t eject_for_ns_;
  std::atomic<std::size_t> turn_{0};
  std::deque<ProxyUpstream> upstreams_;  // a deque: atomics do not move
};

}  // namespace weft::app
