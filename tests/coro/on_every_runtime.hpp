// OnEveryRuntime: a test of what coroutines do, run over every back end and topology. Derive from
// it, and instantiate with every_runtime() and runtime_name.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "ksvc/backend/basic_io_uring.hpp"
#include "weft/coro.hpp"

namespace weft {

struct RuntimeKind {
  RunOptions::Backend backend;
  RunOptions::Topology topology;
};

class OnEveryRuntime : public testing::TestWithParam<RuntimeKind> {
 protected:
  void SetUp() override {
    if (GetParam().backend == RunOptions::Backend::io_uring) {
      const auto made = ksvc::BasicIoUring::create({});
      if (!made) GTEST_SKIP() << "io_uring is refused here: " << made.error().message();
    }
  }

  // A Cancelled out of `main` would end it without a word.
  void run_here(std::function<void()> main, unsigned workers = 1) {
    bool ended = false;
    const auto watched = [&ended, main = std::move(main)] {
      main();
      ended = true;
    };
    RunOptions options;
    options.backend = GetParam().backend;
    options.topology = GetParam().topology;
    options.workers = workers;
    run(watched, options);
    EXPECT_TRUE(ended) << "the first green thread was cancelled";
  }
};

inline auto every_runtime() {
  using Backend = RunOptions::Backend;
  using Topology = RunOptions::Topology;
  return testing::Values(RuntimeKind{Backend::io_uring, Topology::reactor_per_worker},
                         RuntimeKind{Backend::io_uring, Topology::one_reactor},
                         RuntimeKind{Backend::epoll, Topology::reactor_per_worker},
                         RuntimeKind{Backend::epoll, Topology::one_reactor});
}

inline std::string runtime_name(const testing::TestParamInfo<RuntimeKind>& info) {
  std::string name = info.param.backend == RunOptions::Backend::epoll ? "epoll" : "io_uring";
  if (info.param.topology == RunOptions::Topology::one_reactor) name += "_one_reactor";
  return name;
}

}  // namespace weft
