#include "app/flags.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <numeric>
#include <utility>

namespace weft::app {
namespace {

// How many letters must be added, dropped, changed or swapped with the next to make one word of the
// other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  std::vector<std::size_t> above(row);      // for one letter of `from` less
  std::vector<std::size_t> two_above(row);  // for two less
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::swap(two_above, above);
    std::swap(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
  }
  return row.back();
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

std::string dashed(std::string_view name) { return "--" + std::string(name); }

// The words in lines of at most 80 columns, all but the first indented.
std::string wrapped(std::string_view words, std::size_t indent) {
  // One less, for what ends a sentence.
  constexpr std::size_t kColumns = 79;
  std::string text;
  std::size_t column = indent;
  while (!words.empty()) {
    const std::size_t blank = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, blank);
    words.remove_prefix(std::min(blank + 1, words.size()));
    if (column > indent && column + 1 + word.size() > kColumns) {
      text += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text;
}

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  // A third of the letters wrong still looks like the word; more is another word.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    const bool shortened = word.size() >= 3 && candidate.find(word) != std::string_view::npos;
    if (distance < best_distance || (shortened && best.empty())) {
      best = candidate;
      best_distance = std::min(best_distance, distance);
    }
  }
  return best;
}

Flags& Flags::toggle(const FlagText& text, bool& target) {
  flags_.push_back({text, Toggle{&target}});
  return *this;
}

Flags& Flags::text(const FlagText& text, std::string_view placeholder, std::string& target) {
  flags_.push_back({text, Text{placeholder, &target}});
  return *this;
}

Flags& Flags::number(const FlagText& text, NumberRange range, unsigned& target) {
  flags_.push_back({text, Number{range, &target}});
  return *this;
}

Flags& Flags::choice(const FlagText& text, std::vector<std::string_view> choices,
                     std::string& target) {
  flags_.push_back({text, Choice{std::move(choices), &target}});
  return *this;
}

Flags& Flags::value(const FlagText& text, std::string_view placeholder, Take take) {
  flags_.push_back({text, Taken{placeholder, std::move(take)}});
  return *this;
}

Flags& Flags::on_or_off(const FlagText& text, Take take) {
  flags_.push_back({text, Taken{{}, std::move(take), true}});
  return *this;
}

Flags& Flags::word(const FlagText& text, std::string& target) {
  words_.push_back({text, &target});
  return *this;
}

Flags& Flags::heading(std::string title) {
  flags_.push_back({{{}, std::move(title)}, Heading{}});
  return *this;
}

const Flags::Flag* Flags::find(std::string_view name) const {
  const auto found = std::ranges::find_if(flags_, [&](const Flag& flag) {
    return flag.text.name == name && !std::holds_alternative<Heading>(flag.kind);
  });
  return found == flags_.end() ? nullptr : &*found;
}

std::string Flags::unknown(std::string_view word) const {
  std::vector<std::string_view> names{"help"};
  for (const Flag& flag : flags_) {
    if (!std::holds_alternative<Heading>(flag.kind)) names.push_back(flag.text.name);
  }
  if (!word.starts_with('-')) {
    const std::string_view meant = nearest(word, names);
    return "'" + std::string(word) + "' is not a flag" +
           (meant.empty() ? std::string() : "; did you mean " + dashed(meant) + "?");
  }
  const std::string_view name = word.substr(std::min(word.find_first_not_of('-'), word.size()));
  const std::string_view meant = nearest(name, names);
  return "there is no flag " + std::string(word) +
         (meant.empty() ? std::string() : "; did you mean " + dashed(meant) + "?");
}

std::optional<std::string> Flags::take(const Flag& flag, std::string_view value) {
  const std::string name = dashed(flag.text.name);
  const std::string given = ", not '" + std::string(value) + "'";
  return std::visit(
      Overloaded{
          [&](const Toggle&) -> std::optional<std::string> {
            return name + " takes no value; write it alone";
          },
          [&](const Text& text) -> std::optional<std::string> {
            if (value.empty()) return name + " needs a value: " + std::string(text.placeholder);
            *text.target = value;
            return std::nullopt;
          },
          [&](const Number& number) -> std::optional<std::string> {
            unsigned parsed = 0;
            const char* const end = value.data() + value.size();
            const auto [stop, error] = std::from_chars(value.data(), end, parsed);
            if (value.empty() || error != std::errc{} || stop != end ||
                parsed < number.range.least || parsed > number.range.most) {
              return name + " must be a number from " + std::to_string(number.range.least) +
                     " to " + std::to_string(number.range.most) + given;
            }
            *number.target = parsed;
            return std::nullopt;
          },
          [&](const Choice& choice) -> std::optional<std::string> {
            if (std::ranges::find(choice.choices, value) == choice.choices.end()) {
              const std::string_view meant = nearest(value, choice.choices);
              return name + " must be one of " + joined(choice.choices) + given +
                     (meant.empty() ? std::string() : "; did you mean " + std::string(meant) + "?");
            }
            *choice.target = value;
            return std::nullopt;
          },
          [&](const Taken& taken) { return taken.take(value); },
          [&](const Heading&) -> std::optional<std::string> { return std::nullopt; },
      },
      flag.kind);
}

std::optional<std::string> Flags::take_alone(const Flag& flag) const {
  if (const auto* toggle = std::get_if<Toggle>(&flag.kind)) {
    *toggle->target = true;
    return std::nullopt;
  }
  return std::get<Taken>(flag.kind).take("true");
}

std::optional<std::string> Flags::take_flag(Arguments arguments, std::size_t& index) const {
  const std::string_view word = arguments[index];
  const std::size_t equals = word.find('=');
  const std::string_view dashed_name = word.substr(0, equals);
  const std::string_view name =
      dashed_name.starts_with("--") ? dashed_name.substr(2) : std::string_view();
  const Flag* const flag = name.empty() ? nullptr : find(name);
  if (flag == nullptr) {
    const bool off = name.starts_with("no-") && equals == std::string_view::npos;
    const Flag* const positive = off ? find(name.substr(3)) : nullptr;
    const auto* taken = positive != nullptr ? std::get_if<Taken>(&positive->kind) : nullptr;
    return taken != nullptr && taken->on_or_off ? taken->take("false") : unknown(dashed_name);
  }
  if (equals != std::string_view::npos) return take(*flag, word.substr(equals + 1));
  const auto* taken = std::get_if<Taken>(&flag->kind);
  if (std::holds_alternative<Toggle>(flag->kind) || (taken != nullptr && taken->on_or_off)) {
    return take_alone(*flag);
  }
  if (index + 1 == arguments.size()) return std::string(word) + " needs a value";
  return take(*flag, arguments[++index]);
}

std::optional<int> Flags::parse(Arguments arguments) const {
  std::size_t words = 0;
  bool flags_ended = false;
  for (std::size_t index = 0; index < arguments.size(); ++index) {
    const std::string_view word = arguments[index];
    if (!flags_ended && (word == "--help" || word == "-h")) {
      std::fputs(help().c_str(), stdout);
      return kExitDone;
    }
    if (!flags_ended && word == "--") {
      flags_ended = true;
    } else if ((flags_ended || !word.starts_with('-')) && words < words_.size()) {
      *words_[words++].target = word;
    } else if (flags_ended) {
      return complain("there is one word too many: '" + std::string(word) + "'");
    } else if (const auto mistake = take_flag(arguments, index)) {
      return complain(*mistake);
    }
  }
  if (words < words_.size()) {
    const FlagText& missing = words_[words].text;
    return complain(std::string(missing.name) + " is missing: " + missing.help);
  }
  return std::nullopt;
}

int Flags::complain(const std::string& mistake) const {
  std::fprintf(stderr, "%.*s: %s\nRun `%.*s --help` for what it takes.\n",
               static_cast<int>(program_.size()), program_.data(), mistake.c_str(),
               static_cast<int>(program_.size()), program_.data());
  return kExitUsage;
}

std::string help_row(std::string left, std::string_view right) {
  constexpr std::size_t kRight = 32;
  std::string text = std::move(left);
  std::size_t column = text.size();
  // At least two blanks between the two.
  if (column + 2 > kRight) {
    text += "\n";
    column = 0;
  }
  text.append(kRight - column, ' ');
  return text + wrapped(right, kRight) + "\n";
}

std::string Flags::help() const {
  std::string text = "usage: " + std::string(program_);
  for (const Word& word : words_) text += " " + std::string(word.text.name);
  text += " [flags]\n\n" + wrapped(summary_, 0) + ".\n";
  if (!words_.empty()) text += "\n";
  for (const Word& word : words_) {
    text += help_row("  " + std::string(word.text.name), word.text.help);
  }
  if (flags_.empty() || !std::holds_alternative<Heading>(flags_.front().kind)) text += "\nflags:\n";
  for (const Flag& flag : flags_) {
    std::string left = "  " + dashed(flag.text.name);
    std::string right = flag.text.help;
    if (std::holds_alternative<Heading>(flag.kind)) {
      text += "\n" + flag.text.help + ":\n";
      continue;
    }
    if (const auto* named = std::get_if<Text>(&flag.kind)) {
      left += " " + std::string(named->placeholder);
    } else if (std::holds_alternative<Number>(flag.kind)) {
      left += " N";
    } else if (const auto* choice = std::get_if<Choice>(&flag.kind)) {
      left += " NAME";
      right += ": " + joined(choice->choices);
    } else if (const auto* taken = std::get_if<Taken>(&flag.kind)) {
      if (!taken->on_or_off) left += " " + std::string(taken->placeholder);
    }
    text += help_row(std::move(left), right);
  }
  return text + help_row("  --help", "this text");
}

}  // namespace weft::app
