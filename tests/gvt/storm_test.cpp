// Storms on the real kernel: both back ends, both topologies; and a long one on the simulated one.
//
// WEFT_STORM_SEED=n draws another storm than the usual one.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "every_kernel.hpp"
#include "gvt/sanitizer.hpp"
#include "storm.hpp"

namespace weft::test {
namespace {

std::uint64_t seed_asked_for() {
  const char* seed = std::getenv("WEFT_STORM_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

std::size_t entries_of(const char* folder) {
  using Iterator = std::filesystem::directory_iterator;
  return static_cast<std::size_t>(std::distance(Iterator(folder), Iterator()));
}

// A ring's last descriptors and threads go a little after whoever closed it was told so.
std::size_t settled_entries_of(const char* folder, std::size_t wanted) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::size_t there = entries_of(folder);
  while (there > wanted && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
    there = entries_of(folder);
  }
  return there;
}

std::size_t resident_bytes() {
  ::malloc_trim(0);
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Less than a byte for each of a million waits, and some for stacks that were in use together.
constexpr std::size_t kMostGrowth = 4U << 20;

void report(const StormOutcome& outcome) {
  EXPECT_EQ(outcome.wrong, "") << "seed " << seed_asked_for();
  const char* const names[kEndings] = {"done", "cancelled", "timed_out", "closed", "failed"};
  for (std::size_t i = 0; i < kEndings; ++i) {
    testing::Test::RecordProperty(names[i], std::to_string(outcome.ended[i]));
  }
  testing::Test::RecordProperty("disturbances", std::to_string(outcome.disturbances));
}

class StormTest : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override { skip_without(GetParam()); }

  void rage(unsigned workers, std::uint64_t waits) {
    const std::size_t descriptors = entries_of("/proc/self/fd");
    const std::size_t threads = entries_of("/proc/self/task");
    StormOptions options;
    options.seed = seed_asked_for();
    options.os_thread = true;
    options.several_workers = workers > 1;
    StormOutcome outcome;
    const auto main = [&] {
      RealGround ground;
      // What is kept for later is there after the first part.
      options.waits = waits / 5;
      EXPECT_EQ(storm(ground, options).wrong, "") << "seed " << options.seed;
      const std::size_t before = resident_bytes();
      options.waits = waits - options.waits;
      options.seed += 1'000;
      outcome = storm(ground, options);
      const std::size_t after = resident_bytes();
      RecordProperty("grown", std::to_string(after > before ? after - before : 0));
      if (!gvt::sanitizer::kEnabled) {
        EXPECT_LT(after, before + kMostGrowth);
      }
    };
    run(main, {.backend = GetParam().backend, .workers = workers, .topology = GetParam().topology});
    report(outcome);
    // What was there before may have been on its way out.
    EXPECT_LE(settled_entries_of("/proc/self/fd", descriptors), descriptors);
    // ThreadSanitizer starts a thread of its own with the first one.
    if (!gvt::sanitizer::kEnabled) {
      EXPECT_LE(settled_entries_of("/proc/self/task", threads), threads);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(EveryKernel, StormTest, testing::ValuesIn(real_kernels()), kernel_name);

TEST_P(StormTest, leaves_nothing_behind) { rage(1, 2'000); }
TEST_P(StormTest, over_several_workers_leaves_nothing_behind) { rage(3, 2'000); }

using SlowStorm = StormTest;
INSTANTIATE_TEST_SUITE_P(SlowOnEveryKernel, SlowStorm, testing::ValuesIn(real_kernels()),
                         kernel_name);

// To each of them one thing or two are done: a million in all.
constexpr std::uint64_t kWaitsOfAStorm = gvt::sanitizer::kEnabled ? 50'000 : 700'000;

TEST_P(SlowStorm, of_a_million_disturbances_leaves_nothing_behind) { rage(1, kWaitsOfAStorm); }
TEST_P(SlowStorm, of_a_million_disturbances_over_several_workers_leaves_nothing_behind) {
  rage(3, kWaitsOfAStorm);
}

TEST(SlowStormOfSimulation, of_a_million_disturbances_leaves_nothing_behind) {
  StormOptions options;
  options.seed = seed_asked_for();
  options.drivers = 16;
  options.waits = kWaitsOfAStorm;
  SimProgramOptions program;
  program.world.socket_buffer_bytes = 4'096;
  program.world.faults = {.reorder = 50, .late_cancel = 300, .already = 300, .short_write = 100};
  StormOutcome outcome;
  const auto ran = run_simulated(options.seed, program,
                                 [&](Ground& ground) { outcome = storm(ground, options); });
  EXPECT_TRUE(ran.ended);
  report(outcome);
}

}  // namespace
}  // namespace weft::test
