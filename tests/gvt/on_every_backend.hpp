// OnEveryBackend: a test of what green threads do, run over every back end. Derive from it, and
// instantiate with every_backend() and backend_name.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "ksvc/backend/basic_io_uring.hpp"
#include "weft/green.hpp"

namespace weft {

class OnEveryBackend : public testing::TestWithParam<RunOptions::Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == RunOptions::Backend::io_uring) {
      const auto made = ksvc::BasicIoUring::create({});
      if (!made) GTEST_SKIP() << "io_uring is refused here: " << made.error().message();
    }
  }

  // A Cancelled out of `main` would end it without a word.
  void run_here(std::function<void()> main) {
    bool ended = false;
    const auto watched = [&ended, main = std::move(main)] {
      main();
      ended = true;
    };
    run(watched, {.backend = GetParam()});
    EXPECT_TRUE(ended) << "the first green thread was cancelled";
  }
};

inline auto every_backend() {
  return testing::Values(RunOptions::Backend::io_uring, RunOptions::Backend::epoll);
}

inline std::string backend_name(const testing::TestParamInfo<RunOptions::Backend>& info) {
  return info.param == RunOptions::Backend::epoll ? "epoll" : "io_uring";
}

}  // namespace weft
