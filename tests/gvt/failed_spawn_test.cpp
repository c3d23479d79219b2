// A green thread that cannot be had: there is no memory for its stack, or its function cannot be
// taken.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <stdexcept>

#include "every_kernel.hpp"
#include "gvt/sanitizer.hpp"
#include "weft/scope.hpp"

namespace weft::test {
namespace {

using FailedSpawn = OnEveryKernel;
using FailedSpawnDeathTest = OnEveryKernel;
INSTANTIATE_TEST_SUITE_P(EveryKernel, FailedSpawn, testing::ValuesIn(every_kernel()), kernel_name);
INSTANTIATE_TEST_SUITE_P(EveryKernel, FailedSpawnDeathTest, testing::ValuesIn(every_kernel()),
                         kernel_name);

// Of an address space that is left a little more than it has.
constexpr std::size_t kLeft = 24U << 20;
constexpr SpawnOptions kTooLarge{.stack_bytes = 32U << 20};

void limit_addresses() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  file >> pages;
  const rlim_t most = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + kLeft;
  const rlimit limit{most, most};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(3);
}

// Ends the process with 0 when `holds`.
[[noreturn]] void end_with(bool holds) { std::_Exit(holds ? 0 : 1); }

TEST_P(FailedSpawnDeathTest, without_memory_says_so_and_holds_up_nobody) {
  if (gvt::sanitizer::kEnabled) GTEST_SKIP() << "sanitizers take most addresses themselves";
  const auto program = [this] {
    bool ran = false;
    bool said_so = false;
    const auto owned = std::make_shared<int>(1);
    run_here([&](Ground&) {
      limit_addresses();
      try {
        spawn(kTooLarge, [&ran, owned] { ran = true; });
      } catch (const std::bad_alloc&) {
        said_so = owned.use_count() == 1;
      }
      // Others can be had.
      said_so = said_so && spawn([] { return 3; }).join() == 3;
    });
    end_with(said_so && !ran);
  };
  EXPECT_EXIT(program(), testing::ExitedWithCode(0), "");
}

TEST_P(FailedSpawnDeathTest, in_a_scope_is_an_error_of_its_body) {
  if (gvt::sanitizer::kEnabled) GTEST_SKIP() << "sanitizers take most addresses themselves";
  const auto program = [this] {
    bool other_ended = false;
    bool thrown = false;
    run_here([&](Ground&) {
      try {
        scope([&](Scope& children) {
          children.spawn([&] {
            try {
              sleep(std::chrono::hours(1));
            } catch (const Cancelled&) {
              other_ended = true;
              throw;
            }
          });
          yield();
          limit_addresses();
          children.spawn(kTooLarge, [] {});
        });
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
    });
    end_with(thrown && other_ended);
  };
  EXPECT_EXIT(program(), testing::ExitedWithCode(0), "");
}

struct NotCopyable {
  NotCopyable() = default;
  NotCopyable(const NotCopyable&) { throw std::runtime_error("copied"); }
  void operator()() const {}
};

TEST_P(FailedSpawn, of_a_function_that_cannot_be_copied_leaves_nothing) {
  run_here([](Ground&) {
    const NotCopyable function;
    EXPECT_THROW(spawn(function), std::runtime_error);
    EXPECT_THROW(scope([&](Scope& children) { children.spawn(function); }), std::runtime_error);
  });
}

}  // namespace
}  // namespace weft::test
