// ConnectionCount: how many connections a server has, in all and from each client address, over all
// of its workers; and what a client's address is.
//
// Every connection that is let in is let go of once. Any thread; the workers share one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "weft/endpoint.hpp"

namespace weft::http {

// A client as far as limits go: an IPv4 address, or the /64 of an IPv6 address, since that is what
// one subscriber has. IPv4 addresses take the place of 0:0:a.b.c.d::/64, which is given to nobody.
enum class ClientAddress : std::uint64_t {};
ClientAddress client_address(const Endpoint& endpoint) noexcept;
// Of a connected socket; nothing for one that is no TCP socket of the system's.
std::optional<ClientAddress> client_address_of(int fd) noexcept;

class ConnectionCount {
 public:
  // False, with nothing counted, when there are `most` already; 0: no bound.
  bool let_in(std::size_t most) noexcept;
  void let_go() noexcept { total_.fetch_sub(1, std::memory_order_relaxed); }
  std::size_t total() const noexcept { return total_.load(std::memory_order_relaxed); }

  // The same for one client. Throws std::bad_alloc, with nothing counted.
  bool let_in_from(ClientAddress address, std::size_t most);
  void let_go_from(ClientAddress address) noexcept;
  // Of those who have connections.
  std::size_t addresses() const;

 private:
  // Workers seldom meet at the same one. Clients do not choose where they go: the places of a table
  // depend on a number that is drawn for it.
  struct Part {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, std::size_t> counts;  // by scattered address
  };

  static std::uint64_t scatter(std::uint64_t address, std::uint64_t seed) noexcept;
  static std::uint64_t draw_seed() noexcept;

  alignas(64) std::atomic<std::size_t> total_{0};
  const std::uint64_t seed_ = draw_seed();
  std::array<Part, 16> parts_;
};

}  // namespace weft::http
