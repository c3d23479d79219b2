// Green threads on a simulated kernel under many seeds, each with a schedule and faults of its own.
//
// A failure prints its seed and the command that shows it alone. WEFT_SIM_SEEDS=from-to runs others
// than the usual seeds, WEFT_SIM_SEED=n one, WEFT_SIM_TRACE=1 prints all that happened.
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <string>

#include "gvt/sanitizer.hpp"
#include "storm_seed.hpp"
#include "support/seeds.hpp"

namespace weft::test {
namespace {

void run_all(Seeds usual) {
  const Seeds seeds = seeds_asked_for(usual);
  std::array<std::uint64_t, kEndings> ended{};
  int failures = 0;
  for (std::uint64_t seed = seeds.from; seed <= seeds.to && failures < 10; ++seed) {
    const StormSeedOutcome outcome = storm_on_seed(seed);
    EXPECT_EQ(outcome.wrong, "");
    failures += outcome.wrong.empty() ? 0 : 1;
    for (std::size_t i = 0; i < kEndings; ++i) ended[i] += outcome.storm.ended[i];
  }
  // A simulation in which nothing happens would prove nothing.
  const std::uint64_t runs = seeds.to - seeds.from + 1;
  for (const Ending ending : {Ending::done, Ending::cancelled, Ending::timed_out, Ending::closed}) {
    EXPECT_GE(ended[static_cast<std::size_t>(ending)], runs) << static_cast<int>(ending);
  }
}

TEST(GreenSimulation, thousands_of_seeds_hold) {
  run_all({1, gvt::sanitizer::kEnabled ? 300U : 3'000U});
}

TEST(GreenSimulation, one_seed) {
  const char* seed = std::getenv("WEFT_SIM_SEED");
  if (seed == nullptr) GTEST_SKIP() << "WEFT_SIM_SEED names the seed";
  EXPECT_EQ(storm_on_seed(std::strtoull(seed, nullptr, 10)).wrong, "");
}

TEST(GreenSimulation, the_same_seed_is_the_same_run_to_the_byte) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const StormSeedOutcome once = storm_on_seed(seed);
    EXPECT_EQ(once.trace_hash, storm_on_seed(seed).trace_hash) << "seed " << seed;
    EXPECT_NE(once.trace_hash, storm_on_seed(seed + 1).trace_hash) << "seed " << seed;
  }
}

TEST(SlowGreenSimulation, a_hundred_thousand_seeds_hold) {
  run_all({3'001, gvt::sanitizer::kEnabled ? 15'000U : 100'000U});
}

}  // namespace
}  // namespace weft::test
