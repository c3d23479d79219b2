#include "http/connection_count.hpp"

#include <chrono>
#include <random>

#include "ksvc/core/operation.hpp"
#include "net/address.hpp"

namespace weft::http {

ClientAddress client_address(const Endpoint& endpoint) noexcept {
  const Endpoint::Ipv6Bytes& bytes = endpoint.bytes();
  std::size_t first = 0;
  std::size_t last = endpoint.is_ipv6() ? 8 : 4;
  // What an IPv6 socket has from an IPv4 client: ::ffff:a.b.c.d.
  if (endpoint.is_ipv6() && bytes[10] == 0xff && bytes[11] == 0xff) {
    bool mapped = true;
    for (std::size_t i = 0; i < 10; ++i) mapped = mapped && bytes[i] == 0;
    if (mapped) {
      first = 12;
      last = 16;
    }
  }
  std::uint64_t number = 0;
  for (std::size_t i = first; i < last; ++i) number = number << 8 | bytes[i];
  return ClientAddress{number};
}

std::optional<ClientAddress> client_address_of(int fd) noexcept {
  if (ksvc::made_by_backend(fd)) return std::nullopt;
  const auto endpoint = net::peer_endpoint(fd);
  if (!endpoint) return std::nullopt;
  return client_address(*endpoint);
}

bool ConnectionCount::let_in(std::size_t most) noexcept {
  const std::size_t before = total_.fetch_add(1, std::memory_order_relaxed);
  if (most == 0 || before < most) return true;
  let_go();
  return false;
}

bool ConnectionCount::let_in_from(ClientAddress address, std::size_t most) {
  const std::uint64_t place = scatter(static_cast<std::uint64_t>(address), seed_);
  Part& part = parts_[place % parts_.size()];
  const std::lock_guard lock(part.mutex);
  std::size_t& count = part.counts[place];
  if (count >= most) return false;
  ++count;
  return true;
}

void ConnectionCount::let_go_from(ClientAddress address) noexcept {
  const std::uint64_t place = scatter(static_cast<std::uint64_t>(address), seed_);
  Part& part = parts_[place % parts_.size()];
  const std::lock_guard lock(part.mutex);
  const auto found = part.counts.find(place);
  if (found != part.counts.end() && --found->second == 0) part.counts.erase(found);
}

std::size_t ConnectionCount::addresses() const {
  std::size_t sum = 0;
  for (const Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    sum += part.counts.size();
  }
  return sum;
}

// Each step can be undone, so no two addresses become one.
std::uint64_t ConnectionCount::scatter(std::uint64_t address, std::uint64_t seed) noexcept {
  std::uint64_t mixed = address ^ seed;
  for (int round = 0; round < 2; ++round) {
    mixed ^= mixed >> 32;
    mixed *= 0x9e3779b97f4a7c15;
    mixed ^= seed;
  }
  return mixed ^ mixed >> 32;
}

std::uint64_t ConnectionCount::draw_seed() noexcept {
  try {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  } catch (...) {
    // Where a clock is all there is, an attacker knows little of it.
    return 0x243f6a8885a308d3 ^
           static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
}

}  // namespace weft::http
