// Runs examples/files as its users do.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "examples/program.hpp"
#include "http/server/client.hpp"

namespace weft::examples {
namespace {

TEST(FilesExample, serves_a_folder) {
  if (!Program::is_built("files")) GTEST_SKIP() << "the examples are not built";
  Program program("files", {"--port", "0", "--root", WEFT_SOURCE_DIR});
  const std::string line = program.read_line();
  const std::size_t colon = line.find(" on ");
  ASSERT_NE(colon, std::string::npos) << line;
  const std::string address = line.substr(0, colon);
  const auto port = static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
  http::test::Client client(port);
  const auto readme = client.get("/files/README.md");
  EXPECT_EQ(readme.status, 200);
  EXPECT_EQ(readme.body.size(),
            std::filesystem::file_size(std::filesystem::path(WEFT_SOURCE_DIR) / "README.md"));
  const auto part =
      client.ask("GET /files/README.md HTTP/1.1\r\nHost: a\r\nRange: bytes=2-5\r\n\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, readme.body.substr(2, 4));
  EXPECT_EQ(client.get("/files/none").body, "there is no such file\n");
}

}  // namespace
}  // namespace weft::examples
