#include "app/json_scan.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "app/utf8.hpp"

namespace weft::app {

namespace {

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

class Scan {
 public:
  Scan(std::string_view text, const JsonLimits& limits) : text_(text), depth_(limits.depth) {}

  std::optional<JsonError> run() {
    if (value() && at_ == text_.size()) return std::nullopt;
    if (message_.empty()) message_ = "something is left behind the value";
    return json_error_at(text_, at_, std::move(message_));
  }

 private:
  bool fail(std::string message) {
    message_ = std::move(message);
    return false;
  }
  bool fail_at(std::size_t offset, std::string message) {
    at_ = offset;
    return fail(std::move(message));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool take(char wanted) {
    if (peek() != wanted || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  // A value with all that is in it, and the blanks behind it; `open_` stands for the recursion.
  bool value() {
    for (;;) {
      skip_blanks();
      if (peek() == '{' || peek() == '[') {
        const char open = text_[at_];
        if (open_.size() == depth_) return fail("more levels than " + std::to_string(depth_));
        ++at_;
        open_.push_back(open == '{' ? '}' : ']');
        skip_blanks();
        if (!take(open_.back())) {
          if (open == '{' && !name()) return false;
          continue;
        }
        open_.pop_back();
      } else if (!scalar()) {
        return false;
      }
      if (!leave()) return false;
      if (open_.empty()) return true;
    }
  }
  // Behind a value: closes what ends there, and takes the comma before the next.
  bool leave() {
    for (;;) {
      skip_blanks();
      if (open_.empty()) return true;
      if (take(open_.back())) {
        open_.pop_back();
        continue;
      }
      if (!take(',')) return fail(std::string("a comma or ") + open_.back() + " is missing");
      skip_blanks();
      return open_.back() != '}' || name();
    }
  }
  bool name() {
    if (peek() != '"') return fail("a name in double quotes is missing");
    if (!string()) return false;
    skip_blanks();
    return take(':') || fail("a colon is missing behind a name");
  }
  bool scalar() {
    if (at_ == text_.size()) return fail("the text ends where a value should be");
    if (peek() == '"') return string();
    if (peek() == '-' || is_digit(peek())) return number();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return true;
    }
    return fail("no value begins like this");
  }
  bool string() {
    const std::size_t begin = at_++;
    while (at_ < text_.size()) {
      const char byte = text_[at_];
      if (byte == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(byte) < 0x20) return fail("a control byte within a string");
      if (byte == '\\') {
        if (!escape()) return false;
        continue;
      }
      const Utf8Sequence sequence = utf8_sequence(text_.substr(at_));
      if (!sequence.valid) return fail("bytes that are not UTF-8");
      at_ += sequence.length;
    }
    return fail_at(begin, "a string does not end");
  }
  std::optional<unsigned> code_unit(std::size_t at) const {
    unsigned unit = 0;
    const std::string_view digits = text_.substr(std::min(at, text_.size()), 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    if (error != std::errc{} || digits.size() != 4 || end != digits.data() + 4) return std::nullopt;
    return unit;
  }
  bool escape() {
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (kind != 'u') {
      if (kind == '\0' || std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
        return fail("an escape that there is not");
      }
      at_ += 2;
      return true;
    }
    const auto unit = code_unit(at_ + 2);
    if (!unit) return fail("\\u without four hexadecimal digits");
    if (*unit >= 0xDC00 && *unit <= 0xDFFF) return fail("half of a surrogate pair");
    if (*unit >= 0xD800 && *unit <= 0xDBFF) {
      const auto low = text_.substr(at_ + 6).starts_with("\\u") ? code_unit(at_ + 8) : std::nullopt;
      if (!low || *low < 0xDC00 || *low > 0xDFFF) return fail("half of a surrogate pair");
      at_ += 6;
    }
    at_ += 6;
    return true;
  }
  bool digits() {
    if (!is_digit(peek())) return fail("a digit is missing");
    while (is_digit(peek())) ++at_;
    return true;
  }
  bool number() {
    const std::size_t begin = at_;
    bool is_integer = true;
    take('-');
    if (take('0')) {
      if (is_digit(peek())) return fail("a number with a leading zero");
    } else if (!digits()) {
      return false;
    }
    if (take('.')) {
      is_integer = false;
      if (!digits()) return false;
    }
    if (take('e') || take('E')) {
      is_integer = false;
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    const std::string_view rest = text_.substr(at_, 1);
    if (!rest.empty() && std::string_view(" \t\r\n,]}:").find(rest[0]) == std::string_view::npos) {
      return fail("a number does not go on like this");
    }
    if (in_range(text_.substr(begin, at_ - begin), is_integer)) return true;
    return fail_at(
        begin, is_integer ? "an integer of more than 64 bits" : "a number that no double reaches");
  }
  static bool in_range(std::string_view number, bool is_integer) {
    const char* const end = number.data() + number.size();
    std::int64_t negative = 0;
    std::uint64_t positive = 0;
    double real = 0;
    if (!is_integer) {
      const auto done = std::from_chars(number.data(), end, real);
      // Too small is zero, too large has an exponent that says so.
      if (done.ec == std::errc{}) return std::isfinite(real);
      return number.find("e-") != std::string_view::npos ||
             number.find("E-") != std::string_view::npos || !has_large_value(number);
    }
    const auto done = number.starts_with('-') ? std::from_chars(number.data(), end, negative)
                                              : std::from_chars(number.data(), end, positive);
    return done.ec == std::errc{};
  }
  // Of a number out of range, without an exponent below zero.
  static bool has_large_value(std::string_view number) {
    const std::string_view whole = number.substr(0, number.find_first_of(".eE"));
    return whole.find_first_of("123456789") != std::string_view::npos ||
           number.find_first_of("eE") != std::string_view::npos;
  }

  std::string_view text_;
  std::size_t depth_;
  std::size_t at_ = 0;
  std::string message_;
  std::vector<char> open_;  // what closes each level
};

}  // namespace

JsonError json_error_at(std::string_view text, std::size_t offset, std::string message) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  JsonError error;
  error.message = std::move(message);
  error.line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  error.column = 1 + (newline == std::string_view::npos ? offset : offset - newline - 1);
  error.offset = offset;
  return error;
}

std::optional<JsonError> find_json_error(std::string_view text, const JsonLimits& limits) {
  return Scan(text, limits).run();
}

}  // namespace weft::app
