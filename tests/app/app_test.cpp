// App beside its server: routes that are refused, starting, stopping, and choosing a back end.

#include <gtest/gtest.h>

#include <cstdlib>

#include "http/server/server_test.hpp"

namespace weft {

namespace {

using RawClient = http::test::Client;

Options quiet_options() {
  Options options;
  options.port = 0;
  options.backend = "epoll";
  options.quiet = true;
  return options;
}

void nothing(Context&) {}

// What the call threw, as text.
template <class Error, class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

class BackendVariable : public testing::Test {
 protected:
  void TearDown() override { ::unsetenv("WEFT_BACKEND"); }
};

}  // namespace

TEST(App, a_route_that_exists_is_refused_and_both_are_named) {
  App app;
  app.get("/users/:id", nothing);
  const auto again = [&] { app.get("/users/:id", nothing); };
  EXPECT_EQ(refusal<std::invalid_argument>(again),
            "GET /users/:id is registered already, as GET /users/:id");
}

TEST(App, a_parameter_with_two_names_is_refused_and_both_routes_are_named) {
  App app;
  app.get("/users/:id", nothing);
  const auto again = [&] { app.post("/users/:name/posts", nothing); };
  const std::string text = refusal<std::invalid_argument>(again);
  EXPECT_NE(text.find("/users/:id"), std::string::npos) << text;
  EXPECT_NE(text.find("/users/:name/posts"), std::string::npos) << text;
}

TEST(App, malformed_routes_are_refused_and_named) {
  App app;
  const auto refused = [&](const char* method, const char* pattern, Handler handler) {
    return refusal<std::invalid_argument>([&] { app.route(method, pattern, std::move(handler)); });
  };
  EXPECT_NE(refused("GET", "users", nothing).find("users"), std::string::npos);
  EXPECT_NE(refused("BREW", "/pot", nothing).find("BREW"), std::string::npos);
  EXPECT_NE(refused("get", "/lower", nothing).find("get"), std::string::npos);
  EXPECT_NE(refused("GET", "/empty", nullptr).find("/empty"), std::string::npos);
}

TEST(App, a_refused_route_leaves_the_others_working) {
  App app;
  app.get("/a", [](Context& c) { c.text("a"); });
  EXPECT_THROW(app.get("/a", nothing), std::invalid_argument);
  app.get("/b", [](Context& c) { c.text("b"); });
  app.start(quiet_options());
  RawClient client(app.port());
  EXPECT_EQ(client.get("/a").body, "a");
  EXPECT_EQ(client.get("/b").body, "b");
}

TEST(App, every_verb_reaches_its_handler) {
  App app;
  const auto method = [](Context& c) { c.text(c.method()); };
  app.get("/", method).post("/", method).put("/", method).patch("/", method).del("/", method);
  app.route("OPTIONS", "/", method);
  app.start(quiet_options());
  RawClient client(app.port());
  for (const std::string name : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    EXPECT_EQ(client.ask(name + " / HTTP/1.1\r\nHost: a\r\n\r\n").body, name);
  }
}

TEST(App, starting_twice_is_refused_and_harmless) {
  App app;
  app.get("/", [](Context& c) { c.text("hello"); });
  app.start(quiet_options());
  EXPECT_THROW(app.start(quiet_options()), std::logic_error);
  EXPECT_EQ(RawClient(app.port()).get("/").body, "hello");
}

TEST(App, a_port_in_use_is_refused_with_its_address) {
  App first;
  first.start(quiet_options());
  App second;
  Options options = quiet_options();
  options.port = first.port();
  const std::string text = refusal<std::runtime_error>([&] { second.start(options); });
  EXPECT_EQ(text, "cannot listen on 127.0.0.1:" + std::to_string(first.port()) +
                      ": Address already in use");
  EXPECT_EQ(second.port(), 0);
  first.stop();
  second.start(options);
  EXPECT_EQ(second.port(), options.port);
}

TEST(App, an_address_that_is_none_is_refused) {
  App app;
  Options options = quiet_options();
  options.host = "not an address";
  const std::string text = refusal<std::runtime_error>([&] { app.start(options); });
  EXPECT_EQ(text, "cannot listen on not an address:0: give an IPv4 or IPv6 address, or localhost");
}

TEST(App, figures_and_port_may_be_asked_for_from_any_thread_while_it_starts_and_stops) {
  App app;
  app.get("/", [](Context& c) { c.text("hello"); });
  std::atomic<bool> enough{false};
  std::atomic<int> asked{0};
  std::thread other([&] {
    while (!enough) {
      const ServerStats stats = app.stats();
      EXPECT_EQ(stats.workers, stats.backend.empty() ? 0U : 2U);
      app.port();
      ++asked;
    }
  });
  Options options = quiet_options();
  options.workers = 2;
  for (int i = 0; i < 20; ++i) {
    app.start(options);
    const int before = asked;
    EXPECT_TRUE(http::test::eventually([&] { return asked > before; }));
    app.stop();
  }
  enough = true;
  other.join();
}

TEST(App, an_unknown_back_end_is_refused_and_the_known_are_named) {
  App app;
  Options options = quiet_options();
  options.backend = "kqueue";
  EXPECT_EQ(refusal<std::runtime_error>([&] { app.start(options); }),
            "unknown back end \"kqueue\": use auto, io_uring or epoll");
}

TEST_F(BackendVariable, chooses_the_back_end_where_the_options_leave_it_open) {
  App app;
  Options options = quiet_options();
  options.backend = "auto";
  ::setenv("WEFT_BACKEND", "epoll", 1);
  app.start(options);
  EXPECT_EQ(app.stats().backend, "epoll");
}

TEST_F(BackendVariable, yields_to_the_options) {
  App app;
  ::setenv("WEFT_BACKEND", "nonsense", 1);
  app.start(quiet_options());
  EXPECT_EQ(app.stats().backend, "epoll");
}

TEST_F(BackendVariable, is_named_where_it_is_no_back_end) {
  App app;
  Options options = quiet_options();
  options.backend = "auto";
  ::setenv("WEFT_BACKEND", "kqueue", 1);
  EXPECT_EQ(refusal<std::runtime_error>([&] { app.start(options); }),
            "unknown back end \"kqueue\" in the environment variable WEFT_BACKEND: use auto, "
            "io_uring or epoll");
}

TEST_F(BackendVariable, may_be_empty_or_auto) {
  for (const char* value : {"", "auto"}) {
    App app;
    Options options = quiet_options();
    options.backend = "auto";
    ::setenv("WEFT_BACKEND", value, 1);
    app.start(options);
    EXPECT_NE(app.stats().backend, "");
    EXPECT_NE(app.stats().backend_reason, "");
  }
}

}  // namespace weft
