// Configurations: which source wins, what they say of mistakes, and that what is printed is read.
#include "app/configuration.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace weft::app {
namespace {

Environment of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

Configuration of_text(const std::string& text) {
  Configuration configuration{Options()};
  configuration.read_text(text, "weft.toml");
  return configuration;
}

// What is wrong with the file: place and text, a line each.
std::string mistakes_in(const std::string& text) {
  const Configuration configuration = of_text(text);
  std::string lines;
  for (const Mistake& mistake : configuration.mistakes()) {
    lines += mistake.where + ": " + mistake.text + "\n";
  }
  return lines;
}

// A value for a source: the n-th of two.
std::string value_for(const Setting& setting, int n) {
  switch (setting.kind) {
    case Kind::text: return n == 0 ? "::1" : n == 1 ? "10.0.0.1" : "10.0.0.2";
    case Kind::toggle: return n == 1 ? "false" : "true";
    case Kind::choice:
      return std::string(setting.choices[static_cast<std::size_t>(n) % setting.choices.size()]);
    case Kind::mode: return n == 0 ? "0600" : n == 1 ? "0660" : "0666";
    case Kind::networks: return n == 0 ? "loopback" : n == 1 ? "10.0.0.0/8,unix" : "::1";
    case Kind::descriptor: return n == 0 ? "5" : n == 1 ? "systemd" : "systemd:web";
    case Kind::log_format: return n == 0 ? "common" : n == 1 ? "json" : "%h %r";
    case Kind::number: return std::to_string(11 + n);
    case Kind::size: return std::to_string(17 + n) + "KiB";
    case Kind::duration: return std::to_string(3 + n) + "s";
  }
  return {};
}

std::string line_for(const Setting& setting, const std::string& value) {
  const bool bare = setting.kind == Kind::number || setting.kind == Kind::toggle;
  return "[" + std::string(setting.section) + "]\n" + std::string(setting.key) + " = " +
         (bare ? value : "\"" + value + "\"") + "\n";
}

}  // namespace

// Every setting, from every combination of sources.
TEST(Configuration, a_later_source_wins_for_every_setting) {
  for (const Setting& setting : settings()) {
    for (unsigned given = 0; given < 8; ++given) {
      const bool in_file = (given & 1) != 0;
      const bool in_environment = (given & 2) != 0;
      const bool as_flag = (given & 4) != 0;
      Configuration configuration{Options()};
      std::string expected = text_of(setting, setting.field.read(Options()));
      std::string origin = "default";
      if (in_file) {
        configuration.read_text(line_for(setting, value_for(setting, 0)), "a.toml");
        expected = value_for(setting, 0);
        origin = "a.toml:2";
      }
      std::map<std::string, std::string> variables;
      if (in_environment) {
        variables[setting.variable] = expected = value_for(setting, 1);
        origin = "environment " + setting.variable;
      }
      configuration.read_environment(of(variables));
      if (as_flag) {
        expected = value_for(setting, 2);
        configuration.set_by_flag(setting, *parse_value(setting, expected));
        origin = "flag --" + setting.flag;
      }
      configuration.end_source();
      EXPECT_TRUE(configuration.mistakes().empty()) << setting.name();
      EXPECT_EQ(text_of(setting, setting.field.read(configuration.options())), expected)
          << setting.name() << " given in " << given;
      EXPECT_EQ(configuration.origin(setting), origin) << setting.name() << " given in " << given;
      for (const Setting& other : settings()) {
        if (&other == &setting) continue;
        EXPECT_EQ(other.field.read(configuration.options()), other.field.read(Options()))
            << other.name() << " beside " << setting.name();
        EXPECT_EQ(configuration.origin(other), "default") << other.name();
      }
    }
  }
}

TEST(Configuration, an_empty_variable_is_one_that_is_not_set) {
  Configuration configuration{Options()};
  configuration.read_environment(of({{"WEFT_PORT", ""}, {"WEFT_HOST", ""}}));
  EXPECT_TRUE(configuration.mistakes().empty());
  EXPECT_EQ(configuration.options().port, 8080);
  EXPECT_EQ(configuration.options().host, "127.0.0.1");
}

TEST(Configuration, a_variable_that_makes_no_sense_is_named) {
  Configuration configuration{Options()};
  configuration.read_environment(of({{"WEFT_PORT", "http"}, {"WEFT_MODEL", "gren"}}));
  ASSERT_EQ(configuration.mistakes().size(), 2U);
  EXPECT_EQ(configuration.mistakes()[0].text,
            "WEFT_PORT must be a number from 0 to 65535, not 'http'");
  EXPECT_EQ(configuration.mistakes()[1].text,
            "WEFT_MODEL must be one of green, coroutine, callback, not 'gren'; did you mean "
            "green?");
}

TEST(Configuration, where_to_listen_is_taken_from_the_last_source_that_says_it) {
  const std::string by_path = "[server]\nuds = \"/run/a.sock\"\nworkers = 2\n";
  Configuration by_flag{Options()};
  by_flag.read_text(by_path, "weft.toml");
  by_flag.set_by_flag(*find_setting("server", "port"), std::uint64_t{81});
  by_flag.end_source();
  EXPECT_TRUE(by_flag.mistakes().empty());
  EXPECT_EQ(by_flag.options().uds, "");
  EXPECT_EQ(by_flag.options().port, 81);
  EXPECT_EQ(by_flag.options().workers, 2U);
  EXPECT_EQ(by_flag.origin(*find_setting("server", "uds")), "default");

  Configuration by_variable{Options()};
  by_variable.read_text("[server]\nhost = \"::1\"\nport = 81\n", "weft.toml");
  by_variable.read_environment(of({{"WEFT_FD", "systemd"}}));
  EXPECT_EQ(by_variable.options().fd, "systemd");
  EXPECT_EQ(by_variable.options().port, 8080);
  EXPECT_EQ(by_variable.options().host, "127.0.0.1");
}

TEST(Configuration, one_source_with_two_places_to_listen_on_is_a_mistake) {
  const Configuration configuration =
      of_text("[server]\nport = 81\nhost = \"::1\"\nuds = \"/run/a.sock\"\n");
  ASSERT_EQ(configuration.mistakes().size(), 1U);
  EXPECT_EQ(configuration.mistakes()[0].text,
            "server.port (weft.toml:2) and server.uds (weft.toml:4) are both given, and a server "
            "listens on one: leave one of them out");
  EXPECT_TRUE(of_text("[server]\nport = 81\nuds = \"\"\nfd = \"\"\n").mistakes().empty());
}

struct Sample {
  const char* text;
  const char* mistakes;
};

TEST(Configuration, mistakes_are_told_with_their_place_and_what_is_expected) {
  const Sample samples[] = {
      {"[server]\nport = 70000\n",
       "weft.toml:2:8: server.port must be a number from 0 to 65535, not 70000\n"},
      {"[server]\nport = \"80\"\n",
       "weft.toml:2:8: server.port must be a number from 0 to 65535, not the text '80'; write it "
       "without quotes\n"},
      {"[server]\nport = 80.5\n",
       "weft.toml:2:8: server.port must be a number from 0 to 65535, not a number with a "
       "fraction\n"},
      {"[server]\nport = true\n",
       "weft.toml:2:8: server.port must be a number from 0 to 65535, not true\n"},
      {"[server]\nport = [80]\n",
       "weft.toml:2:8: server.port must be a number from 0 to 65535, not an array\n"},
      {"[server]\nport = 2020-01-01\n",
       "weft.toml:2:8: server.port must be a number from 0 to 65535, not a date or a time\n"},
      {"[server]\n  host = 5\n",
       "weft.toml:2:10: server.host must be text that can be printed, not the number 5; write it "
       "in quotes\n"},
      {"[server]\nhost = \"a\\u0000b\"\n",
       "weft.toml:2:8: server.host must be text that can be printed, not 'a\\x00b'\n"},
      {"[server]\nbackend = 1\n",
       "weft.toml:2:11: server.backend must be one of auto, io_uring, epoll, not the number 1\n"},
      {"[server]\nuds_mode = 660\n",
       "weft.toml:2:12: server.uds_mode must be permissions in octal digits from 0000 to 0777, "
       "such as 0660, not 660; write it in quotes\n"},
      {"[server]\nprot = 1\n",
       "weft.toml:2:1: there is no setting prot in [server]; did you mean port?\n"},
      {"[server]\nmax_body = 1\n", "weft.toml:2:1: max_body belongs in the section [limits]\n"},
      {"[server]\nmax_bdy = 1\n",
       "weft.toml:2:1: there is no setting max_bdy in [server]; did you mean max_body in "
       "[limits]?\n"},
      {"[server]\nzzzzzzzz = 1\n", "weft.toml:2:1: there is no setting zzzzzzzz in [server]\n"},
      {"port = 1\n", "weft.toml:1:1: port belongs in the section [server]\n"},
      {"[sever]\nport = \"x\"\n",
       "weft.toml:1:2: there is no section [sever]; did you mean [server]?\n"},
      {"[zzzzzz]\n",
       "weft.toml:1:2: there is no section [zzzzzz]; there are [server], [limits], [log]\n"},
      {"[limits]\nidle_timeout = 0.25\n",
       "weft.toml:2:16: limits.idle_timeout must be a time from 1ms to 24h, such as 500ms, 10s, "
       "5m or a number of seconds, not a number with a fraction; write \"250ms\"\n"},
      {"[limits]\nmax_body = -1\n",
       "weft.toml:2:12: limits.max_body must be a size from 0 to 1024TiB, such as 64KiB, 1MiB or "
       "a number of bytes, not -1\n"},
      {"[log]\nquiet = \"yes\"\n",
       "weft.toml:2:9: log.quiet must be true or false, not the text 'yes'; did you mean true?\n"},
  };
  for (const auto& [text, mistakes] : samples) EXPECT_EQ(mistakes_in(text), mistakes) << text;
}

TEST(Configuration, what_is_no_toml_is_told_and_the_rest_is_looked_at_all_the_same) {
  const Configuration configuration = of_text(
      "[server]\nhost = localhost\nport = 70000\nworkers 3\n[limits]\nmax_body = \"1MB\"\n");
  const auto& mistakes = configuration.mistakes();
  ASSERT_EQ(mistakes.size(), 4U);
  EXPECT_TRUE(mistakes[0].where.starts_with("weft.toml:2:")) << mistakes[0].where;
  EXPECT_TRUE(mistakes[0].text.ends_with("; text stands in quotes: \"localhost\""))
      << mistakes[0].text;
  EXPECT_EQ(mistakes[1].where, "weft.toml:3:8");
  EXPECT_TRUE(mistakes[2].where.starts_with("weft.toml:4:")) << mistakes[2].where;
  EXPECT_TRUE(mistakes[2].text.ends_with("; write a setting as key = value")) << mistakes[2].text;
  EXPECT_EQ(mistakes[3].where, "weft.toml:6:12");
}

TEST(Configuration, a_key_that_is_there_twice_is_a_mistake) {
  const Configuration configuration = of_text("[server]\nport = 1\nport = 2\n");
  ASSERT_EQ(configuration.mistakes().size(), 1U);
  EXPECT_TRUE(configuration.mistakes()[0].where.starts_with("weft.toml:3:"));
}

TEST(Configuration, a_broken_heading_ends_the_look_because_nothing_below_it_has_a_section) {
  const Configuration configuration = of_text("[server\nport = 70000\n");
  ASSERT_EQ(configuration.mistakes().size(), 1U);
  EXPECT_TRUE(configuration.mistakes()[0].where.starts_with("weft.toml:1:"))
      << configuration.mistakes()[0].where;
}

TEST(Configuration, a_heading_without_a_name_is_told_with_its_line) {
  EXPECT_EQ(mistakes_in("[server]\nport = 1\n[\n?\n"),
            "weft.toml:3:1: this is not TOML; write a section as [name]\n");
  EXPECT_EQ(mistakes_in("["),
            "weft.toml:1:2: this is not TOML: Error while parsing table header: encountered "
            "end-of-file; write a section as [name]\n");
}

TEST(Configuration, letters_beyond_ascii_stand_in_quotes_and_comments_only) {
  const Configuration fine =
      of_text("\xEF\xBB\xBF# \xC3\xA4 \xE3\x80\x81\n[server]\nuds = \"/\xC3\xA4\" # \xC3\xB6\n");
  EXPECT_TRUE(fine.mistakes().empty());
  EXPECT_EQ(fine.options().uds, "/\xC3\xA4");
  EXPECT_EQ(mistakes_in(
                "[server]\nh\xC3\xB6st = \"a\"\nport = \xE3\x80\x81\nuds = '\xC3\xA4' \xC3\xA4\n"),
            "weft.toml:2:2: this is not TOML: a letter beyond ASCII stands in quotes only\n"
            "weft.toml:3:8: this is not TOML: a letter beyond ASCII stands in quotes only\n"
            "weft.toml:4:11: this is not TOML: a letter beyond ASCII stands in quotes only\n");
}

TEST(Configuration, text_of_several_lines_is_refused) {
  for (const char* const quotes : {"\"\"\"", "'''"}) {
    const std::string text = "[server]\nhost = " + std::string(quotes) + "::1" + quotes + "\n";
    EXPECT_EQ(mistakes_in(text),
              "weft.toml:2:8: text must be on one line, in one pair of quotes\n");
  }
  EXPECT_EQ(of_text("[server]\nuds = \"a'''b\\\"\\\"\"\n").options().uds, "a'''b\"\"");
}

TEST(Configuration, the_offending_text_is_marked_below_its_line) {
  const Configuration tabs = of_text("[server]\n\tport = 70000 # \xC3\xA4\n");
  ASSERT_EQ(tabs.mistakes().size(), 1U);
  EXPECT_EQ(to_text(tabs.mistakes()[0]),
            "weft.toml:2:9: server.port must be a number from 0 to 65535, not 70000\n"
            "     port = 70000 # \xC3\xA4\n"
            "            ^~~~~\n");
  const Configuration wide = of_text("[server]\n\"\xC3\xA4\xC3\xB6\" = 1\n");
  ASSERT_EQ(wide.mistakes().size(), 1U);
  EXPECT_TRUE(to_text(wide.mistakes()[0]).ends_with("\n    ^~~~\n")) << to_text(wide.mistakes()[0]);
}

TEST(Configuration, size_depth_and_the_number_of_mistakes_are_bounded) {
  const Configuration large = of_text(std::string(kConfigBytes + 1, '\n'));
  ASSERT_EQ(large.mistakes().size(), 1U);
  EXPECT_EQ(large.mistakes()[0].text, "the file is longer than 64 KiB");
  EXPECT_TRUE(of_text(std::string(kConfigBytes, '\n')).mistakes().empty());
  const Configuration deep = of_text("a = " + std::string(20'000, '['));
  EXPECT_EQ(deep.mistakes().size(), 1U);
  std::string wrong = "[server]\n";
  for (int i = 0; i < 1000; ++i) wrong += "zz" + std::to_string(i) + " = 1\n";
  EXPECT_EQ(of_text(wrong).mistakes().size(), kMostMistakes);
  std::string broken;
  for (int i = 0; i < 1000; ++i) broken += "?\n";
  EXPECT_EQ(of_text(broken).mistakes().size(), kMostMistakes);
}

TEST(Configuration, numbers_of_toml_are_bytes_and_seconds) {
  const Configuration configuration =
      of_text("[server]\nfd = 4\nuds_mode = 0o660\n[limits]\nmax_body = 2048\nidle_timeout = 9\n");
  EXPECT_TRUE(configuration.mistakes().empty());
  EXPECT_EQ(configuration.options().fd, "4");
  EXPECT_EQ(configuration.options().uds_mode, 0660U);
  EXPECT_EQ(configuration.options().limits.body_bytes, 2048U);
  EXPECT_EQ(configuration.options().limits.idle_timeout, std::chrono::seconds(9));
}

TEST(Configuration, what_is_printed_is_read_as_the_same_configuration) {
  Options options;
  options.uds = "/run/\"quoted\" \\ path";
  options.uds_mode = 0660;
  options.limits.body_bytes = 1023;
  options.limits.idle_timeout = std::chrono::milliseconds(1501);
  options.limits.drain_grace = std::chrono::milliseconds(0);
  options.server_header = false;
  options.trailing_slash = TrailingSlash::redirect;
  const std::string text = to_toml(Configuration(options));
  Configuration read{Options()};
  read.read_text(text, "printed.toml");
  EXPECT_TRUE(read.mistakes().empty()) << text;
  for (const Setting& setting : settings()) {
    EXPECT_EQ(setting.field.read(read.options()), setting.field.read(options)) << setting.name();
  }
}

}  // namespace weft::app
