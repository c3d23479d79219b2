// SimRig: a world, a back end on it and a sink that remembers; and an echo server that survives
// whatever the world does, for tests of whole runs.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ksvc/sim/sim_backend.hpp"
#include "ksvc/sim/sim_peer.hpp"
#include "ksvc/sim/sim_world.hpp"

namespace weft::ksvc {

inline SimFaults with(unsigned SimFaults::* fault, unsigned per_mille = 1000) {
  SimFaults faults;
  faults.*fault = per_mille;
  return faults;
}

class SimRig {
 public:
  explicit SimRig(std::uint64_t seed = 1, const SimOptions& options = {},
                  const BackendOptions& backend_options = {})
      : world(seed, options), backend(SimBackend::make(world, backend_options)) {}
  explicit SimRig(const SimFaults& faults) : SimRig(1, {.faults = faults}) {}

  void complete(const Completion& completion) noexcept { seen.push_back(completion); }

  // Turns until so many completions of `corr_id` have come, or too long.
  Completion await(CorrelationId corr_id, std::size_t count = 1) {
    const TimePoint give_up = world.now() + std::chrono::seconds(30);
    while (world.now() < give_up) {
      const auto own = of(corr_id);
      if (own.size() >= count) return own[count - 1];
      turn();
    }
    ADD_FAILURE() << "no completion number " << count << " of " << corr_id;
    return {};
  }
  void turn(std::chrono::nanoseconds most = std::chrono::seconds(1)) {
    backend->submit_and_wait(1, world.now() + most);
    backend->drain(*this);
  }
  std::vector<Completion> of(CorrelationId corr_id) const {
    std::vector<Completion> own;
    for (const Completion& one : seen) {
      if (one.corr_id == corr_id) own.push_back(one);
    }
    return own;
  }
  // The bytes of all leases that have come, which are given back.
  std::string take_bytes() {
    std::string bytes;
    for (Completion& one : seen) {
      if (!one.lease) continue;
      bytes.append(one.lease.data, one.lease.size);
      backend->buffers().release(one.lease);
    }
    return bytes;
  }

  // A connection: a descriptor, and its other end.
  struct Pair {
    int fd;
    std::unique_ptr<SimPeer> peer;
  };
  Pair connect() {
    const SimWire wire(world);
    const auto one = wire.make_endpoint();
    const auto other = wire.make_endpoint();
    wire.join(one, other);
    SimDescriptor entry;
    entry.kind = SimDescriptor::Kind::socket;
    entry.endpoint = one;
    return {world.open(std::move(entry)), std::make_unique<SimPeer>(world, other)};
  }

  SimWorld world;
  std::unique_ptr<SimBackend> backend;
  std::vector<Completion> seen;
};

struct EchoOutcome {
  std::uint64_t hash = 0;
  std::uint64_t answered = 0;  // bytes
  std::uint64_t unfaulted_losses = 0;
  std::string trace;
};

// So many clients are echoed what they send, through all that the options do.
EchoOutcome run_echo(std::uint64_t seed, const SimOptions& options, std::size_t clients = 8);

}  // namespace weft::ksvc
