#include "app/log/access_format.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "app/flags.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/log_text.hpp"

namespace weft::app {

namespace {

using Kind = AccessPiece::Kind;

constexpr std::string_view kCommon = R"(%h %l %u %t "%r" %s %b)";
constexpr std::string_view kCombined = R"(%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i")";
// Longer ones are a mistake somewhere else.
constexpr std::size_t kMostBytes = 4 * 1024;

struct Directive {
  char letter;
  std::string_view argument;
  Kind kind;
};

constexpr std::array kDirectives{
    Directive{'h', "", Kind::remote_host},
    Directive{'a', "", Kind::remote_host},
    Directive{'a', "port", Kind::remote_port},
    Directive{'l', "", Kind::text},
    Directive{'u', "", Kind::user},
    Directive{'t', "", Kind::time_clf},
    Directive{'t', "iso", Kind::time_iso},
    Directive{'t', "sec", Kind::time_seconds},
    Directive{'t', "msec", Kind::time_millis},
    Directive{'t', "usec", Kind::time_micros},
    Directive{'r', "", Kind::request_line},
    Directive{'m', "", Kind::method},
    Directive{'U', "", Kind::path},
    Directive{'q', "", Kind::query},
    Directive{'H', "", Kind::protocol},
    Directive{'s', "", Kind::status},
    Directive{'b', "", Kind::bytes_or_dash},
    Directive{'B', "", Kind::bytes},
    Directive{'I', "body", Kind::request_bytes},
    Directive{'D', "", Kind::took_micros},
    Directive{'T', "", Kind::took_seconds},
    Directive{'T', "s", Kind::took_seconds},
    Directive{'T', "ms", Kind::took_millis},
    Directive{'T', "us", Kind::took_micros},
    Directive{'R', "", Kind::route},
    Directive{'X', "", Kind::connection_state},
};
// Those whose argument is a name.
constexpr std::array kNamed{
    std::pair{'i', Kind::request_field},
    std::pair{'o', Kind::answer_field},
    std::pair{'C', Kind::cookie},
};

bool is_known(char letter) {
  return std::ranges::find(kDirectives, letter, &Directive::letter) != kDirectives.end() ||
         std::ranges::find(kNamed, letter, &std::pair<char, Kind>::first) != kNamed.end();
}

std::string did_you_mean(std::string_view meant) {
  return meant.empty() ? std::string() : "; did you mean " + std::string(meant) + "?";
}

std::string no_such(char letter) {
  const bool shown = letter > 0x20 && letter < 0x7f;
  const std::string name = std::string("%") + (shown ? std::string(1, letter) : std::string("..."));
  const char other =
      letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : http::lower_case(letter);
  const std::string meant = other != letter && is_known(other) ? std::string("%") + other : "";
  return "there is no " + name + (meant.empty() ? "; write %% for a percent sign" : "") +
         did_you_mean(meant);
}

// What can stand in the braces of that letter.
std::vector<std::string_view> arguments_of(char letter) {
  std::vector<std::string_view> all;
  for (const Directive& one : kDirectives) {
    if (one.letter == letter && !one.argument.empty()) all.push_back(one.argument);
  }
  return all;
}

class PatternParser {
 public:
  explicit PatternParser(std::string_view pattern) : pattern_(pattern) {}

  std::variant<AccessFormat, FormatMistake> parse() {
    while (at_ < pattern_.size()) {
      const std::size_t percent = std::min(pattern_.find('%', at_), pattern_.size());
      add_text(pattern_.substr(at_, percent - at_));
      at_ = percent;
      if (at_ == pattern_.size()) break;
      if (auto mistake = take_directive()) return *mistake;
    }
    return std::move(format_);
  }

 private:
  void add_text(std::string_view text) {
    if (text.empty()) return;
    if (!format_.pieces.empty() && format_.pieces.back().kind == Kind::text) {
      format_.pieces.back().text += text;
    } else {
      format_.pieces.push_back({Kind::text, std::string(text)});
    }
  }

  static FormatMistake mistake(std::size_t at, std::string text) {
    return {at + 1, std::move(text)};
  }

  // From the percent sign on.
  std::optional<FormatMistake> take_directive() {
    const std::size_t begin = at_++;
    // As others have it: of several statuses the last.
    if (at_ < pattern_.size() && pattern_[at_] == '>') ++at_;
    std::optional<std::string_view> argument;
    if (at_ < pattern_.size() && pattern_[at_] == '{') {
      const std::size_t end = pattern_.find('}', at_);
      if (end == pattern_.npos) return mistake(at_, "the { is not closed; put a } behind the name");
      argument = pattern_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
    }
    if (at_ == pattern_.size()) {
      return mistake(begin, "a letter is missing behind the %; write %% for a percent sign");
    }
    const char letter = pattern_[at_++];
    if (letter == '%' && !argument) {
      add_text("%");
      return std::nullopt;
    }
    if (!is_known(letter)) return mistake(begin, no_such(letter));
    return argument ? take_with(begin, letter, *argument) : take_alone(begin, letter);
  }

  std::optional<FormatMistake> take_alone(std::size_t begin, char letter) {
    for (const Directive& one : kDirectives) {
      if (one.letter != letter || !one.argument.empty()) continue;
      if (one.kind == Kind::text) {
        add_text("-");
      } else {
        format_.pieces.push_back({one.kind, {}});
      }
      return std::nullopt;
    }
    const auto arguments = arguments_of(letter);
    const std::string example = arguments.empty() ? "Name" : std::string(arguments.front());
    return mistake(begin,
                   std::string("%") + letter + " needs a name, as in %{" + example + "}" + letter);
  }

  std::optional<FormatMistake> take_with(std::size_t begin, char letter,
                                         std::string_view argument) {
    for (const auto& [named, kind] : kNamed) {
      if (named != letter) continue;
      if (!http::is_token(argument)) {
        return mistake(begin + 1, "'" + http::printable(argument) + "' is no name of a " +
                                      (kind == Kind::cookie ? "cookie" : "header"));
      }
      std::string name(argument);
      if (kind != Kind::cookie) std::ranges::transform(name, name.begin(), http::lower_case);
      format_.pieces.push_back({kind, std::move(name)});
      return std::nullopt;
    }
    for (const Directive& one : kDirectives) {
      if (one.letter != letter || one.argument != argument) continue;
      format_.pieces.push_back({one.kind, {}});
      return std::nullopt;
    }
    const auto arguments = arguments_of(letter);
    const std::string_view near = nearest(argument, arguments);
    const std::string meant =
        near.empty() ? std::string() : "%{" + std::string(near) + "}" + letter;
    return mistake(begin + 1, "%" + std::string(1, letter) + " takes no {" +
                                  http::printable(argument) + "}" + did_you_mean(meant));
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  AccessFormat format_;
};

}  // namespace

std::variant<AccessFormat, FormatMistake> parse_access_format(std::string_view text) {
  if (text == "json") return AccessFormat{true, {}};
  if (text == "common") return PatternParser(kCommon).parse();
  if (text == "combined") return PatternParser(kCombined).parse();
  if (text.size() > kMostBytes) {
    return FormatMistake{kMostBytes,
                         "a pattern has at most " + std::to_string(kMostBytes) + " bytes"};
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return FormatMistake{i + 1, "a control byte"};
  }
  if (text.find('%') == text.npos) {
    return FormatMistake{1, "it is neither common, combined nor json, and a pattern has a %" +
                                did_you_mean(nearest(text, {"common", "combined", "json"}))};
  }
  return PatternParser(text).parse();
}

std::string access_format_mistake(std::string_view text) {
  const auto parsed = parse_access_format(text);
  const auto* const mistake = std::get_if<FormatMistake>(&parsed);
  if (mistake == nullptr) return {};
  return "column " + std::to_string(mistake->column) + ": " + mistake->text;
}

}  // namespace weft::app
