// Runs examples/echo as its users do.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "examples/program.hpp"
#include "net/address.hpp"

namespace weft::examples {
namespace {

TEST(EchoExample, gives_back_what_several_clients_send) {
  if (!Program::is_built("echo")) GTEST_SKIP() << "the examples are not built";
  Program echo("echo", {"--port", "0"});
  const std::string line = echo.read_line();
  const std::size_t colon = line.rfind(':');
  ASSERT_NE(colon, std::string::npos) << line;
  const auto port = static_cast<std::uint16_t>(std::atoi(line.c_str() + colon + 1));
  auto address = net::parse_address("127.0.0.1", port);
  std::vector<int> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(clients.back(), address->get(), address->size), 0);
  }
  for (const int client : clients) {
    const std::string said = "client " + std::to_string(client);
    ASSERT_EQ(::send(client, said.data(), said.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(said.size()));
  }
  for (const int client : clients) {
    const std::string said = "client " + std::to_string(client);
    std::string heard(said.size(), '\0');
    EXPECT_EQ(::recv(client, heard.data(), heard.size(), MSG_WAITALL),
              static_cast<ssize_t>(said.size()));
    EXPECT_EQ(heard, said);
    ::shutdown(client, SHUT_WR);
    char byte = 0;
    EXPECT_EQ(::recv(client, &byte, 1, 0), 0) << "the server closes when the client has";
    ::close(client);
  }
}

TEST(EchoExample, wrong_arguments_exit_2_with_the_usage) {
  if (!Program::is_built("echo")) GTEST_SKIP() << "the examples are not built";
  Program echo("echo", {"--port", "many"});
  EXPECT_EQ(echo.read_line(), "usage: echo [--port PORT]");
  const int status = echo.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
}

}  // namespace
}  // namespace weft::examples
