// The parser's assumptions are checked in every build, and one that does not hold is an exception:
// some malformed files break them, where it would otherwise abort, or go on with nonsense.
#undef NDEBUG
#include "app/toml_file.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace weft::app {
namespace {

struct BrokenAssumption {};

constexpr void assume(bool holds) {
  if (!holds) throw BrokenAssumption();
}

}  // namespace
}  // namespace weft::app

// The parser is compiled into this file alone, under a name of its own, so that it needs no library
// and is another than the one a program may have, too.
#define toml weft_toml
#define TOML_ASSERT(condition) ::weft::app::assume(static_cast<bool>(condition))
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

namespace weft::app {
namespace {

Place place_of(const toml::source_region& source) {
  Place place{source.begin.line, source.begin.column, 1};
  if (source.end.line == source.begin.line && source.end.column > source.begin.column) {
    place.width = source.end.column - source.begin.column;
  }
  return place;
}

TomlValue value_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string: return {node.as_string()->get()};
    case toml::node_type::boolean: return {node.as_boolean()->get()};
    case toml::node_type::floating_point: return {node.as_floating_point()->get()};
    case toml::node_type::integer: {
      const auto& integer = *node.as_integer();
      return {integer.get(), integer.flags() == toml::value_flags::format_as_octal};
    }
    case toml::node_type::table: return {OtherValue{"a table"}};
    case toml::node_type::array: return {OtherValue{"an array"}};
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: return {OtherValue{"a date or a time"}};
    case toml::node_type::none: break;
  }
  return {OtherValue{"nothing"}};
}

void add_entries(const toml::table& table, const std::string& section, TomlFile& file) {
  for (const auto& [key, node] : table) {
    file.entries.push_back({section, std::string(key.str()), value_of(node), place_of(key.source()),
                            place_of(node.source())});
  }
}

void add_all(const toml::table& root, TomlFile& file) {
  for (const auto& [key, node] : root) {
    const toml::table* const section = node.as_table();
    if (section == nullptr) {
      file.entries.push_back({"", std::string(key.str()), value_of(node), place_of(key.source()),
                              place_of(node.source())});
      continue;
    }
    file.entries.push_back({std::string(key.str()),
                            "",
                            {OtherValue{"a table"}},
                            place_of(key.source()),
                            place_of(key.source())});
    add_entries(*section, std::string(key.str()), file);
  }
  std::ranges::sort(file.entries, {}, [](const TomlEntry& entry) {
    return std::tuple(entry.key_place.line, entry.key_place.column);
  });
}

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

// A value of plain letters is most likely text whose quotes are missing.
std::string advice_for(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    const std::size_t first = line.find_first_not_of(" \t");
    const bool header = first != std::string_view::npos && line[first] == '[';
    return header ? "; write a section as [name]" : "; write a setting as key = value";
  }
  std::string_view value = line.substr(equals + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  value = value.substr(0, value.find('#'));
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t' || value.back() == '\r')) {
    value.remove_suffix(1);
  }
  constexpr std::size_t kLongest = 60;
  const bool bare =
      !value.empty() && value.size() <= kLongest && std::ranges::all_of(value, [](char byte) {
        return byte > ' ' && byte < 0x7f && byte != '"' && byte != '\'' && byte != '[' &&
               byte != '{' && byte != '\\' && byte != '=';
      });
  return bare ? "; text stands in quotes: \"" + std::string(value) + "\"" : std::string();
}

// Whether more than this line may be meant by what stands in it.
bool spans_lines(std::string_view line) { return line.find_first_of("[{") != line.npos; }

// Where the text in quotes that begins the line ends, behind its quote or with the line.
std::size_t end_of_quoted(std::string_view line) {
  const char quote = line.front();
  for (std::size_t at = 1; at < line.size(); ++at) {
    if (line[at] == quote) return at + 1;
    if (line[at] == '\\' && quote == '"') ++at;
  }
  return line.size();
}

// What the parser is not to see: text of several lines, which no setting takes, so that every line
// stands for itself; and letters beyond ASCII outside of quotes and comments, which TOML does not
// allow there, and at which the parser's own tables have undefined behaviour.
std::optional<TomlMistake> unwanted_in(std::string_view line, std::size_t number) {
  for (std::size_t at = 0; at < line.size() && line[at] != '#';) {
    const std::string_view rest = line.substr(at);
    if (rest.starts_with("\"\"\"") || rest.starts_with("'''")) {
      return TomlMistake{"text must be on one line, in one pair of quotes", {number, at + 1, 3}};
    }
    if ((static_cast<unsigned char>(line[at]) & 0x80) != 0) {
      return TomlMistake{"this is not TOML: a letter beyond ASCII stands in quotes only",
                         {number, characters_in(line.substr(0, at)) + 1, 1}};
    }
    at += line[at] == '"' || line[at] == '\'' ? end_of_quoted(rest) : 1;
  }
  return std::nullopt;
}

void blank(std::string& text, std::string_view line) {
  const auto at = static_cast<std::size_t>(line.data() - text.data());
  std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(at), line.size(), ' ');
}

void blank_unwanted(std::string& text, TomlFile& file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (std::size_t number = 1; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const auto line = std::string_view(text).substr(begin, end - begin);
    if (auto unwanted = unwanted_in(line, number)) {
      if (file.mistakes.size() < kMostMistakes) file.mistakes.push_back(std::move(*unwanted));
      blank(text, line);
    }
    begin = end + 1;
  }
}

// Nothing when the parser came upon what it believes to be impossible.
std::optional<toml::parse_result> parse(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const BrokenAssumption&) {
    return std::nullopt;
  }
}

// The first line with which that happens, which is the one that is wrong.
Place place_of_the_impossible(std::string_view text) {
  std::size_t good = 0;
  auto bad = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    const std::string_view line = line_of(text, middle + 1);
    const std::size_t size =
        line.data() == nullptr ? text.size() : static_cast<std::size_t>(line.data() - text.data());
    (parse(text.substr(0, size)) ? good : bad) = middle;
  }
  return {bad, 1, std::max<std::size_t>(line_of(text, bad).size(), 1)};
}

}  // namespace

std::string_view line_of(std::string_view text, std::size_t number) {
  for (; number > 1; --number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

TomlFile read_toml(std::string_view text) {
  TomlFile file;
  if (text.size() > kConfigBytes) {
    file.mistakes.push_back(
        {"the file is longer than " + std::to_string(kConfigBytes / 1024) + " KiB", {1, 1, 1}});
    file.meaningful = false;
    return file;
  }
  std::string rest(text);
  blank_unwanted(rest, file);
  while (file.mistakes.size() < kMostMistakes) {
    const auto parsed = parse(rest);
    if (parsed && *parsed) {
      add_all(parsed->table(), file);
      return file;
    }
    const Place place = parsed ? place_of(parsed->error().source()) : place_of_the_impossible(rest);
    const std::string_view line = line_of(rest, place.line);
    const std::string_view original = line_of(text, place.line);
    const bool blanked = line.find_first_not_of(' ') == std::string_view::npos;
    std::string said = parsed ? ": " + std::string(parsed->error().description()) : "";
    std::replace_if(
        said.begin(), said.end(), [](char byte) { return static_cast<unsigned char>(byte) < ' '; },
        '?');
    file.mistakes.push_back({"this is not TOML" + said + advice_for(original), place});
    if (blanked || spans_lines(line)) break;
    blank(rest, line);
  }
  file.meaningful = false;
  return file;
}

}  // namespace weft::app
