// logger(): what it logs, and where.
#include "weft/middleware/logger.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "http/server/server_test.hpp"

namespace weft {

namespace {

using http::test::eventually;
using RawClient = http::test::Client;

class Logger : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/weft-logger-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    path = folder + "/log";
    options.port = 0;
    options.quiet = true;
  }
  void TearDown() override {
    app.stop();
    std::filesystem::remove_all(folder);
  }
  std::vector<std::string> lines(const std::string& of) const {
    std::ifstream file(of);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
  void expect_lines(const std::vector<std::string>& wanted) const {
    EXPECT_TRUE(eventually([&] { return lines(path).size() >= wanted.size(); }));
    EXPECT_EQ(lines(path), wanted);
  }

  std::string folder;
  std::string path;
  Options options;
  App app;
};

}  // namespace

TEST_F(Logger, a_line_has_the_answer_as_it_was_sent) {
  app.use(logger({.path = path, .format = "%m %U %s %B %R"}));
  app.get("/text/{x}", [](Context& c) { c.text("hello"); });
  app.get("/stream", [](Context& c) {
    auto out = c.stream("text/plain");
    out.write("hello, ");
    out.write("you");
  });
  app.get("/throws", [](Context&) { throw std::runtime_error("it broke"); });
  app.get("/teapot", [](Context& c) { c.abort(418, "no"); });
  app.get("/task", [](Context& c) -> Task<void> {
    co_await coro::yield();
    c.text("later");
  });
  app.start(options);
  RawClient client(app.port());
  client.get("/text/7");
  client.get("/stream");
  testing::internal::CaptureStderr();
  client.get("/throws");
  testing::internal::GetCapturedStderr();
  client.get("/teapot");
  client.get("/task");
  client.get("/none");
  client.ask("DELETE /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  expect_lines({"GET /text/7 200 5 /text/{x}", "GET /stream 200 10 /stream",
                "GET /throws 500 22 /throws", "GET /teapot 418 2 /teapot", "GET /task 200 5 /task",
                "GET /none 404 10 -", "DELETE /stream 405 19 -"});
}

TEST_F(Logger, several_of_them_each_write_their_line) {
  const auto first = std::make_shared<LogWriter>(path);
  app.use(logger({.format = "app %U", .writer = first}));
  auto group = app.group("/v1", logger({.format = "group %U", .writer = first}));
  group.get("/x", logger({.format = "route %U", .writer = first}), [](Context& c) { c.text("x"); });
  app.get("/y", [](Context& c) { c.text("y"); });
  app.start(options);
  RawClient client(app.port());
  client.get("/v1/x");
  client.get("/y");
  expect_lines({"app /v1/x", "group /v1/x", "route /v1/x", "app /y"});
}

TEST_F(Logger, what_is_to_be_skipped_is_not_logged) {
  app.use(logger({.path = path, .format = "%U", .skip = [](const Context& c) {
                    return c.path() == "/health";
                  }}));
  app.get("/health", [](Context& c) { c.text("ok"); });
  app.get("/x", [](Context& c) { c.text("x"); });
  app.start(options);
  RawClient client(app.port());
  client.get("/health");
  client.get("/x");
  client.get("/health");
  client.get("/x");
  expect_lines({"/x", "/x"});
}

TEST_F(Logger, it_goes_with_the_log_of_the_server) {
  app.use(logger({.path = path, .format = "middleware %U %B"}));
  app.get("/x", [](Context& c) { c.text("x"); });
  options.access_log = folder + "/server";
  options.access_log_format = "server %U %B";
  app.start(options);
  RawClient(app.port()).get("/x");
  expect_lines({"middleware /x 1"});
  EXPECT_TRUE(eventually([&] { return !lines(folder + "/server").empty(); }));
  EXPECT_EQ(lines(folder + "/server"), std::vector<std::string>{"server /x 1"});
}

}  // namespace weft
