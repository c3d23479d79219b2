// The server under many seeds: clients of every kind, every fault, a drain at any time.
//
// A failure prints its seed and the command that shows it alone. WEFT_SIM_SEEDS=from-to runs others
// than the usual seeds, WEFT_SIM_SEED=n one.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "sim_run.hpp"
#include "support/seeds.hpp"

namespace weft::http::test {

namespace {

using weft::test::Seeds;
using weft::test::seeds_asked_for;

void run_all(Seeds usual) {
  const Seeds seeds = seeds_asked_for(usual);
  SeedOutcome sum;
  int failures = 0;
  for (std::uint64_t seed = seeds.from; seed <= seeds.to && failures < 10; ++seed) {
    const SeedOutcome outcome = run_seed(seed);
    EXPECT_EQ(outcome.wrong, "");
    failures += outcome.wrong.empty() ? 0 : 1;
    sum.requests += outcome.requests;
    sum.answers += outcome.answers;
    sum.connections += outcome.connections;
  }
  testing::Test::RecordProperty("answers", std::to_string(sum.answers));
  // A simulation in which nothing happens would prove nothing.
  EXPECT_GT(sum.connections, seeds.to - seeds.from);
  EXPECT_GT(sum.answers, seeds.to - seeds.from);
}

}  // namespace

TEST(Simulation, a_thousand_seeds_hold) { run_all({1, 1'000}); }

TEST(Simulation, one_seed) {
  const char* seed = std::getenv("WEFT_SIM_SEED");
  if (seed == nullptr) GTEST_SKIP() << "WEFT_SIM_SEED names the seed";
  EXPECT_EQ(run_seed(std::strtoull(seed, nullptr, 10)).wrong, "");
}

TEST(Simulation, the_same_seed_is_the_same_run_to_the_byte) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const SeedOutcome once = run_seed(seed);
    const SeedOutcome again = run_seed(seed);
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_NE(once.trace_hash, run_seed(seed + 1).trace_hash) << "seed " << seed;
  }
}

TEST(SlowSimulation, a_hundred_thousand_seeds_hold) { run_all({1'001, 100'000}); }

}  // namespace weft::http::test
