#include <weft/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "app/utf8.hpp"

namespace weft {

namespace {

class StringOutput {
 public:
  explicit StringOutput(std::string& out) : out_(out) {}
  void put(char byte) { out_ += byte; }
  void put(std::string_view text) { out_ += text; }
  void put_described(const JsonValue& value) { value.write_described(out_); }

 private:
  std::string& out_;
};

// Writes what fits and counts everything.
class BoundedOutput {
 public:
  BoundedOutput(char* out, std::size_t capacity) : out_(out), capacity_(capacity) {}

  void put(char byte) {
    if (needed_ < capacity_) out_[needed_] = byte;
    ++needed_;
  }
  void put(std::string_view text) {
    if (needed_ < capacity_) {
      std::memcpy(out_ + needed_, text.data(), std::min(text.size(), capacity_ - needed_));
    }
    needed_ += text.size();
  }
  void put_described(const JsonValue& value) {
    std::string text;
    value.write_described(text);
    put(std::string_view(text));
  }
  [[nodiscard]] std::size_t needed() const { return needed_; }

 private:
  char* out_;
  std::size_t capacity_;
  std::size_t needed_ = 0;
};

// Plain bytes are written as they are: printable ASCII except the quote and the backslash.
[[nodiscard]] bool is_plain(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value >= 0x20 && value < 0x80 && byte != '"' && byte != '\\';
}

// True if each of eight bytes is plain. In the usual bit tricks a borrow can only turn a plain byte
// into a suspect, which is then looked at by itself.
[[nodiscard]] bool are_plain8(const char* bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  const std::uint64_t quotes = word ^ (ones * '"');
  const std::uint64_t backslashes = word ^ (ones * '\\');
  const std::uint64_t suspects =
      word | (word - ones * 0x20) | (quotes - ones) | (backslashes - ones);
  return (suspects & (ones * 0x80)) == 0;
}

[[nodiscard]] std::size_t plain_prefix(std::string_view text) {
  std::size_t length = 0;
  while (text.size() - length >= 8 && are_plain8(text.data() + length)) length += 8;
  while (length < text.size() && is_plain(text[length])) ++length;
  return length;
}

template <class Output>
void write_escaped(Output& out, char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr std::string_view named = "\"\\\b\f\n\r\t";
  constexpr std::string_view letters = "\"\\bfnrt";
  if (const std::size_t index = named.find(byte); index != std::string_view::npos) {
    const char escape[] = {'\\', letters[index]};
    out.put(std::string_view(escape, sizeof escape));
    return;
  }
  const auto value = static_cast<unsigned char>(byte);
  const char escape[] = {'\\', 'u', '0', '0', digits[value >> 4], digits[value & 0xFU]};
  out.put(std::string_view(escape, sizeof escape));
}

template <class Output>
void write_string(Output& out, std::string_view text) {
  out.put('"');
  for (;;) {
    const std::size_t plain = plain_prefix(text);
    if (plain != 0) out.put(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (static_cast<unsigned char>(text.front()) < 0x80) {
      write_escaped(out, text.front());
      text.remove_prefix(1);
      continue;
    }
    const app::Utf8Sequence sequence = app::utf8_sequence(text);
    out.put(sequence.valid ? text.substr(0, sequence.length) : "\xEF\xBF\xBD");
    text.remove_prefix(sequence.length);
  }
  out.put('"');
}

template <class Output, class Number>
void write_number(Output& out, Number number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.put(std::string_view(text.data(), static_cast<std::size_t>(end - text.data())));
}

template <class Output>
void write(Output& out, const JsonValue& value);

template <class Output>
void write_array(Output& out, const JsonValue& array) {
  out.put('[');
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (i != 0) out.put(',');
    write(out, array.elements()[i].value);
  }
  out.put(']');
}

template <class Output>
void write_object(Output& out, const JsonValue& object) {
  out.put('{');
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (i != 0) out.put(',');
    write_string(out, object.members()[i].name);
    out.put(':');
    write(out, object.members()[i].value);
  }
  out.put('}');
}

template <class Output>
void write(Output& out, const JsonValue& value) {
  switch (value.kind()) {
    case JsonValue::Kind::null: return out.put(std::string_view("null"));
    case JsonValue::Kind::boolean:
      return out.put(std::string_view(value.boolean() ? "true" : "false"));
    case JsonValue::Kind::signed_integer: return write_number(out, value.signed_integer());
    case JsonValue::Kind::unsigned_integer: return write_number(out, value.unsigned_integer());
    case JsonValue::Kind::number:
      if (!std::isfinite(value.number())) return out.put(std::string_view("null"));
      return write_number(out, value.number());
    case JsonValue::Kind::string: return write_string(out, value.string());
    case JsonValue::Kind::array: return write_array(out, value);
    case JsonValue::Kind::object: return write_object(out, value);
    case JsonValue::Kind::described: return out.put_described(value);
  }
}

}  // namespace

bool detail::holds_described(const JsonValue& value) noexcept {
  const auto holds = [](const auto& one) { return holds_described(one.value); };
  switch (value.kind()) {
    case JsonValue::Kind::described: return true;
    case JsonValue::Kind::array:
      return std::any_of(value.elements(), value.elements() + value.size(), holds);
    case JsonValue::Kind::object:
      return std::any_of(value.members(), value.members() + value.size(), holds);
    default: return false;
  }
}

void write_json(const JsonValue& value, std::string& out) {
  StringOutput output(out);
  write(output, value);
}

std::size_t write_json(const JsonValue& value, char* out, std::size_t capacity) {
  BoundedOutput output(out, capacity);
  write(output, value);
  return output.needed();
}

}  // namespace weft
