// Flags: the long options of one program or command, parsed straight into its variables.
//
// Each flag names the variable it fills, or the function that takes its value; the variable keeps
// its value where the flag is absent. Variables must outlive parse(). `--name value` and
// `--name=value` are the same; behind `--` no word is a flag. What is wrong with the words is told
// on standard error with what to do about it. For the main thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::app {

using Arguments = std::span<const std::string_view>;

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

// How a flag looks to people.
struct FlagText {
  std::string_view name;  // without the dashes
  std::string help;
};

struct NumberRange {
  unsigned least;
  unsigned most;
};

class Flags {
 public:
  // `program` as people type it: "weft demo".
  Flags(std::string_view program, std::string_view summary)
      : program_(program), summary_(summary) {}

  Flags& toggle(const FlagText& text, bool& target);
  Flags& text(const FlagText& text, std::string_view placeholder, std::string& target);
  Flags& number(const FlagText& text, NumberRange range, unsigned& target);
  Flags& choice(const FlagText& text, std::vector<std::string_view> choices, std::string& target);
  // Takes a value: what is wrong with it, or nothing.
  using Take = std::function<std::optional<std::string>(std::string_view value)>;
  Flags& value(const FlagText& text, std::string_view placeholder, Take take);
  // The same for true and false, which may also be said as `--name` and `--no-name`.
  Flags& on_or_off(const FlagText& text, Take take);
  // A word without dashes, which has to be there. `name` as the help shows it: "DIR".
  Flags& word(const FlagText& text, std::string& target);
  // A heading of the help, for the flags behind it.
  Flags& heading(std::string title);

  // The exit status to return at once (after --help, or a mistake), or nothing: go on.
  [[nodiscard]] std::optional<int> parse(Arguments arguments) const;

 private:
  struct Toggle {
    bool* target;
  };
  struct Text {
    std::string_view placeholder;
    std::string* target;
  };
  struct Number {
    NumberRange range;
    unsigned* target;
  };
  struct Choice {
    std::vector<std::string_view> choices;
    std::string* target;
  };
  struct Taken {
    std::string_view placeholder;
    Take take;
    bool on_or_off = false;
  };
  struct Heading {};
  struct Flag {
    FlagText text;
    std::variant<Toggle, Text, Number, Choice, Taken, Heading> kind;
  };
  struct Word {
    FlagText text;
    std::string* target;
  };

  const Flag* find(std::string_view name) const;
  std::string unknown(std::string_view word) const;
  // What is wrong with the value, or nothing when it was taken.
  static std::optional<std::string> take(const Flag& flag, std::string_view value);
  // What is wrong with the flag at that place, which is moved to its value if that is a word.
  std::optional<std::string> take_flag(Arguments arguments, std::size_t& index) const;
  std::optional<std::string> take_alone(const Flag& flag) const;
  int complain(const std::string& mistake) const;
  std::string help() const;

  std::string_view program_;
  std::string_view summary_;
  std::vector<Flag> flags_;
  std::vector<Word> words_;
};

// Rows of a help text: `left`, and from a column on `right`, in lines of at most 80 columns.
std::string help_row(std::string left, std::string_view right);

// The candidate that `word` was most likely meant to be, or an empty view when none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace weft::app
