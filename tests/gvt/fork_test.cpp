// A process with workers, a pool and other threads forks: the child has one thread and none of
// these. What it may do is end, or become another program.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "every_kernel.hpp"
#include "weft/blocking.hpp"
#include "weft/channel.hpp"
#include "weft/scope.hpp"

namespace weft::test {
namespace {

class ForkTest : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override { skip_without(GetParam()); }

  // Forks in a green thread that has parked before, with others parked in all sorts of things;
  // `child` gives the status that the parent is to see, and the parent goes on as before.
  void fork_and(int (*child)()) {
    const auto main = [&] {
      RealGround ground;
      auto [end, peer] = ground.make_pair();
      Channel<int> channel;
      scope([&, &from = end, &to = peer](Scope& threads) {
        threads.spawn([] { sleep(std::chrono::hours(1)); });
        threads.spawn([&] {
          char byte = 0;
          EXPECT_TRUE(from.read_exactly({&byte, 1}).ok());
          EXPECT_TRUE(channel.send(byte));
        });
        yield();
        blocking([] {});
        const pid_t pid = ::fork();
        if (pid == 0) ::_exit(child());
        EXPECT_GT(pid, 0);
        int status = 0;
        blocking([&] {
          while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
          }
        });
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 7);
        EXPECT_TRUE(to.write("x").ok());
        EXPECT_EQ(channel.receive(), 'x');
        threads.cancel();
      });
    };
    run(main, {.backend = GetParam().backend, .workers = 2, .topology = GetParam().topology});
  }
};

INSTANTIATE_TEST_SUITE_P(EveryKernel, ForkTest, testing::ValuesIn(real_kernels()), kernel_name);

TEST_P(ForkTest, child_that_ends_takes_nothing_from_its_parent) {
  fork_and([] { return 7; });
}

TEST_P(ForkTest, child_may_become_another_program) {
  fork_and([] {
    ::execl("/bin/sh", "sh", "-c", "exit 7", nullptr);
    return 1;
  });
}

// What the parent opened is not for the program that the child becomes.
TEST_P(ForkTest, other_program_gets_no_descriptor_of_the_runtime) {
  fork_and([] {
    ::execl("/bin/sh", "sh", "-c",
            "for fd in 3 4 5 6 7 8 9; do "
            "case \"$(readlink /proc/$$/fd/$fd)\" in *io_uring*|*eventpoll*|*eventfd*|socket*) "
            "exit 1;; esac; done; exit 7",
            nullptr);
    return 1;
  });
}

}  // namespace
}  // namespace weft::test
