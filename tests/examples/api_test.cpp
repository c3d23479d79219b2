// Runs examples/api as its users do.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "examples/program.hpp"
#include "http/server/client.hpp"

namespace weft::examples {

TEST(ApiExample, keeps_books_and_describes_itself) {
  if (!Program::is_built("api")) GTEST_SKIP() << "the examples are not built";
  Program program("api", {"--port", "0"});
  const std::string line = program.read_line();
  const std::size_t colon = line.find(" on ");
  ASSERT_NE(colon, std::string::npos) << line;
  const std::string address = line.substr(0, colon);
  const auto port = static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
  http::test::Client client(port);
  const auto post = [&](const std::string& body) {
    return client.ask("POST /books HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
                      ("Content-Length: " + std::to_string(body.size())) + "\r\n\r\n" + body);
  };
  const std::string emma = R"({"id":1,"title":"Emma","pages":474})";
  http::test::Answer answer = post(R"({"title":"Emma","pages":474})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, emma);
  EXPECT_EQ(post(R"({"title":"Emma","pages":0})").status, 422);
  EXPECT_EQ(client.get("/books/1").body, emma);
  EXPECT_EQ(client.get("/books/2").status, 404);
  EXPECT_EQ(client.get("/books?title=mm").body, "[" + emma + "]");
  EXPECT_EQ(client.get("/books?title=x").body, "[]");
  const std::string document = client.get("/openapi.json").body;
  EXPECT_NE(document.find("\"/books/{id}\""), std::string::npos) << document;
  EXPECT_NE(document.find("\"maximum\": 10000"), std::string::npos) << document;
  EXPECT_NE(client.get("/docs").body.find("<title>Books</title>"), std::string::npos);
}

}  // namespace weft::examples
