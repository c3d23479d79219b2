// What a request costs in allocations, once a few were served: none, under any connection model.

#include <gtest/gtest.h>

#include "coro/counted_new.hpp"
#include "gvt/sanitizer.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using RawClient = http::test::Client;

class RequestAllocations : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (gvt::sanitizer::kEnabled) GTEST_SKIP() << "sanitizers are shown every frame";
    app.get("/count", [](Context& c) { c.text(std::to_string(allocations_here())); });
    app.get("/call/:text", [](Context& c) { c.text(c.param("text")); });
    app.get("/park/:text", [](Context& c) {
      weft::yield();
      c.text(c.param("text"));
    });
    app.get("/coroutine/:text", [](Context& c) -> Task<void> {
      co_await coro::sleep(std::chrono::microseconds(1));
      c.text(c.param("text"));
    });
    app.get("/at-once/:text", [](Context& c, Respond respond) {
      c.text(c.param("text"));
      respond();
    });
    app.get("/later/:text", [this](Context& c, Respond respond) {
      c.text(c.param("text"));
      kept = std::move(respond);
      is_kept = true;
    });
    app.get("/now", [this](Context& c) {
      is_kept = false;
      kept();
      c.text("it is answered");
    });
    Options options;
    options.port = 0;
    options.backend = "epoll";
    options.model = GetParam();
    options.quiet = true;
    options.stall_after = std::chrono::milliseconds(0);
    app.start(options);
  }

  // By the worker.
  std::size_t allocations(RawClient& client) { return std::stoul(client.get("/count").body); }

  // What `ask` costs when it has been done often.
  template <class Ask>
  void expect_none(const Ask& ask) {
    RawClient counter(app.port());
    for (int i = 0; i < 100; ++i) ask();
    allocations(counter);
    const std::size_t before = allocations(counter);
    for (int i = 0; i < 100; ++i) ask();
    EXPECT_EQ(allocations(counter), before);
  }

  Respond kept;  // the worker's
  std::atomic<bool> is_kept{false};
  App app;
};
INSTANTIATE_TEST_SUITE_P(Models, RequestAllocations,
                         testing::Values("green", "coroutine", "callback"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace

TEST_P(RequestAllocations, there_are_none_for_a_handler_that_does_not_wait) {
  RawClient client(app.port());
  expect_none([&] {
    ASSERT_EQ(client.get("/call/x").body, "x");
    ASSERT_EQ(client.get("/at-once/y").body, "y");
  });
}

TEST_P(RequestAllocations, there_are_none_for_a_handler_that_waits) {
  RawClient client(app.port());
  expect_none([&] {
    ASSERT_EQ(client.get("/park/x").body, "x");
    ASSERT_EQ(client.get("/coroutine/y").body, "y");
  });
}

TEST_P(RequestAllocations, there_are_none_for_an_answer_that_comes_later) {
  RawClient client(app.port());
  RawClient other(app.port());
  expect_none([&] {
    client.send("GET /later/x HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(http::test::eventually([this] { return is_kept.load(); }));
    ASSERT_EQ(other.get("/now").body, "it is answered");
    ASSERT_EQ(client.read_answer().body, "x");
  });
}

}  // namespace weft
