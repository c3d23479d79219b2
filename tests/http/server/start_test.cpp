// Server between start() and open(): ready to serve, and to end without having served.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "http/server.hpp"
#include "server_test.hpp"

namespace weft::http::test {

namespace {

class Start : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const std::string reason = why_not(GetParam()); !reason.empty()) GTEST_SKIP() << reason;
    ServerOptions options;
    options.workers = 3;
    options.backend = *ksvc::parse_backend_kind(GetParam());
    options.on_end = [this] { ++ends; };
    server = std::make_unique<Server>(site, options);
    const auto failure = server->start();
    ASSERT_FALSE(failure) << failure->text;
  }

  Site site;
  std::atomic<int> ends{0};
  std::unique_ptr<Server> server;
};
INSTANTIATE_TEST_SUITE_P(Backends, Start, every_backend, backend_of);

}  // namespace

TEST_P(Start, a_drain_before_it_opens_ends_it_and_opening_it_then_changes_nothing) {
  server->drain();
  server->open();
  server->join();
  EXPECT_EQ(ends, 1);
}

TEST_P(Start, cutting_it_off_before_it_opens_ends_it) {
  server->cut_off();
  server->join();
  EXPECT_EQ(ends, 1);
}

TEST_P(Start, a_drain_right_after_opening_is_obeyed_by_every_worker) {
  server->open();
  server->drain();
  server->drain();
  server->join();
  EXPECT_EQ(ends, 1);
}

TEST_P(Start, a_server_that_never_opens_can_be_destroyed) {
  server.reset();
  EXPECT_EQ(ends, 1);
}

}  // namespace weft::http::test
