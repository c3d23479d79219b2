// AppSettings: an application's own settings, from a file, the environment and flags.
#include "weft/app_settings.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "app/configuration.hpp"

namespace weft::app {

namespace {

using testing::ExitedWithCode;

class OwnSettingsTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
    if (!file_.empty()) std::remove(file_.c_str());
  }

  void declare() {
    own.add("database", database, "where notes are", {.placeholder = "FILE"})
        .add("level", level, {"low", "high"}, "how much")
        .add("read_only", read_only, "nothing is written")
        .add("poll", poll, "how often the feed is asked")
        .add("shard", shard, "which part")
        .add_size("cache", cache_bytes, "memory for pages");
  }
  void set_variable(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    set_.push_back(name);
  }
  // The path of a file with this text.
  std::string file_of(const std::string& text) {
    file_ = testing::TempDir() + "weft_own_" + std::to_string(::getpid()) + ".toml";
    std::ofstream(file_) << text;
    return file_;
  }
  Options read(std::vector<std::string> words) {
    words.insert(words.begin(), "/usr/bin/notes");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    return own.options(static_cast<int>(arguments.size()), arguments.data());
  }
  // What is printed goes where the test looks for it.
  void read_aloud(const std::vector<std::string>& words) {
    ::dup2(2, 1);
    (void)read(words);
    std::exit(0);
  }

  std::string database = "notes.db";
  std::string level = "low";
  bool read_only = false;
  std::chrono::milliseconds poll{500};
  std::uint8_t shard = 3;
  std::size_t cache_bytes = 1024;
  AppSettings own;

 private:
  std::vector<std::string> set_;
  std::string file_;
};

}  // namespace

TEST_F(OwnSettingsTest, what_comes_later_wins_and_the_rest_stays) {
  declare();
  const std::string file = file_of(
      "[server]\nport = 1234\n[app]\ndatabase = \"a.db\"\nlevel = \"high\"\npoll = 2\n"
      "cache = \"8MiB\"\n");
  set_variable("WEFT_APP_DATABASE", "b.db");
  set_variable("WEFT_APP_POLL", "");
  set_variable("WEFT_APP_SHARD", "255");
  const Options options =
      read({"--config", file, "--database", "c.db", "--read-only", "--workers=2"});
  EXPECT_EQ(database, "c.db");
  EXPECT_EQ(level, "high");
  EXPECT_TRUE(read_only);
  EXPECT_EQ(poll, std::chrono::seconds(2));
  EXPECT_EQ(shard, 255);
  EXPECT_EQ(cache_bytes, std::size_t{8} * 1024 * 1024);
  EXPECT_EQ(options.port, 1234);
  EXPECT_EQ(options.workers, 2U);
  EXPECT_EQ(options.config, file);
}

TEST_F(OwnSettingsTest, nothing_given_leaves_the_defaults) {
  declare();
  (void)read({});
  EXPECT_EQ(database, "notes.db");
  EXPECT_EQ(level, "low");
  EXPECT_FALSE(read_only);
  EXPECT_EQ(poll, std::chrono::milliseconds(500));
  EXPECT_EQ(shard, 3);
  EXPECT_EQ(cache_bytes, 1024U);
}

TEST_F(OwnSettingsTest, what_makes_no_sense_is_told_with_its_place) {
  declare();
  const std::string file =
      file_of("[app]\ndatabas = \"a.db\"\nlevel = \"mid\"\nport = 8\nshard = 256\n");
  EXPECT_EXIT((void)read({"--config", file}), ExitedWithCode(2),
              ":2:1: there is no setting databas in \\[app\\]; did you mean database\\?(.|\n)*"
              ":3:9: app.level must be (.|\n)*"
              ":4:1: port belongs in the section \\[server\\](.|\n)*"
              ":5:9: app.shard must be a number from 0 to 255, not ");
  EXPECT_EXIT((void)read({"--poll", "soon"}), ExitedWithCode(2), "--poll must be ");
  EXPECT_EXIT((void)read({"--databas", "x"}), ExitedWithCode(2), "did you mean --database\\?");
  set_variable("WEFT_APP_SHARD", "-1");
  EXPECT_EXIT((void)read({}), ExitedWithCode(2), "WEFT_APP_SHARD must be a number from 0 to 255");
}

TEST_F(OwnSettingsTest, what_is_required_must_be_given_and_a_secret_is_not_shown) {
  std::string password = "not this";
  own.add("password", password, "of the mail server", {.required = true, .secret = true});
  EXPECT_EXIT((void)read({}), ExitedWithCode(2),
              "app.password is not set: give it by --password, by the variable "
              "WEFT_APP_PASSWORD, or in a file");
  EXPECT_EXIT((void)read({"--password="}), ExitedWithCode(2), "app.password is not set");
  EXPECT_EXIT(read_aloud({"--print-config", "--password", "hidden"}), ExitedWithCode(0),
              "\\[app\\]\n# password is a secret *# flag --password\n$");
  EXPECT_EXIT(read_aloud({"--help"}), ExitedWithCode(0),
              "its own:\n  --password TEXT +of the mail server, which must be given\n");
  (void)read({"--password", "given"});
  EXPECT_EQ(password, "given");
}

TEST_F(OwnSettingsTest, what_is_printed_can_be_read_again) {
  declare();
  EXPECT_EXIT(
      read_aloud({"--print-config", "--poll=250ms"}), ExitedWithCode(0),
      "\\[server\\]\n(.|\n)*\\[app\\]\ndatabase = \"notes.db\" +# default\n"
      "level = \"low\" +# default\nread_only = false +# default\n"
      "poll = \"250ms\" +# flag --poll\nshard = 3 +# default\ncache = \"1KiB\" +# default\n$");
}

TEST_F(OwnSettingsTest, keys_are_checked_when_they_are_added) {
  declare();
  std::string text;
  for (const char* key : {"", "Upper", "1st", "two__lines", "end_", "a-b", "port", "max_body",
                          "config", "help", "print_config", "database"}) {
    EXPECT_THROW(own.add(key, text, "nothing"), std::invalid_argument) << key;
  }
  EXPECT_THROW(own.add("kind", text, {"a", "b"}, "nothing"), std::invalid_argument);
}

TEST(OwnSettingsOfOthers, pass_a_check_that_knows_nothing_of_them) {
  Configuration strict{Options()};
  strict.read_text("[app]\ndatabase = \"a\"\n", "weft.toml");
  ASSERT_EQ(strict.mistakes().size(), 1U);
  Configuration lenient{Options()};
  lenient.let_own_pass();
  lenient.read_text("[app]\ndatabase = \"a\"\n[server]\nport = 1\n", "weft.toml");
  EXPECT_TRUE(lenient.mistakes().empty());
  EXPECT_EQ(lenient.options().port, 1);
}

}  // namespace weft::app
