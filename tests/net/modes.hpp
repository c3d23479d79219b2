// The ways in which calls of this layer are made: in green threads on each back end, and on OS
// threads that are no workers. A test that is a claim about all of them is a TEST_P of EveryMode.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ksvc/backend/basic_io_uring.hpp"
#include "weft/green.hpp"

namespace weft {

enum class Mode { io_uring, epoll, os_threads };

inline std::string mode_name(const testing::TestParamInfo<Mode>& info) {
  switch (info.param) {
    case Mode::io_uring: return "io_uring";
    case Mode::epoll: return "epoll";
    case Mode::os_threads: return "os_threads";
  }
  return "";
}

class EveryMode : public testing::TestWithParam<Mode> {
 protected:
  using Function = std::function<void()>;

  void SetUp() override {
    if (GetParam() != Mode::io_uring) return;
    const auto made = ksvc::BasicIoUring::create({});
    if (!made) GTEST_SKIP() << "io_uring is refused here: " << made.error().message();
  }

  bool on_os_threads() const { return GetParam() == Mode::os_threads; }

  void run_here(Function main) {
    if (on_os_threads()) return main();
    const auto backend =
        GetParam() == Mode::epoll ? RunOptions::Backend::epoll : RunOptions::Backend::io_uring;
    run(std::move(main), {.backend = backend});
  }

  // Inside run_here(): runs all at once, returns when all have ended.
  void together(std::vector<Function> functions) {
    if (on_os_threads()) {
      std::vector<std::thread> threads;
      for (Function& function : functions) threads.emplace_back(std::move(function));
      for (std::thread& thread : threads) thread.join();
    } else {
      std::vector<JoinHandle<void>> handles;
      for (Function& function : functions) handles.push_back(spawn(std::move(function)));
      for (auto& handle : handles) handle.join();
    }
  }
};

inline auto every_mode() { return testing::Values(Mode::io_uring, Mode::epoll, Mode::os_threads); }
inline auto every_backend() { return testing::Values(Mode::io_uring, Mode::epoll); }

}  // namespace weft
