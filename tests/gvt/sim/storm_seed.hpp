// storm_on_seed(): a small storm on a simulated kernel, with the faults that the seed draws.
//
// The same seed gives the same run, to the byte. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "../storm.hpp"

namespace weft::test {

struct StormSeedOutcome {
  std::string wrong;  // empty, or what was wrong and how to see it again
  std::uint64_t trace_hash = 0;
  StormOutcome storm;
};

StormSeedOutcome storm_on_seed(std::uint64_t seed, std::uint64_t waits = 40);

}  // namespace weft::test
