// App where the system has little to give: it starts with less or says what is missing, and stays.
//
// Limits cannot be taken back, so each test runs in a process of its own.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "http/server/server_test.hpp"

namespace weft {

namespace {

// Limits on memory and threads hold for users without privileges only.
void become_nobody() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) std::perror("setresuid");
}

void limit(__rlimit_resource resource, rlim_t most) {
  const rlimit both{most, most};
  if (::setrlimit(resource, &both) != 0) std::perror("setrlimit");
}

int open_now() {
  int count = 0;
  for (int fd = 0; fd < 256; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

Options options_with(const char* backend, unsigned workers) {
  Options options;
  options.port = 0;
  options.backend = backend;
  options.workers = workers;
  options.quiet = true;
  return options;
}

// Starts, answers once, and tells on standard error which back end it had and why; or why not.
void serve_and_tell(const Options& options) {
  App app;
  app.get("/", [](Context& c) { c.text("hello"); });
  try {
    app.start(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "refused: %s\n", error.what());
    std::exit(1);
  }
  const ServerStats stats = app.stats();
  const bool answered = http::test::Client(app.port()).get("/").body == "hello";
  std::fprintf(stderr, "%s on %s (%s)\n", answered ? "answered" : "failed", stats.backend.c_str(),
               stats.backend_reason.c_str());
  app.stop();
  std::exit(0);
}

// Starts with every number of descriptors from many to none, and counts what it leaves open.
void start_with_ever_fewer_descriptors(const char* backend) {
  const int before = open_now();
  bool refused_for_descriptors = false;
  Options options = options_with(backend, 4);
  // With none to spare it cannot tell whether somebody waits to be accepted, and takes this long.
  options.limits.drain_grace = std::chrono::milliseconds(100);
  for (int most = before + 32; most > before; --most) {
    limit(RLIMIT_NOFILE, static_cast<rlim_t>(most));
    try {
      App app;
      app.start(options);
    } catch (const std::exception& error) {
      const std::string text = error.what();
      refused_for_descriptors |= text.find("ulimit -n") != std::string::npos;
    }
    if (open_now() != before) {
      std::fprintf(stderr, "%d descriptors left with a limit of %d\n", open_now() - before, most);
      std::exit(1);
    }
  }
  std::exit(refused_for_descriptors ? 0 : 2);
}

class ShortageDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    if (http::test::sanitized) GTEST_SKIP() << "a sanitizer needs more than these limits leave";
    if (const std::string reason = http::test::why_not("io_uring"); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
    testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
};

// Writes its start-up line to a reader that is gone, serves, and ends by a signal.
void run_without_standard_error() {
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  int ends[2] = {};
  if (::pipe(ends) != 0 || ::dup2(ends[1], STDERR_FILENO) < 0) std::exit(2);
  ::close(ends[0]);
  App app;
  app.get("/", [](Context& c) { c.text("hello"); });
  bool answered = false;
  std::thread client([&] {
    http::test::eventually([&] { return app.port() != 0; });
    answered = http::test::Client(app.port()).get("/").body == "hello";
    ::kill(::getpid(), SIGTERM);
  });
  Options options = options_with("epoll", 1);
  options.quiet = false;
  const int status = app.run(options);
  client.join();
  std::exit(answered ? status : 3);
}

const testing::ExitedWithCode ended_well(0);

}  // namespace

TEST_F(ShortageDeathTest, a_ring_that_cannot_be_made_means_epoll_and_is_the_reason) {
  const auto serve = [](rlim_t memlock, unsigned workers) {
    become_nobody();
    limit(RLIMIT_MEMLOCK, memlock);
    serve_and_tell(options_with("auto", workers));
  };
  EXPECT_EXIT(serve(128 * 1024, 1), ended_well, "answered on epoll .*ulimit -l");
  EXPECT_EXIT(serve(2 * 1024 * 1024, 32), ended_well, "answered on epoll .*ulimit -l");
}

TEST_F(ShortageDeathTest, a_ring_that_was_asked_for_and_cannot_be_made_is_an_error_with_advice) {
  const auto serve = [] {
    become_nobody();
    limit(RLIMIT_MEMLOCK, 128 * 1024);
    serve_and_tell(options_with("io_uring", 1));
  };
  EXPECT_EXIT(serve(), testing::ExitedWithCode(1), "refused: io_uring was asked for.*ulimit -l");
}

TEST_F(ShortageDeathTest, without_descriptors_it_says_so_and_leaves_none_open) {
  EXPECT_EXIT(start_with_ever_fewer_descriptors("auto"), ended_well, "");
  EXPECT_EXIT(start_with_ever_fewer_descriptors("epoll"), ended_well, "");
}

TEST_F(ShortageDeathTest, without_threads_it_says_so) {
  const auto serve = [] {
    become_nobody();
    limit(RLIMIT_NPROC, 3);
    serve_and_tell(options_with("epoll", 16));
  };
  EXPECT_EXIT(serve(), testing::ExitedWithCode(1), "refused: cannot start a thread.*ulimit -u");
}

TEST_F(ShortageDeathTest, losing_its_standard_error_does_not_end_it) {
  EXPECT_EXIT(run_without_standard_error(), ended_well, "");
}

TEST_F(ShortageDeathTest, without_memory_for_all_workers_it_says_so) {
  const auto serve = [] {
    limit(RLIMIT_AS, 400'000'000);
    serve_and_tell(options_with("epoll", 256));
  };
  EXPECT_EXIT(serve(), testing::ExitedWithCode(1), "refused: cannot .*ulimit -v");
}

}  // namespace weft
