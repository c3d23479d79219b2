// Storm: green threads that wait for everything there is to wait for, and are cancelled, timed out,
// closed on and woken at the same moment, all drawn from one seed.
//
// What every wait comes to must be what something that was done to it accounts for, no value of a
// channel may be lost or come twice, no lock be held by two. Called in a green thread; when it
// returns nothing of it is left.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "ground.hpp"

namespace weft::test {

struct StormOptions {
  std::uint64_t seed = 1;
  unsigned drivers = 32;  // that disturb at the same time
  std::uint64_t waits = 1'000;
  bool errors = false;     // operations may fail for reasons of the kernel's own
  bool os_thread = false;  // another thread cancels, too
  bool several_workers = false;
};

enum class Ending : std::uint8_t { done, cancelled, timed_out, closed, failed };
inline constexpr std::size_t kEndings = 5;

struct StormOutcome {
  std::array<std::uint64_t, kEndings> ended{};  // waits, by how they ended
  std::uint64_t disturbances = 0;
  std::uint64_t digest = 0;  // of all that happened, in order; of one worker's storm
  std::string wrong;         // empty, or the first things that were wrong, line by line
};

StormOutcome storm(Ground& ground, const StormOptions& options);

}  // namespace weft::test
