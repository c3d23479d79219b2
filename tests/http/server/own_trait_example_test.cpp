// Runs examples/pipe_notifier, which brings a trait implementation of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "client.hpp"

namespace weft::http::test {
namespace {

constexpr const char* own_trait_program = WEFT_BINARY_DIR "/examples/pipe_notifier";

TEST(OwnTraitExample, serves_and_is_woken_to_end) {
  if (::access(own_trait_program, X_OK) != 0) GTEST_SKIP() << "the examples are not built";
  int input[2];
  ASSERT_EQ(::pipe2(input, O_CLOEXEC), 0);
  // The program's standard input ends when ours of the pipe is closed.
  const std::string command = std::string(own_trait_program) + " 0 <&" + std::to_string(input[0]);
  ::fcntl(input[0], F_SETFD, 0);
  FILE* output = ::popen(command.c_str(), "re");
  ASSERT_NE(output, nullptr);
  ::close(input[0]);
  char line[128] = {};
  ASSERT_NE(std::fgets(line, sizeof line, output), nullptr);
  const std::string address = line;
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  {
    Client client(static_cast<std::uint16_t>(port));
    EXPECT_EQ(client.get("/").body, "Woken through a pipe\n");
  }
  ::close(input[1]);
  EXPECT_EQ(::pclose(output), 0) << "it drains and ends";
}

}  // namespace
}  // namespace weft::http::test
