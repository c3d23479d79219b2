#include "cli/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

extern char** environ;

namespace weft::cli {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Program::Program(std::vector<std::string> words, const std::vector<std::string>& settings,
                 int socket) {
  words.insert(words.begin(), WEFT_BINARY_DIR "/weft");
  if (socket >= 0) {
    // Only the process itself knows its number.
    const std::vector<std::string> shell{"/bin/sh", "-c",
                                         "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\"", "sh"};
    words.insert(words.begin(), shell.begin(), shell.end());
  }
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view inherited(*variable);
    const std::string_view name = inherited.substr(0, inherited.find('=') + 1);
    const bool replaced = std::any_of(settings.begin(), settings.end(), [&](const auto& setting) {
      return setting.starts_with(name);
    });
    if (!replaced && !inherited.starts_with("WEFT_")) variables.emplace_back(inherited);
  }
  variables.insert(variables.end(), settings.begin(), settings.end());

  std::array<int, 2> channel{-1, -1};
  if (::pipe2(channel.data(), O_CLOEXEC) != 0) return;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, channel[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, channel[1], STDERR_FILENO);
  if (socket >= 0) ::posix_spawn_file_actions_adddup2(&actions, socket, 3);
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> environment = pointers_to(variables);
  if (::posix_spawn(&child_, arguments[0], &actions, nullptr, arguments.data(),
                    environment.data()) != 0) {
    child_ = -1;
  }
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(channel[1]);
  output_ = channel[0];
}

Program::~Program() {
  if (output_ >= 0) ::close(output_);
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

bool Program::read_more() {
  std::array<char, 4096> block{};
  const ssize_t got = ::read(output_, block.data(), block.size());
  if (got <= 0) return false;
  unread_.append(block.data(), static_cast<std::size_t>(got));
  return true;
}

std::string Program::read_line() {
  std::size_t end = unread_.find('\n');
  while (end == std::string::npos && read_more()) end = unread_.find('\n');
  if (end == std::string::npos) return std::exchange(unread_, {});
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

void Program::send_signal(int signal) const {
  if (child_ >= 0) ::kill(child_, signal);
}

Outcome Program::finish() {
  while (read_more()) {
  }
  Outcome outcome;
  outcome.text = std::exchange(unread_, {});
  int status = 0;
  if (child_ >= 0 && ::waitpid(child_, &status, 0) == child_ && WIFEXITED(status)) {
    outcome.status = WEXITSTATUS(status);
  }
  child_ = -1;
  return outcome;
}

Outcome run_weft(std::vector<std::string> words, const std::vector<std::string>& settings) {
  return Program(std::move(words), settings).finish();
}

}  // namespace weft::cli
