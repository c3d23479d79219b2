// Runs examples/streaming as its users do.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "examples/program.hpp"
#include "http/server/client.hpp"
#include "http/server/stream_client.hpp"

namespace weft::examples {
namespace {

using RawClient = http::test::Client;

TEST(StreamingExample, streams_both_ways_and_changes_the_protocol) {
  if (!Program::is_built("streaming")) GTEST_SKIP() << "the examples are not built";
  Program program("streaming", {"--port", "0"});
  const std::string line = program.read_line();
  const std::size_t colon = line.find(" on ");
  ASSERT_NE(colon, std::string::npos) << line;
  const std::string address = line.substr(0, colon);
  const auto port = static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
  const std::string last = "Connection: close\r\n";

  RawClient ticks(port);
  ticks.send("GET /ticks/2 HTTP/1.1\r\nHost: a\r\n" + last + "\r\n");
  EXPECT_EQ(ticks.read_answer().status, 200);
  EXPECT_EQ(http::test::take_chunks(ticks.read_to_end()).body, "tick 1\ntick 2\n");

  RawClient sum(port);
  EXPECT_EQ(sum.ask("PUT /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").body,
            R"({"bytes":3,"sum":294})");

  RawClient copy(port);
  const std::string body = http::test::pattern(100'000);
  copy.send(http::test::announce("/copy", body.size(), last) + body);
  EXPECT_EQ(copy.read_answer().status, 200);
  const auto copied = http::test::take_chunks(copy.read_to_end());
  EXPECT_TRUE(copied.body == body);
  EXPECT_EQ(copied.trailers, "X-Read-To-The-End: yes\r\n");

  RawClient echo(port);
  echo.send("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
  EXPECT_EQ(echo.read_answer().status, 101);
  echo.shutdown_write();
  EXPECT_EQ(echo.read_to_end(), "hello");
}

}  // namespace
}  // namespace weft::examples
