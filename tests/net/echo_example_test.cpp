// Runs examples/echo as its users do.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "net/address.hpp"

extern char** environ;

namespace weft::net {
namespace {

constexpr const char* kProgram = WEFT_BINARY_DIR "/examples/echo";

// The running program, its standard output in a pipe; killed at the end of the scope.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    int pipe_fds[2];
    EXPECT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
    arguments.insert(arguments.begin(), kProgram);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, kProgram, &actions, nullptr, argv.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe_fds[1]);
    output_ = pipe_fds[0];
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    ::close(output_);
  }

  std::string read_line() const {
    std::string line;
    char byte = 0;
    while (::read(output_, &byte, 1) == 1 && byte != '\n') line += byte;
    return line;
  }
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

bool is_built() { return ::access(kProgram, X_OK) == 0; }

TEST(EchoExample, gives_back_what_several_clients_send) {
  if (!is_built()) GTEST_SKIP() << "the examples are not built";
  Program echo({"--port", "0"});
  const std::string line = echo.read_line();
  const std::size_t colon = line.rfind(':');
  ASSERT_NE(colon, std::string::npos) << line;
  const auto port = static_cast<std::uint16_t>(std::atoi(line.c_str() + colon + 1));
  auto address = parse_address("127.0.0.1", port);
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
  if (!is_built()) GTEST_SKIP() << "the examples are not built";
  Program echo({"--port", "many"});
  EXPECT_EQ(echo.read_line(), "usage: echo [--port PORT]");
  const int status = echo.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
}

}  // namespace
}  // namespace weft::net
