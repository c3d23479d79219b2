#include "app/log/escape.hpp"

#include <array>
#include <cstdint>
#include <cstring>

#include "app/utf8.hpp"

namespace weft::app {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kCut = "...";

enum Class : std::uint8_t { plain, special, beyond_ascii };

constexpr std::array<Class, 256> kClasses = [] {
  std::array<Class, 256> classes{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const bool marked = byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\';
    classes[byte] = byte >= 0x80 ? beyond_ascii : marked ? special : plain;
  }
  return classes;
}();

Class class_of(char c) noexcept { return kClasses[static_cast<unsigned char>(c)]; }

// Eight bytes at a time: whether one of them is not plain.
bool is_any_marked(std::uint64_t word) noexcept {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
  constexpr std::uint64_t kHighs = 0x80 * kOnes;
  const auto has = [word](std::uint64_t byte) {
    const std::uint64_t differs = word ^ (kOnes * byte);
    return (differs - kOnes) & ~differs;
  };
  const std::uint64_t below_space = (word - kOnes * 0x20) & ~word;
  return ((word | below_space | has('"') | has('\\') | has(0x7f)) & kHighs) != 0;
}

std::size_t plain_bytes(std::string_view text) noexcept {
  std::size_t count = 0;
  while (count + 8 <= text.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + count, 8);
    if (is_any_marked(word)) break;
    count += 8;
  }
  while (count < text.size() && class_of(text[count]) == plain) ++count;
  return count;
}

void append_code(LineText& line, std::string_view before, char c) {
  const auto byte = static_cast<unsigned char>(c);
  const std::array<char, 2> digits{kDigits[byte >> 4], kDigits[byte & 15]};
  line.append(before);
  line.append({digits.data(), digits.size()});
}

// Calls `rest` where a byte is not plain; it takes that off the text.
template <class Rest>
void append_with(LineText& line, std::string_view text, const Rest& rest) {
  const bool is_cut = text.size() > kMostLoggedBytes;
  text = text.substr(0, kMostLoggedBytes);
  while (!text.empty()) {
    const std::size_t count = plain_bytes(text);
    line.append(text.substr(0, count));
    text.remove_prefix(count);
    if (!text.empty()) rest(text);
  }
  if (is_cut) line.append(kCut);
}

}  // namespace

void append_escaped(LineText& line, std::string_view text) {
  append_with(line, text, [&line](std::string_view& left) {
    const char c = left.front();
    if (c == '"' || c == '\\') {
      line.append("\\");
      line.append(left.substr(0, 1));
    } else {
      append_code(line, "\\x", c);
    }
    left.remove_prefix(1);
  });
}

void append_json_escaped(LineText& line, std::string_view text) {
  append_with(line, text, [&line](std::string_view& left) {
    const char c = left.front();
    std::size_t taken = 1;
    if (class_of(c) == beyond_ascii) {
      const Utf8Sequence sequence = utf8_sequence(left);
      taken = sequence.length;
      line.append(sequence.valid ? left.substr(0, taken) : std::string_view("\\ufffd"));
    } else if (c == '"' || c == '\\') {
      line.append("\\");
      line.append(left.substr(0, 1));
    } else {
      append_code(line, "\\u00", c);
    }
    left.remove_prefix(taken);
  });
}

}  // namespace weft::app
