// The built examples/hello as a child process, for what can only be seen from outside a server:
// its exit status, its messages, its limits, its processor time.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "server_test.hpp"

extern char** environ;

namespace weft::http::test {

inline const std::string hello_program = WEFT_BINARY_DIR "/examples/hello";

class HelloProcess {
 public:
  // Starts it with these arguments; what it writes goes to a file. A limit of descriptors other
  // than 0 holds for it from its beginning.
  explicit HelloProcess(std::vector<std::string> arguments, unsigned descriptors = 0) {
    char name[] = "/tmp/weft_hello_XXXXXX";
    const int log = ::mkstemp(name);
    log_name_ = name;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, log, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
    arguments.insert(arguments.begin(), hello_program);
    if (descriptors > 0) {
      const std::string limit =
          "ulimit -n " + std::to_string(descriptors) + " && exec \"$0\" \"$@\"";
      arguments.insert(arguments.begin(), {"/bin/sh", "-c", limit});
    }
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    if (::posix_spawn(&pid_, words.front(), &actions, nullptr, words.data(), environ) != 0) {
      pid_ = -1;
    }
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(log);
  }
  HelloProcess(const HelloProcess&) = delete;
  HelloProcess& operator=(const HelloProcess&) = delete;
  ~HelloProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::unlink(log_name_.c_str());
  }

  // The port of the start-up line, or 0 when the process ended without one.
  std::uint16_t wait_until_it_listens() {
    std::uint16_t port = 0;
    eventually([&] {
      const std::string text = log();
      const std::size_t end = text.find(" on ");
      if (end == std::string::npos) return has_exited();
      port = static_cast<std::uint16_t>(std::stoul(text.substr(text.rfind(':', end) + 1)));
      return true;
    });
    return port;
  }

  std::string log() const {
    std::ostringstream text;
    text << std::ifstream(log_name_).rdbuf();
    return text.str();
  }
  void signal(int number) const { ::kill(pid_, number); }
  // The exit status; 128 and more for a signal; -1 when it does not end.
  int wait_for_exit() {
    if (!eventually([this] { return has_exited(); })) return -1;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

  std::size_t resident_bytes() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
    std::size_t all = 0;
    std::size_t resident = 0;
    file >> all >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  }
  std::size_t open_descriptors() const {
    const std::filesystem::directory_iterator begin("/proc/" + std::to_string(pid_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
  }
  // User and system time of all its threads so far.
  std::chrono::milliseconds processor_time() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    long user = 0;
    long system = 0;
    fields >> user >> system;
    return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
  }

 private:
  bool has_exited() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ < 0;
  }

  pid_t pid_ = -1;
  int status_ = 0;
  std::string log_name_;
};

// A process per test and back end; skipped where the examples were not built.
class HelloTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(hello_program)) GTEST_SKIP() << "the examples were not built";
    if (const std::string reason = why_not(GetParam()); !reason.empty()) GTEST_SKIP() << reason;
  }
  std::vector<std::string> arguments() const {
    return {"--port", "0", "--backend", GetParam(), "--workers", "1"};
  }
};

}  // namespace weft::http::test
