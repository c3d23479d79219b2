// `weft check`, `weft config` and `weft new`, and where every command gets its settings from.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.hpp"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

class ConfigurationFile : public testing::Test {
 protected:
  ConfigurationFile() { EXPECT_NE(::mkdtemp(folder.data()), nullptr); }
  ~ConfigurationFile() override { fs::remove_all(folder); }

  std::string file(const std::string& text) const {
    const std::string path = folder + "/weft.toml";
    std::ofstream(path) << text;
    return path;
  }

  std::string folder = "/tmp/weft-config-XXXXXX";
};

void expect_says(const std::string& text, const std::string& words) {
  EXPECT_NE(text.find(words), std::string::npos) << "no \"" << words << "\" in:\n" << text;
}

std::string line_with(const std::string& text, const std::string& start) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(start)) return line;
  }
  return {};
}

}  // namespace

TEST_F(ConfigurationFile, check_says_that_a_good_one_is_fine) {
  const std::string path = file("[server]\nport = 80\n[limits]\nmax_body = \"2MiB\"\n");
  const Outcome outcome = run_weft({"check", path});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text, path + ": fine, with 2 settings\n");
}

TEST_F(ConfigurationFile, check_tells_every_mistake_with_its_line_marked) {
  const std::string path =
      file("[server]\nprot = 80\nport = 70000\n[limits]\nmax_body = \"2MB\"\n");
  const Outcome outcome = run_weft({"check", path});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.text, path +
                              ":2:1: there is no setting prot in [server]; did you mean port?\n"
                              "    prot = 80\n    ^~~~\n" +
                              path +
                              ":3:8: server.port must be a number from 0 to 65535, not 70000\n"
                              "    port = 70000\n           ^~~~~\n" +
                              path +
                              ":5:12: limits.max_body must be a size from 0 to 1024TiB, such as "
                              "64KiB, 1MiB or a number of bytes, not '2MB'; did you mean 2MiB?\n"
                              "    max_body = \"2MB\"\n               ^~~~~\n" +
                              path + ": 3 mistakes\n");
}

TEST_F(ConfigurationFile, check_of_what_cannot_be_read_exits_1_and_asked_wrongly_2) {
  const Outcome missing = run_weft({"check", folder + "/missing"});
  EXPECT_EQ(missing.status, 1);
  expect_says(missing.text, folder + "/missing: cannot read the file: No such file or directory");
  const Outcome of_folder = run_weft({"check", folder});
  EXPECT_EQ(of_folder.status, 1);
  expect_says(of_folder.text, "cannot read the file: Is a directory");
  EXPECT_EQ(run_weft({"check"}).status, 2);
  EXPECT_EQ(run_weft({"check", "a", "b"}).status, 2);
}

TEST_F(ConfigurationFile, check_looks_at_the_file_and_nothing_else) {
  EXPECT_EQ(run_weft({"check", file("[server]\nport = 80\n")}, {"WEFT_WORKERS=many"}).status, 0);
}

TEST_F(ConfigurationFile, config_says_what_is_in_force_and_where_it_is_from) {
  const std::string path =
      file("[server]\nport = 80\nworkers = 2\n\n[limits]\nmax_body = 3072\nidle_timeout = 9\n");
  const Outcome outcome =
      run_weft({"config", "--config", path, "--idle-timeout", "1500ms", "--quiet"},
               {"WEFT_WORKERS=5", "WEFT_IDLE_TIMEOUT=8s"});
  EXPECT_EQ(outcome.status, 0);
  const auto line = [&](const std::string& start) { return line_with(outcome.text, start); };
  EXPECT_EQ(line("host"), "host = \"127.0.0.1\"                  # default");
  EXPECT_EQ(line("port"), "port = 80                           # " + path + ":2");
  EXPECT_EQ(line("workers"), "workers = 5                         # environment WEFT_WORKERS");
  EXPECT_EQ(line("max_body "), "max_body = \"3KiB\"                   # " + path + ":6");
  EXPECT_EQ(line("idle_timeout"), "idle_timeout = \"1500ms\"             # flag --idle-timeout");
  EXPECT_EQ(line("quiet"), "quiet = true                        # flag --quiet");
  // It is a configuration itself.
  EXPECT_EQ(run_weft({"check", file(outcome.text)}).status, 0);
}

TEST_F(ConfigurationFile, config_says_which_listening_place_is_in_force) {
  const Outcome outcome = run_weft({"config", "--uds", "/run/a"}, {"WEFT_PORT=81"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(line_with(outcome.text, "uds "), "uds = \"/run/a\"                      # flag --uds");
  EXPECT_TRUE(line_with(outcome.text, "# port = 8080").ends_with("# default")) << outcome.text;
  EXPECT_EQ(run_weft({"check", file(outcome.text)}).status, 0);
}

TEST_F(ConfigurationFile, the_environment_may_name_it_and_a_flag_overrides_that) {
  const std::string path = file("[server]\nport = 80\n");
  std::ofstream(folder + "/other.toml") << "[server]\nport = 81\n";
  const std::vector<std::string> variables{"WEFT_CONFIG=" + path};
  expect_says(run_weft({"config"}, variables).text, "port = 80 ");
  expect_says(run_weft({"config", "--config", folder + "/other.toml"}, variables).text,
              "port = 81 ");
}

TEST_F(ConfigurationFile, one_that_nobody_named_is_not_read) {
  file("[server]\nport = 80\n");
  const fs::path before = fs::current_path();
  fs::current_path(folder);
  const Outcome outcome = run_weft({"config"});
  fs::current_path(before);
  expect_says(outcome.text, "port = 8080 ");
}

TEST_F(ConfigurationFile, mistakes_of_all_sources_are_told_together_and_nothing_runs) {
  const std::string path = file("[server]\nprot = 80\n");
  const Outcome outcome = run_weft({"demo", "--config", path}, {"WEFT_WORKERS=many"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome.text, path + ":2:1: there is no setting prot");
  expect_says(outcome.text, "weft demo: WEFT_WORKERS must be a number from 0 to 1024, not 'many'");
  expect_says(outcome.text, "Run `weft demo --help`");
}

TEST(Config, a_misspelt_variable_is_noticed) {
  const Outcome outcome = run_weft({"config"}, {"WEFT_WORKRES=2", "WEFT_SOMETHING_ELSE=1"});
  EXPECT_EQ(outcome.status, 0);
  expect_says(outcome.text, "WEFT_WORKRES is not a setting; did you mean WEFT_WORKERS?");
  EXPECT_EQ(outcome.text.find("SOMETHING_ELSE"), std::string::npos);
}

TEST(Help, of_every_command_fits_80_columns_and_says_what_it_takes) {
  for (const char* const command : {"serve", "demo", "new", "check", "config", "probe"}) {
    const Outcome outcome = run_weft({command, "--help"});
    EXPECT_EQ(outcome.status, 0) << command;
    expect_says(outcome.text, "usage: weft " + std::string(command));
    std::istringstream lines(outcome.text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
    expect_says(run_weft({"--help"}).text, "\n  weft " + std::string(command) + " ");
  }
  std::istringstream lines(run_weft({"--help"}).text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  expect_says(run_weft({"serve", "--help"}).text,
              "usage: weft serve DIR|APP.lua|MODULE:NAME [flags]");
  expect_says(run_weft({"demo", "--help"}).text, "\n  --max-body SIZE ");
}

TEST_F(ConfigurationFile, new_writes_a_project_whose_configuration_is_fine) {
  const fs::path before = fs::current_path();
  fs::current_path(folder);
  const Outcome outcome = run_weft({"new", "my-site"});
  const Outcome again = run_weft({"new", "my-site"});
  fs::current_path(before);
  EXPECT_EQ(outcome.status, 0) << outcome.text;
  for (const char* const path : {"CMakeLists.txt", "src/main.cpp", "src/routes.cpp",
                                 "tests/routes_test.cpp", "README.md", ".gitignore"}) {
    std::ifstream written(folder + "/my-site/" + path);
    std::stringstream text;
    text << written.rdbuf();
    EXPECT_FALSE(text.str().empty()) << path;
    EXPECT_EQ(text.str().find("@NAME@"), std::string::npos) << path;
  }
  EXPECT_EQ(run_weft({"check", folder + "/my-site/weft.toml"}).status, 0);
  EXPECT_EQ(again.status, 1);
  expect_says(again.text, "my-site: it is there already");
}

TEST(New, names_that_will_not_do_are_refused) {
  for (const char* const name : {"../x", "a/b", "1st", "with space", "", "test", "a$b", ".x"}) {
    const Outcome outcome = run_weft({"new", name});
    EXPECT_EQ(outcome.status, 2) << name;
    expect_says(outcome.text, "cannot be the name of a project");
  }
  EXPECT_EQ(run_weft({"new", "-x"}).status, 2);
}

}  // namespace weft::cli
