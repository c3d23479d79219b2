// Runs the built `weft` program and looks at what it writes and how it exits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

extern char** environ;

namespace weft::cli {
namespace {

struct Outcome {
  int status = -1;
  std::string text;  // standard output and standard error together
};

Outcome run_weft(std::vector<std::string> words, const std::vector<std::string>& settings = {}) {
  words.insert(words.begin(), WEFT_BINARY_DIR "/weft");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("WEFT_BACKEND="))
      variables.emplace_back(*variable);
  }
  variables.insert(variables.end(), settings.begin(), settings.end());
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  std::array<int, 2> channel{-1, -1};
  if (::pipe2(channel.data(), O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, channel[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, channel[1], STDERR_FILENO);
  pid_t child = -1;
  const int refused =
      ::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(channel[1]);
  Outcome outcome;
  std::array<char, 4096> block{};
  for (ssize_t got = 1; refused == 0 && got > 0;) {
    got = ::read(channel[0], block.data(), block.size());
    if (got > 0) outcome.text.append(block.data(), static_cast<std::size_t>(got));
  }
  ::close(channel[0]);
  int status = 0;
  if (refused == 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status)) {
    outcome.status = WEXITSTATUS(status);
  }
  return outcome;
}

void expect_says(const Outcome& outcome, const std::string& words) {
  EXPECT_NE(outcome.text.find(words), std::string::npos) << "no \"" << words << "\" in:\n"
                                                         << outcome.text;
}

TEST(Cli, help_names_the_commands) {
  const Outcome outcome = run_weft({"--help"});
  EXPECT_EQ(outcome.status, 0);
  expect_says(outcome, "usage: weft COMMAND");
  expect_says(outcome, "\n  probe ");
}

TEST(Cli, version_names_the_release_and_the_commit) {
  const Outcome outcome = run_weft({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.text.starts_with("weft ")) << outcome.text;
  expect_says(outcome, "(");
}

TEST(Cli, no_command_is_a_usage_error) { EXPECT_EQ(run_weft({}).status, 2); }

TEST(Cli, misspelt_command_exits_2_and_suggests_the_right_one) {
  const Outcome outcome = run_weft({"prob"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome, "did you mean `weft probe`?");
}

TEST(Cli, misspelt_flag_exits_2_and_suggests_the_right_one) {
  const Outcome outcome = run_weft({"probe", "--colour=never"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome, "there is no flag --colour; did you mean --color?");
}

TEST(Cli, bad_choice_exits_2_and_lists_the_choices) {
  const Outcome outcome = run_weft({"probe", "--color", "alway"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome, "must be one of auto, always, never");
}

TEST(Cli, missing_value_exits_2) {
  const Outcome outcome = run_weft({"probe", "--color"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome, "--color needs a value");
}

TEST(Cli, value_for_a_switch_exits_2) {
  const Outcome outcome = run_weft({"probe", "--json=yes"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome, "takes no value");
}

TEST(Probe, json_is_one_line_with_the_choice_and_its_reason) {
  const Outcome outcome = run_weft({"probe", "--json"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.text.starts_with("{\"weft\":\"")) << outcome.text;
  EXPECT_EQ(outcome.text.find('\n'), outcome.text.size() - 1);
  expect_says(outcome, "\"backend\":{\"kind\":\"");
  expect_says(outcome, "\"reason\":\"");
  expect_says(outcome, "\"name\":\"gettid\"");
}

TEST(Probe, a_wish_in_the_environment_is_reported_as_the_reason) {
  const Outcome outcome = run_weft({"probe"}, {"WEFT_BACKEND=epoll"});
  EXPECT_EQ(outcome.status, 0);
  expect_says(outcome, "epoll was asked for");
}

TEST(Probe, colour_follows_the_flag_and_is_off_without_a_terminal) {
  EXPECT_EQ(run_weft({"probe"}).text.find('\x1b'), std::string::npos);
  EXPECT_EQ(run_weft({"probe", "--color=never"}).text.find('\x1b'), std::string::npos);
  EXPECT_NE(run_weft({"probe", "--color=always"}).text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace weft::cli
