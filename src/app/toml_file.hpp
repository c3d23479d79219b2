// TomlFile: what a configuration file says, as sections of keys with values and where each stands.
//
// Knows TOML and no setting. Behind a line that is not TOML reading goes on with the next one, so
// that one look shows every mistake. Bounded in size, depth and number of mistakes. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::app {

// A configuration of every setting with a comment for each is a tenth of this.
inline constexpr std::size_t kConfigBytes = 64 * 1024;
// Who sees so many has the wrong file.
inline constexpr std::size_t kMostMistakes = 50;

// Counted from 1, in characters; `width` is how many of them are meant.
struct Place {
  std::size_t line = 0;
  std::size_t column = 0;
  std::size_t width = 1;
};

// A value that no setting takes, such as an array, by what it is.
struct OtherValue {
  std::string_view kind;
};

struct TomlValue {
  std::variant<bool, std::int64_t, double, std::string, OtherValue> value;
  bool written_in_octal = false;
};

struct TomlEntry {
  std::string section;  // empty: above the first one
  std::string key;      // empty: the section itself
  TomlValue value;
  Place key_place;
  Place value_place;
};

struct TomlMistake {
  std::string text;
  Place place;
};

struct TomlFile {
  std::vector<TomlEntry> entries;  // in the order of the lines
  std::vector<TomlMistake> mistakes;
  // False when so much of it is not TOML that what the rest means is anybody's guess.
  bool meaningful = true;
};

TomlFile read_toml(std::string_view text);

// The line of that number, without its end.
std::string_view line_of(std::string_view text, std::size_t number);

}  // namespace weft::app
