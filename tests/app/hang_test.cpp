// A worker that a handler holds up for ever: what run() does about it, as a process of its own, and
// what a program with a main loop of its own can do.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using app::test::says;
using RawClient = http::test::Client;
using std::chrono::milliseconds;

// A lock that the compiler takes, held by a green thread that is parked for good.
int made_slowly() {
  static const int made = [] {
    sleep(std::chrono::hours(1));
    return 7;
  }();
  return made;
}

Options hang_options() {
  Options options;
  options.port = 0;
  options.backend = "epoll";
  options.workers = 1;
  options.log_level = "error";
  options.stall_after = milliseconds(20);
  options.limits.drain_grace = milliseconds(20);
  options.limits.drain_last_resort = milliseconds(20);
  if (http::test::sanitized) options.stack_bytes = 256 * 1024;
  return options;
}

// Hangs the only worker of an App that run() serves, by two requests; then it is sent signals, and
// the process ends, or not.
[[noreturn]] void run_and_hang(const Options& options, int signals, bool with_handler) {
  // Whatever threads there are leave it to run().
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  App app;
  std::atomic<int> begun{0};
  app.get("/", [&](Context& c) {
    ++begun;
    c.text(std::to_string(made_slowly()));
  });
  if (with_handler) {
    app.on_hang([](const std::string& report) {
      std::fprintf(stderr, "told of %zu lines\n", report.size());
      std::_Exit(9);
    });
  }
  std::thread others([&] {
    if (!http::test::eventually([&] { return app.port() != 0; })) std::_Exit(1);
    RawClient first(app.port());
    RawClient second(app.port());
    for (RawClient* const client : {&first, &second}) {
      client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    // The second one goes from here to the lock without a look at anything else.
    if (!http::test::eventually([&] { return begun == 2; })) std::_Exit(1);
    for (int i = 0; i < signals; ++i) {
      ::kill(::getpid(), SIGTERM);
      // Signals of one number that are pending are one.
      sigset_t pending;
      do {
        std::this_thread::yield();
        ::sigpending(&pending);
      } while (::sigismember(&pending, SIGTERM) == 1);
    }
    first.read_to_end();
    second.read_to_end();
  });
  const int status = app.run(options);
  others.join();
  std::_Exit(status);
}

class HangDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

}  // namespace

TEST_F(HangDeathTest, a_worker_that_waits_for_a_static_local_ends_the_process_after_the_drain) {
#ifdef WEFT_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps a signal back from who waits there";
#endif
  EXPECT_EXIT(run_and_hang(hang_options(), 1, false), testing::ExitedWithCode(kHungStatus),
              "worker 0 does not come back to its loop; it is at.*static local is waited for.*"
              "ends with status 70");
}

TEST_F(HangDeathTest, a_second_signal_does_not_wait_for_the_drain) {
  Options options = hang_options();
  options.limits.drain_grace = std::chrono::hours(1);
  EXPECT_EXIT(run_and_hang(options, 2, false), testing::ExitedWithCode(kHungStatus),
              "worker 0 does not come back");
}

TEST_F(HangDeathTest, a_third_one_does_not_wait_at_all_and_without_a_watch_there_is_no_stack) {
  Options options = hang_options();
  options.limits.drain_grace = std::chrono::hours(1);
  options.stall_after = milliseconds(0);
  EXPECT_EXIT(run_and_hang(options, 3, false), testing::ExitedWithCode(kHungStatus),
              "nobody watches: stall_after is 0");
}

TEST_F(HangDeathTest, the_program_is_told_first_and_may_end_otherwise) {
  EXPECT_EXIT(run_and_hang(hang_options(), 1, true), testing::ExitedWithCode(9), "told of ");
}

TEST(Hang, stop_for_gives_up_says_where_and_can_be_called_again) {
  App app;
  std::mutex held;
  std::atomic<bool> begun{false};
  app.get("/", [&](Context& c) {
    begun = true;
    const std::lock_guard lock(held);
    c.text("on");
  });
  Options options = hang_options();
  options.quiet = true;
  options.workers = 2;
  {
    const std::lock_guard lock(held);
    app.start(options);
    RawClient client(app.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(http::test::eventually([&] { return begun.load(); }));
    EXPECT_FALSE(app.stop_for(milliseconds(1)));
    // The other one ends by itself.
    ASSERT_TRUE(http::test::eventually([&] {
      const std::string text = app.hung_workers();
      return text.find("does not come back") == text.rfind("does not come back");
    }));
    const std::string text = app.hung_workers();
#ifndef WEFT_TSAN  // it keeps a signal back from who waits for a lock
    EXPECT_TRUE(says(text, "#0 ")) << text;
    EXPECT_TRUE(says(text, "lock")) << text;
#endif
    EXPECT_FALSE(says(text, "static local")) << text;
    EXPECT_NE(app.port(), 0);
  }
  EXPECT_TRUE(app.stop_for(std::chrono::minutes(5)));
  EXPECT_EQ(app.hung_workers(), "");
  EXPECT_TRUE(app.stop_for(milliseconds(0)));
}

TEST(Hang, a_handler_that_does_not_come_back_from_the_pool_is_told_of_too) {
  App app;
  std::atomic<bool> begun{false};
  std::atomic<bool> released{false};
  app.get("/", worker(), [&](Context& c) {
    begun = true;
    while (!released) std::this_thread::yield();
    c.text("on");
  });
  Options options = hang_options();
  options.quiet = true;
  app.start(options);
  RawClient client(app.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(http::test::eventually([&] { return begun.load(); }));
  EXPECT_FALSE(app.stop_for(milliseconds(1)));
  EXPECT_TRUE(http::test::eventually(
      [&] { return says(app.hung_workers(), "does not come back from the pool"); }));
  EXPECT_FALSE(app.stop_for(milliseconds(1)));
  released = true;
  EXPECT_TRUE(app.stop_for(std::chrono::minutes(5)));
  EXPECT_EQ(app.hung_workers(), "");
}

TEST(Hang, stop_for_ends_what_can_be_ended_as_stop_does) {
  App app;
  app.get("/", [](Context& c) { c.text("hello"); });
  Options options = hang_options();
  options.quiet = true;
  app.start(options);
  EXPECT_EQ(RawClient(app.port()).get("/").body, "hello");
  EXPECT_TRUE(app.stop_for(std::chrono::minutes(5)));
  EXPECT_EQ(app.port(), 0);
}

}  // namespace weft
