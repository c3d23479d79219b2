// Runs examples/users as its users do.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "examples/program.hpp"
#include "http/server/client.hpp"

namespace weft::examples {

TEST(UsersExample, makes_lists_reads_changes_and_removes) {
  if (!Program::is_built("users")) GTEST_SKIP() << "the examples are not built";
  Program program("users", {"--port", "0"});
  const std::string line = program.read_line();
  const std::size_t colon = line.find(" on ");
  ASSERT_NE(colon, std::string::npos) << line;
  const std::string address = line.substr(0, colon);
  const auto port = static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
  http::test::Client client(port);
  const auto ask = [&](const std::string& what, const std::string& body = {}) {
    return client.ask(what + " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
                      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  };
  const std::string ada = R"({"id":"1","name":"Ada","age":36,"mail":null})";
  EXPECT_EQ(ask("POST /users", R"({"name":"Ada","age":36})").body, ada);
  EXPECT_EQ(ask("GET /users").body, "{\"1\":" + ada + "}");
  EXPECT_EQ(ask("POST /users", R"({"name":"","age":151})").body,
            R"({"errors":[{"field":"name","path":"$.name","message":"must have at least 1 )"
            R"(character"},{"field":"age","path":"$.age","message":"must be at most 150"}]})"
            "\n");
  EXPECT_EQ(ask("PUT /users/1", R"({"name":"Ada","age":37})").body,
            R"({"id":"1","name":"Ada","age":37,"mail":null})");
  EXPECT_EQ(ask("GET /users/x").status, 404);
  EXPECT_EQ(ask("DELETE /users/1").status, 204);
  EXPECT_EQ(ask("GET /users/1").status, 404);
}

}  // namespace weft::examples
