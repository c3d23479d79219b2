// Runs the built `weft` program and looks at what it writes and how it exits.
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "cli/program.hpp"
#include "ksvc/router/syscall_table.hpp"

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
  expect_says(outcome, "\n  weft probe ");
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

TEST(Probe, names_every_trait_with_its_choice) {
  const Outcome outcome = run_weft({"probe"});
  EXPECT_EQ(outcome.status, 0);
  for (const char* const line :
       {"\n  router    ProbeRouter ", "\n  back end  ", "\n  pool      LazyPool ",
        "\n  notifier  EventFdNotifier ", "\n  sink      DirectWakeSink ", "\n  buffers   ",
        "\n  page      CachedSharedPage ", "\n  clock     MonotonicClock "}) {
    expect_says(outcome, line);
  }
  expect_says(run_weft({"probe", "--json"}), "\"traits\":[{\"trait\":\"router\",");
}

TEST(Probe, shows_every_call_of_the_table_once_with_its_tier) {
  for (const char* const wish : {"WEFT_BACKEND=auto", "WEFT_BACKEND=epoll"}) {
    const Outcome outcome = run_weft({"probe"}, {wish});
    const std::size_t start = outcome.text.find("system calls: shared page");
    ASSERT_NE(start, std::string::npos) << outcome.text;
    std::map<std::string, int> words;
    std::istringstream stream(outcome.text.substr(start));
    for (std::string word; stream >> word;) ++words[word];
    for (const ksvc::SyscallRow& row : ksvc::syscall_table()) {
      // Some are words of the headings too.
      EXPECT_GE(words[row.name], 1) << row.name << " with " << wish;
    }
  }
}

TEST(Probe, calls_of_the_ring_stand_beside_their_operation) {
  const Outcome outcome = run_weft({"probe"});
  if (outcome.text.find("BasicIoUring") == std::string::npos) {
    GTEST_SKIP() << "no io_uring on this machine";
  }
  expect_says(outcome, "\n    READ            read pread64 ");
}

TEST(Probe, without_a_ring_the_calls_of_the_ring_go_to_the_pool) {
  const Outcome outcome = run_weft({"probe"}, {"WEFT_BACKEND=epoll"});
  expect_says(outcome, "\nsystem calls: ring (0): ");
  expect_says(outcome, "for want of a ring: read write ");
  expect_says(outcome, "\n  back end  Epoll ");
}

TEST(Probe, fits_a_terminal_of_100_columns) {
  for (const char* const wish : {"WEFT_BACKEND=auto", "WEFT_BACKEND=epoll"}) {
    std::istringstream lines(run_weft({"probe", "--color=never"}, {wish}).text);
    for (std::string line; std::getline(lines, line);) EXPECT_LT(line.size(), 100U) << line;
  }
}

TEST(Probe, text_is_the_same_with_and_without_colour) {
  const std::string plain = run_weft({"probe", "--color=never"}).text;
  std::string bare;
  const std::string painted = run_weft({"probe", "--color=always"}).text;
  for (std::size_t at = 0; at < painted.size(); ++at) {
    if (painted[at] == '\x1b') {
      at = painted.find('m', at);
    } else {
      bare += painted[at];
    }
  }
  EXPECT_EQ(bare, plain);
}

}  // namespace
}  // namespace weft::cli
