// Program: an example as its users run it, standard output and error in one pipe; killed at the end
// of the scope.
//
// One thread.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

extern char** environ;

namespace weft::examples {

class Program {
 public:
  // Where io_uring is refused, if so wished: then it runs on epoll.
  enum class Kernel { as_it_is, without_io_uring };

  explicit Program(const std::string& name, const std::vector<std::string>& arguments = {},
                   Kernel kernel = Kernel::as_it_is) {
    // One that aborts leaves no core file.
    std::vector<std::string> words{"/bin/sh", "-c", "ulimit -c 0; exec \"$@\"", "sh"};
    if (kernel == Kernel::without_io_uring) {
      words.insert(words.end(), {"python3", WEFT_SOURCE_DIR "/scripts/without_io_uring.py"});
    }
    words.push_back(path(name));
    words.insert(words.end(), arguments.begin(), arguments.end());
    start(words);
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

  static bool is_built(const std::string& name) { return ::access(path(name).c_str(), X_OK) == 0; }

  std::string read_line() const {
    std::string line;
    char byte = 0;
    while (::read(output_, &byte, 1) == 1 && byte != '\n') line += byte;
    return line;
  }
  // All it has to say.
  std::string read_all() const {
    std::string text;
    char bytes[4096];
    for (ssize_t got = 0; (got = ::read(output_, bytes, sizeof bytes)) > 0;)
      text.append(bytes, static_cast<std::size_t>(got));
    return text;
  }
  // Its status, as waitpid() gives it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  static std::string path(const std::string& name) { return WEFT_BINARY_DIR "/examples/" + name; }

  void start(std::vector<std::string>& words) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    EXPECT_EQ(::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe_fds[1]);
    output_ = pipe_fds[0];
  }

  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace weft::examples
