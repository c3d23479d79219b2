// The table of settings: complete, without contradictions, and the same as the documentation's.
#include "app/settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace weft::app {
namespace {

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The names of the fields of a struct, as its header has them.
std::vector<std::string> fields_of(const std::string& header, const std::string& name) {
  const std::string text = text_of_file(WEFT_SOURCE_DIR "/include/weft/" + header);
  const std::size_t begin = text.find("struct " + name + " {");
  const std::string body = text.substr(begin, text.find("\n};", begin) - begin);
  std::vector<std::string> names;
  const std::regex field(R"(\n  (?:[\w:]+) (\w+)(?: = [^;(]*|\{[^}]*\})?;)");
  for (std::sregex_iterator found(body.begin(), body.end(), field), end; found != end; ++found) {
    names.push_back((*found)[1]);
  }
  return names;
}

// Another value than that, within what the setting takes.
Value changed(const Setting& setting, const Value& value) {
  if (setting.kind == Kind::choice) {
    return std::string(std::get<std::string>(value) == setting.choices[0] ? setting.choices[1]
                                                                          : setting.choices[0]);
  }
  if (setting.kind == Kind::descriptor) return std::string("systemd");
  if (setting.kind == Kind::networks) return std::string("loopback, 10.0.0.0/8");
  if (setting.kind == Kind::log_format) return std::string("json");
  if (std::holds_alternative<std::string>(value)) return std::string("changed");
  if (setting.kind == Kind::toggle) return 1 - std::get<std::uint64_t>(value);
  return std::get<std::uint64_t>(value) == setting.range.most ? setting.range.most - 1
                                                              : setting.range.most;
}

}  // namespace

TEST(Settings, every_field_of_the_options_and_limits_has_one_row) {
  std::vector<std::string> wanted;
  for (const std::string& name : fields_of("app.hpp", "Options")) {
    // The one holds others, and the other says where the rest was read.
    if (name != "limits" && name != "config") wanted.push_back(name);
  }
  EXPECT_GT(wanted.size(), 12U);
  const std::vector<std::string> limits = fields_of("limits.hpp", "Limits");
  EXPECT_GT(limits.size(), 15U);
  for (const std::string& name : limits) wanted.push_back("limits." + name);
  std::map<std::string, int> rows;
  for (const Setting& setting : settings()) ++rows[std::string(setting.field.name)];
  for (const std::string& name : wanted) EXPECT_EQ(rows[name], 1) << name;
}

TEST(Settings, each_changes_the_field_it_names_and_no_other) {
  const Options defaults;
  for (const Setting& setting : settings()) {
    Options options;
    const Value before = setting.field.read(defaults);
    const Value wanted = changed(setting, before);
    ASSERT_NE(wanted, before) << setting.key;
    setting.field.write(options, wanted);
    for (const Setting& other : settings()) {
      const Value expected = &other == &setting ? wanted : other.field.read(defaults);
      EXPECT_EQ(other.field.read(options), expected)
          << other.name() << " after a change of " << setting.name();
    }
  }
}

TEST(Settings, fields_have_the_names_of_the_members_they_are) {
  Options options;
  find_setting("server", "stack_size")->field.write(options, std::uint64_t{1});
  find_setting("limits", "max_body")->field.write(options, std::uint64_t{2});
  find_setting("limits", "idle_timeout")->field.write(options, std::uint64_t{3});
  find_setting("log", "quiet")->field.write(options, std::uint64_t{1});
  find_setting("server", "trailing_slash")->field.write(options, std::string("ignore"));
  EXPECT_EQ(options.stack_bytes, 1U);
  EXPECT_EQ(options.limits.body_bytes, 2U);
  EXPECT_EQ(options.limits.idle_timeout.count(), 3);
  EXPECT_TRUE(options.quiet);
  EXPECT_EQ(options.trailing_slash, TrailingSlash::ignore);
}

TEST(Settings, keys_variables_and_flags_are_unique_and_made_from_each_other) {
  std::set<std::string> keys;
  for (const Setting& setting : settings()) {
    EXPECT_TRUE(keys.insert(std::string(setting.key)).second) << setting.key;
    EXPECT_NE(std::ranges::find(sections(), setting.section), sections().end()) << setting.key;
    std::string flag(setting.key);
    std::ranges::replace(flag, '_', '-');
    EXPECT_EQ(setting.flag, flag);
    std::string variable;
    for (const char letter : setting.key) {
      variable += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    }
    EXPECT_EQ(setting.variable, "WEFT_" + variable);
    EXPECT_FALSE(setting.help.empty()) << setting.key;
  }
}

TEST(Settings, the_text_of_every_value_is_read_back_as_that_value) {
  const Options defaults;
  for (const Setting& setting : settings()) {
    const Value usual = setting.field.read(defaults);
    std::vector<Value> values{usual, changed(setting, usual)};
    if (!std::holds_alternative<std::string>(usual) && setting.kind != Kind::toggle) {
      values.push_back(setting.range.least);
      values.push_back(setting.range.most);
    }
    for (const Value& value : values) {
      const auto read = parse_value(setting, text_of(setting, value));
      ASSERT_TRUE(read) << setting.name() << " = " << text_of(setting, value);
      EXPECT_EQ(*read, value) << setting.name();
    }
  }
}

struct Written {
  const char* key;
  const char* text;
  std::uint64_t number;
};

TEST(Settings, numbers_have_units) {
  const Written written[] = {
      {"max_body", "0", 0},
      {"max_body", "1", 1},
      {"max_body", "1B", 1},
      {"max_body", "3KiB", 3072},
      {"max_body", "2MiB", 2U << 20},
      {"max_body", "1GiB", 1U << 30},
      {"max_body", "1TiB", 1ULL << 40},
      {"idle_timeout", "7", 7000},
      {"idle_timeout", "1ms", 1},
      {"idle_timeout", "90s", 90'000},
      {"idle_timeout", "2m", 120'000},
      {"idle_timeout", "24h", 86'400'000},
      {"max_connections", "0100", 100},
      {"uds_mode", "0660", 0660},
      {"uds_mode", "777", 0777},
      {"quiet", "true", 1},
      {"quiet", "false", 0},
  };
  for (const auto& [key, text, number] : written) {
    for (const Setting& setting : settings()) {
      if (setting.key != key) continue;
      EXPECT_EQ(parse_value(setting, text), std::optional<Value>(number)) << key << " " << text;
    }
  }
}

struct Refused {
  const char* section;
  const char* key;
  const char* text;
  const char* message;
};

TEST(Settings, every_kind_of_bad_value_is_refused_and_told_what_is_expected) {
  const std::string size =
      "limits.max_body must be a size from 0 to 1024TiB, such as 64KiB, 1MiB or a number of "
      "bytes, ";
  const std::string time =
      "limits.idle_timeout must be a time from 1ms to 24h, such as 500ms, 10s, 5m or a number of "
      "seconds, ";
  const std::string mode =
      "server.uds_mode must be permissions in octal digits from 0000 to 0777, such as 0660, ";
  const std::string fd = "server.fd must be the number of a descriptor, systemd or systemd:NAME, ";
  const std::string networks =
      "server.trusted_proxies must be addresses, networks such as 10.0.0.0/8, loopback, private or "
      "unix, with commas between them, ";
  const std::string backend = "server.backend must be one of auto, io_uring, epoll, ";
  const std::string port = "server.port must be a number from 0 to 65535, ";
  const std::vector<std::pair<Refused, std::string>> cases{
      {{"server", "port", "65536", "not '65536'"}, port},
      {{"server", "port", "-1", "not '-1'"}, port},
      {{"server", "port", "", "not ''"}, port},
      {{"server", "port", "8o", "not '8o'"}, port},
      {{"server", "port", "1e3", "not '1e3'"}, port},
      {{"server", "port", "99999999999999999999", "not '99999999999999999999'"}, port},
      {{"limits", "max_body", "1MB", "not '1MB'; did you mean 1MiB?"}, size},
      {{"limits", "max_body", "1 kib", "not '1 kib'; did you mean 1KiB?"}, size},
      {{"limits", "max_body", "many", "not 'many'"}, size},
      {{"limits", "max_body", "-1KiB", "not '-1KiB'"}, size},
      {{"limits", "max_body", "99999999999TiB", "not '99999999999TiB'"}, size},
      {{"limits", "idle_timeout", "0", "not '0'"}, time},
      {{"limits", "idle_timeout", "25h", "not '25h'"}, time},
      {{"limits", "idle_timeout", "10sec", "not '10sec'; did you mean 10s?"}, time},
      {{"limits", "idle_timeout", "5 min", "not '5 min'; did you mean 5m?"}, time},
      {{"limits", "idle_timeout", "20 millis", "not '20 millis'; did you mean 20ms?"}, time},
      {{"limits", "idle_timeout", "99999999999999999h", "not '99999999999999999h'"}, time},
      {{"server", "uds_mode", "0668", "not '0668'"}, mode},
      {{"server", "uds_mode", "01777", "not '01777'"}, mode},
      {{"server", "uds_mode", "rw", "not 'rw'"}, mode},
      {{"server", "fd", "-1", "not '-1'"}, fd},
      {{"server", "fd", "systemd:", "not 'systemd:'; did you mean systemd?"}, fd},
      {{"server", "fd", "sytemd", "not 'sytemd'; did you mean systemd?"}, fd},
      {{"server", "trusted_proxies", "10.0.0.0/33", "not '10.0.0.0/33'"}, networks},
      {{"server", "trusted_proxies", "::1, localhost", "not '::1, localhost'"}, networks},
      {{"server", "trusted_proxies", "::1\n", "not '::1\\x0a'"}, networks},
      {{"server", "backend", "iouring", "not 'iouring'; did you mean io_uring?"}, backend},
      {{"server", "backend", "", "not ''"}, backend},
      {{"log", "quiet", "on", "not 'on'; did you mean true?"}, "log.quiet must be true or false, "},
      {{"log", "quiet", "no", "not 'no'; did you mean false?"},
       "log.quiet must be true or false, "},
      {{"server", "host", "a\nb", "not 'a\\x0ab'"},
       "server.host must be text that can be printed, "},
      {{"server", "uds", "\x7f", "not '\\x7f'"}, "server.uds must be text that can be printed, "},
      {{"log", "access_log_format", "%h %S",
        "not '%h %S': column 4: there is no %S; did you mean %s?"},
       "log.access_log_format must be common, combined, json or a pattern such as %h %t \"%r\" %s "
       "%b %D, "},
  };
  for (const auto& [refused, expectation] : cases) {
    const Setting* const setting = find_setting(refused.section, refused.key);
    ASSERT_NE(setting, nullptr) << refused.key;
    EXPECT_FALSE(parse_value(*setting, refused.text)) << refused.key << " " << refused.text;
    EXPECT_EQ(refusal(*setting, setting->name(), refused.text), expectation + refused.message);
  }
}

TEST(Settings, of_a_long_value_a_part_is_repeated) {
  const Setting& setting = *find_setting("server", "port");
  EXPECT_LT(refusal(setting, "--port", std::string(100'000, 'x')).size(), 200U);
}

// One row: | `key` | kind | default | `variable` | `--flag` | `field` | what |
TEST(Settings, the_documentation_lists_every_one_with_its_default_and_names) {
  const std::string text = text_of_file(WEFT_SOURCE_DIR "/docs/configuration.md");
  std::map<std::string, std::string> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    // Those of `[app]` are an application's own.
    if (!line.starts_with("| `") || line.starts_with("| `[")) continue;
    const std::string key = line.substr(3, line.find('`', 3) - 3);
    EXPECT_TRUE(rows.emplace(key, line).second) << key << " is there twice";
  }
  const Options defaults;
  for (const Setting& setting : settings()) {
    const std::string usual = text_of(setting, setting.field.read(defaults));
    const std::string expected = "| `" + std::string(setting.key) + "` | " +
                                 (usual.empty() ? "" : "`" + usual + "` ") + "| `" +
                                 setting.variable + "` | `--" + setting.flag + "` | `" +
                                 std::string(setting.field.name) + "` | ";
    const std::string row = rows[std::string(setting.key)];
    EXPECT_TRUE(row.starts_with(expected)) << "expected: " << expected << "\nthere is: " << row;
    EXPECT_GT(row.size(), expected.size() + 10) << setting.key;
    rows.erase(std::string(setting.key));
  }
  EXPECT_TRUE(rows.empty()) << "there is no setting " << rows.begin()->first;
}

}  // namespace weft::app
