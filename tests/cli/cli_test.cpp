// Runs the built `weft` program and looks at what it writes and how it exits.
#include <gtest/gtest.h>

#include <string>

#include "cli/program.hpp"

namespace weft::cli {
namespace {

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

TEST(Probe, an_unknown_wish_in_the_environment_is_an_error_that_lists_the_known_ones) {
  const Outcome outcome = run_weft({"probe"}, {"WEFT_BACKEND=kqueue"});
  EXPECT_EQ(outcome.status, 1);
  expect_says(outcome, "use auto, io_uring or epoll");
}

TEST(Probe, colour_follows_the_flag_and_is_off_without_a_terminal) {
  EXPECT_EQ(run_weft({"probe"}).text.find('\x1b'), std::string::npos);
  EXPECT_EQ(run_weft({"probe", "--color=never"}).text.find('\x1b'), std::string::npos);
  EXPECT_NE(run_weft({"probe", "--color=always"}).text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace weft::cli
