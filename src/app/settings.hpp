// Settings: the one table of everything that can be configured, from which come the keys of the
// configuration file, the variables of the environment, the flags, --help, `weft check` and
// `weft config`, and with which a test compares docs/configuration.md.
//
// A row more: put the field into Options (or Limits) with its default, add one line to the table in
// settings.cpp, and one to the table in docs/configuration.md. Nothing else knows single settings;
// the tests name what is missing. A field of a struct inside Options is said with the path to it,
// `at<&Options::limits, &Limits::head_bytes>("limits.head_bytes")`. A key is unique in all of the
// file, because from it come the variable and the flag: max_body, WEFT_MAX_BODY, --max-body.
//
// The table is made once and never changes; any thread may read it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weft/app.hpp"

namespace weft::app {

enum class Kind : std::uint8_t {
  text,        // bytes that can be printed
  number,      // a whole number
  size,        // bytes, "64KiB"
  duration,    // milliseconds, "1500ms"
  toggle,      // true or false
  choice,      // one of `choices`
  mode,        // permission bits in octal digits, "0660"; empty: none given
  networks,    // addresses and networks, see http/trusted_proxies.hpp; empty: none
  descriptor,  // see fd_wish.hpp; empty: none given
  log_format,  // of an access log, see log/access_format.hpp
};

// Text, or a number in the smallest unit of its kind.
using Value = std::variant<std::uint64_t, std::string>;

// The field of Options that a setting is.
struct Field {
  std::string_view name;  // as C++ has it: "limits.head_bytes"
  Value (*read)(const Options& options);
  void (*write)(Options& options, const Value& value);
};

struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

// Settings of one group say the same thing in different ways; a source may use one of them.
enum class ListensOn : std::uint8_t { nothing, address, path, descriptor };

struct Setting {
  std::string_view section;
  std::string_view key;
  Kind kind;
  Field field;
  std::string_view help;
  std::string_view placeholder;
  Range range;
  std::vector<std::string_view> choices;
  ListensOn listens_on = ListensOn::nothing;

  std::string variable;  // WEFT_MAX_BODY
  std::string flag;      // max-body
  // "limits.max_body"
  std::string name() const { return std::string(section) + "." + std::string(key); }
};

std::span<const Setting> settings();
// Of the file, in the order of the table.
std::span<const std::string_view> sections();
std::string_view section_help(std::string_view section);
const Setting* find_setting(std::string_view section, std::string_view key);

// What a setting takes, to be put behind "must be".
std::string expected(const Setting& setting);
// The value that the text says, or nothing when it makes no sense or is out of range.
std::optional<Value> parse_value(const Setting& setting, std::string_view text);
bool in_range(const Setting& setting, std::uint64_t number);
// What is wrong with the text: "--port must be a number from 0 to 65535, not '65536'".
std::string refusal(const Setting& setting, std::string_view name, std::string_view text);
// "; did you mean 1MiB?", or nothing.
std::string suggestion(const Setting& setting, std::string_view text);
// As people write it, and as parse_value() takes it.
std::string text_of(const Setting& setting, const Value& value);
// The same as a value of TOML.
std::string toml_of(const Setting& setting, const Value& value);

}  // namespace weft::app
