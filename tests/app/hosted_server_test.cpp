// HostedServer: a server whose first worker is the test's own thread, which does other things on it
// besides.
#include "app/hosted_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "gvt/scheduler.hpp"
#include "http/server/server_test.hpp"
#include "weft/green.hpp"

namespace weft::app {
namespace {

using RawClient = http::test::Client;
using std::chrono::milliseconds;

Options quiet_options(const std::string& backend = "epoll") {
  Options options;
  options.port = 0;
  options.backend = backend;
  options.quiet = true;
  options.log_level = "error";
  if (http::test::sanitized) options.stack_bytes = 256 * 1024;
  return options;
}

// Has the OS thread's own stack answer: what a host is for.
struct Question : gvt::Runnable {
  explicit Question(HostedServer& of) noexcept : Runnable(&Question::visit), server(of) {}
  static void visit(gvt::Runnable& self) {
    static_cast<Question&>(self).server.scheduler().visit_os_thread();
  }
  HostedServer& server;
};

class HostedServerTest : public testing::TestWithParam<std::string> {};

TEST_P(HostedServerTest, requests_are_answered_between_visits_and_a_drain_ends_it) {
  App app;
  HostedServer server(app);
  Question question(server);
  gvt::GreenThread* asker = nullptr;
  std::string answer;
  app.get("/", [&](Context& c) {
    // Parks until the host has been visited.
    asker = &server.scheduler().running();
    server.scheduler().make_ready(question);
    server.scheduler().park();
    c.text(answer);
  });
  server.set_up(quiet_options(GetParam()));
  EXPECT_NE(app.port(), 0);
  EXPECT_EQ(server.location(), "http://127.0.0.1:" + std::to_string(app.port()));
  server.open();
  std::string got;
  std::thread client([&] {
    RawClient one(app.port());
    for (int i = 0; i < 10; ++i) got += one.get("/").body;
    server.drain();
  });
  int visits = 0;
  while (server.resume()) {
    answer = std::to_string(visits++);
    server.scheduler().make_ready(*asker);
  }
  EXPECT_EQ(app.stats().requests, 10U);
  server.end();
  client.join();
  EXPECT_EQ(visits, 10);
  EXPECT_EQ(got, "0123456789");
  EXPECT_EQ(app.port(), 0);
}

TEST_P(HostedServerTest, other_workers_have_threads_of_their_own) {
  App app;
  const std::thread::id host = std::this_thread::get_id();
  std::atomic<int> on_host{0};
  std::atomic<int> elsewhere{0};
  app.get("/", [&](Context& c) {
    ++(std::this_thread::get_id() == host ? on_host : elsewhere);
    c.text("ok");
  });
  HostedServer server(app);
  Options options = quiet_options(GetParam());
  options.workers = 2;
  server.set_up(options);
  server.open();
  std::thread client([&] {
    const bool both = http::test::eventually([&] {
      RawClient one(app.port());
      EXPECT_EQ(one.get("/").body, "ok");
      return on_host > 0 && elsewhere > 0;
    });
    EXPECT_TRUE(both);
    server.drain();
  });
  while (server.resume()) {
  }
  server.end();
  client.join();
}

INSTANTIATE_TEST_SUITE_P(EveryBackend, HostedServerTest, testing::Values("auto", "epoll"),
                         [](const auto& info) { return info.param; });

TEST(HostedServer, that_is_never_opened_ends_at_once) {
  App app;
  {
    HostedServer server(app);
    server.set_up(quiet_options());
    EXPECT_FALSE(server.resume());
  }
  EXPECT_EQ(app.port(), 0);
}

TEST(HostedServer, asked_to_end_before_it_opens_accepts_nobody) {
  App app;
  HostedServer server(app);
  server.set_up(quiet_options());
  server.cut_off();
  server.open();
  EXPECT_FALSE(server.resume());
  server.end();
  EXPECT_EQ(app.port(), 0);
}

TEST(HostedServer, that_is_destroyed_amid_its_work_is_drained) {
  App app;
  app.get("/", [](Context& c) { c.text("ok"); });
  HostedServer server(app);
  server.set_up(quiet_options());
  server.open();
  RawClient one(app.port());
  std::thread client([&] { EXPECT_EQ(one.get("/").body, "ok"); });
  server.end();
  client.join();
}

TEST(HostedServer, that_cannot_listen_says_so_and_another_try_works) {
  App app;
  {
    HostedServer server(app);
    Options options = quiet_options();
    options.host = "no address";
    EXPECT_THROW(server.set_up(options), std::runtime_error);
  }
  HostedServer server(app);
  server.set_up(quiet_options());
  EXPECT_NE(app.port(), 0);
}

TEST(HostedServerDeathTest, a_host_that_does_not_come_back_ends_the_process) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto hang = [] {
    App app;
    HostedServer server(app);
    Question question(server);
    app.get("/", [&](Context&) {
      server.scheduler().make_ready(question);
      server.scheduler().park();
    });
    Options options = quiet_options();
    options.stall_after = milliseconds(0);
    options.limits.drain_grace = milliseconds(20);
    options.limits.drain_last_resort = milliseconds(20);
    server.set_up(options);
    server.open();
    std::thread client([&] {
      RawClient one(app.port());
      one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      one.read_to_end();
    });
    client.detach();
    server.resume();
    // Here the host computes for ever.
    server.drain();
    std::this_thread::sleep_for(std::chrono::hours(1));
  };
  EXPECT_EXIT(hang(), testing::ExitedWithCode(kHungStatus),
              "worker 0 does not come back to its loop.*ends with status 70");
}

}  // namespace
}  // namespace weft::app
