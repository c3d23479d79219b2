// OnEveryKernel: a test of what green threads do, run over both topologies of both real back ends,
// and over the simulated kernel, in order and with drawn schedules. Derive from it, and instantiate
// with every_kernel() and kernel_name.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "ground.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "sim/sim_program.hpp"
#include "weft/green.hpp"
#include "weft/inspect.hpp"

namespace weft::test {

struct Kernel {
  RunOptions::Backend backend = RunOptions::Backend::automatic;
  RunOptions::Topology topology = RunOptions::Topology::reactor_per_worker;
  bool simulated = false;
  std::uint64_t seed = 0;  // of a drawn schedule; 0: first ready, first run
};

inline std::vector<Kernel> real_kernels() {
  using enum RunOptions::Backend;
  using enum RunOptions::Topology;
  return {{io_uring, reactor_per_worker},
          {io_uring, one_reactor},
          {epoll, reactor_per_worker},
          {epoll, one_reactor}};
}

inline std::vector<Kernel> every_kernel() {
  std::vector<Kernel> all = real_kernels();
  for (std::uint64_t seed = 0; seed <= 8; ++seed) all.push_back({.simulated = true, .seed = seed});
  return all;
}

inline std::string name_of(const Kernel& kernel) {
  if (kernel.simulated) return "simulated_" + std::to_string(kernel.seed);
  const bool shared = kernel.topology == RunOptions::Topology::one_reactor;
  const bool ring = kernel.backend == RunOptions::Backend::io_uring;
  return std::string(ring ? "io_uring" : "epoll") + (shared ? "_shared" : "");
}
inline std::string kernel_name(const testing::TestParamInfo<Kernel>& info) {
  return name_of(info.param);
}
inline void PrintTo(const Kernel& kernel, std::ostream* out) { *out << name_of(kernel); }

inline void skip_without(const Kernel& kernel) {
  if (kernel.simulated || kernel.backend != RunOptions::Backend::io_uring) return;
  const auto made = ksvc::BasicIoUring::create({});
  if (!made) GTEST_SKIP() << "io_uring is refused here: " << made.error().message();
}

// Lets others run until one of them waits for what is called `what`.
inline void until_one_waits_for(const std::string& what) {
  for (;;) {
    for (const GreenThreadInfo& thread : snapshot({.backtraces = false})) {
      if (thread.waits_for == what) return;
    }
    yield();
  }
}

class OnEveryKernel : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override { skip_without(GetParam()); }

  // A Cancelled out of `main` would end it without a word.
  void run_here(const std::function<void(Ground&)>& main) {
    bool ended = false;
    if (GetParam().simulated) {
      SimProgramOptions options;
      options.keeps_order = GetParam().seed == 0;
      options.world.socket_buffer_bytes = 4'096;
      ended = run_simulated(GetParam().seed, options, main).ended;
    } else {
      RealGround ground;
      const auto watched = [&] {
        main(ground);
        ended = true;
      };
      run(watched, {.backend = GetParam().backend, .topology = GetParam().topology});
    }
    EXPECT_TRUE(ended) << "the first green thread was cancelled";
  }
};

}  // namespace weft::test
