// SimProgram: a function as the first green thread of a worker on a simulated kernel, as
// weft::run() has it on a real one, until it and all it spawned have ended.
//
// Who runs next is drawn from the seed at every park, unless the order is to be kept. The same seed
// and options give the same run, to the byte. What breaks a rule of the simulated kernel's, waits
// for what can never happen, or is left behind (operations, descriptors, timers, parked green
// threads) ends the process, with the seed and how to replay it. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "../ground.hpp"
#include "ksvc/sim/sim_world.hpp"

namespace weft::test {

struct SimProgramOptions {
  ksvc::SimOptions world;
  bool keeps_order = false;  // first ready, first run
};

struct SimProgramOutcome {
  std::uint64_t trace_hash = 0;
  std::uint64_t turns = 0;
  bool ended = false;  // false: main was cancelled
};

class SimGround final : public Ground {
 public:
  explicit SimGround(ksvc::SimWorld& world) noexcept : world_(world) {}

  std::pair<End, End> make_pair() override;
  Listener make_listener(int room) override;
  int make_socket() override;

 private:
  ksvc::SimWorld& world_;
};

SimProgramOutcome run_simulated(std::uint64_t seed, const SimProgramOptions& options,
                                const std::function<void(Ground&)>& main);

}  // namespace weft::test
