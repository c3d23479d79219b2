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

const Flags::Flag* Flags::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(flags_, [&](const Flag& flag) { return flag.text.name == name; });
  return found == flags_.end() ? nullptr : &*found;
}

std::string Flags::unknown(std::string_view word) const {
  std::vector<std::string_view> names{"help"};
  for (const Flag& flag : flags_) names.push_back(flag.text.name);
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
      },
      flag.kind);
}

std::optional<int> Flags::parse(Arguments arguments) const {
  for (std::size_t index = 0; index < arguments.size(); ++index) {
    const std::string_view word = arguments[index];
    if (word == "--help" || word == "-h") {
      print_help();
      return kExitDone;
    }
    const std::size_t equals = word.find('=');
    const std::string_view dashed_name = word.substr(0, equals);
    const Flag* const flag = dashed_name.starts_with("--") ? find(dashed_name.substr(2)) : nullptr;
    if (flag == nullptr) return complain(unknown(dashed_name));
    if (const auto* toggle = std::get_if<Toggle>(&flag->kind);
        toggle != nullptr && equals == std::string_view::npos) {
      *toggle->target = true;
      continue;
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else if (index + 1 < arguments.size()) {
      value = arguments[++index];
    } else {
      return complain(std::string(word) + " needs a value");
    }
    if (const auto mistake = take(*flag, value)) return complain(*mistake);
  }
  return std::nullopt;
}

int Flags::complain(const std::string& mistake) const {
  std::fprintf(stderr, "%.*s: %s\nRun `%.*s --help` for what it takes.\n",
               static_cast<int>(program_.size()), program_.data(), mistake.c_str(),
               static_cast<int>(program_.size()), program_.data());
  return kExitUsage;
}

void Flags::print_help() const {
  std::string help =
      "usage: " + std::string(program_) + " [flags]\n\n" + std::string(summary_) + ".\n\nflags:\n";
  const auto row = [&help](std::string left, std::string_view right) {
    constexpr std::size_t kColumn = 36;
    left.resize(std::max(kColumn, left.size() + 2), ' ');
    help += left + std::string(right) + "\n";
  };
  for (const Flag& flag : flags_) {
    std::string left = "  " + dashed(flag.text.name);
    if (const auto* text = std::get_if<Text>(&flag.kind)) {
      left += " " + std::string(text->placeholder);
    } else if (std::holds_alternative<Number>(flag.kind)) {
      left += " N";
    } else if (const auto* choice = std::get_if<Choice>(&flag.kind)) {
      left += " " + joined(choice->choices);
      std::erase(left, ' ');
      std::ranges::replace(left, ',', '|');
      left = "  " + dashed(flag.text.name) + "=" + left.substr(flag.text.name.size() + 2);
    }
    row(std::move(left), flag.text.help);
  }
  row("  --help", "this text");
  std::fputs(help.c_str(), stdout);
}

}  // namespace weft::app
