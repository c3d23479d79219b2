#include "storm_seed.hpp"

#include <chrono>
#include <cstdlib>

#include "ksvc/sim/sim_random.hpp"
#include "sim_program.hpp"

namespace weft::test {

namespace {

using ksvc::SimRandom;

// Off for most seeds, so that each fault is seen alone and in company; else rare or frequent.
unsigned maybe(SimRandom& random, unsigned rare, unsigned frequent) {
  const std::uint64_t draw = random.below(10);
  if (draw < 6) return 0;
  return draw < 9 ? rare : frequent;
}

ksvc::SimOptions drawn_world(SimRandom& random, bool& errors) {
  ksvc::SimOptions world;
  world.socket_buffer_bytes = 4'096;
  world.cut = static_cast<unsigned>(random.below(1'000));
  world.turn_time = std::chrono::nanoseconds(random.below(10) < 8 ? 3'000 : 400'000);
  world.latency = std::chrono::nanoseconds(random.between(1, 100'000));
  ksvc::SimFaults& faults = world.faults;
  // One in eight has none.
  if (random.below(8) == 0) return world;
  faults.reorder = maybe(random, 50, 500);
  faults.early_end = maybe(random, 30, 500);
  faults.spurious_wake = maybe(random, 30, 500);
  faults.interrupt = maybe(random, 50, 500);
  faults.partial_drain = maybe(random, 50, 500);
  faults.late_cancel = maybe(random, 300, 1'000);
  faults.already = maybe(random, 300, 1'000);
  faults.busy = maybe(random, 50, 500);
  faults.short_read = maybe(random, 50, 900);
  faults.short_write = maybe(random, 50, 700);
  faults.delay = maybe(random, 3, 30);
  faults.error = maybe(random, 3, 40);
  faults.reset = maybe(random, 2, 20);
  faults.accept_error = maybe(random, 50, 700);
  errors = faults.error > 0 || faults.reset > 0 || faults.accept_error > 0;
  return world;
}

}  // namespace

StormSeedOutcome storm_on_seed(std::uint64_t seed, std::uint64_t waits) {
  SimRandom random(seed * 2 + 1);
  StormOptions options;
  SimProgramOptions program;
  program.world = drawn_world(random, options.errors);
  program.world.replay = "WEFT_SIM_SEED=" + std::to_string(seed) +
                         " weft_gvt_test --gtest_filter=GreenSimulation.one_seed";
  program.world.keep_trace = std::getenv("WEFT_SIM_TRACE") != nullptr;
  options.seed = seed;
  options.waits = waits;
  options.drivers = static_cast<unsigned>(random.between(1, 6));
  StormSeedOutcome outcome;
  const SimProgramOutcome ran =
      run_simulated(seed, program, [&](Ground& ground) { outcome.storm = storm(ground, options); });
  outcome.trace_hash = ran.trace_hash ^ outcome.storm.digest;
  outcome.wrong = outcome.storm.wrong;
  if (!ran.ended) outcome.wrong += "the first green thread was cancelled\n";
  if (!outcome.wrong.empty()) outcome.wrong += program.world.replay;
  return outcome;
}

}  // namespace weft::test
