#include "app/log/escape.hpp"

#include <algorithm>
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

// Copies what is plain, up to what is not or to the end; returns how much that is. Eight bytes may
// be written beyond it.
std::size_t copy_plain(char* out, std::string_view text) noexcept {
  std::size_t count = 0;
  for (; count + 8 <= text.size(); count += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + count, 8);
    if (is_any_marked(word)) break;
    std::memcpy(out + count, &word, 8);
  }
  for (; count < text.size() && class_of(text[count]) == plain; ++count) out[count] = text[count];
  return count;
}

char* put(char* out, std::string_view text) noexcept {
  return std::copy(text.begin(), text.end(), out);
}

char* put_code(char* out, std::string_view before, char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  out = put(out, before);
  *out++ = kDigits[byte >> 4];
  *out++ = kDigits[byte & 15];
  return out;
}

// Calls `rest` where a byte is not plain: it writes what stands for it, and takes that off the
// text.
template <class Rest>
char* put_with(char* out, std::string_view text, const Rest& rest) noexcept {
  const bool is_cut = text.size() > kMostLoggedBytes;
  text = text.substr(0, kMostLoggedBytes);
  while (!text.empty()) {
    const std::size_t count = copy_plain(out, text);
    out += count;
    text.remove_prefix(count);
    if (!text.empty()) out = rest(out, text);
  }
  return is_cut ? put(out, kCut) : out;
}

char* put_quoted(char* out, char c) noexcept {
  *out++ = '\\';
  *out++ = c;
  return out;
}

// A byte that is not plain, taken off the text.
char* put_byte(char* out, std::string_view& text) noexcept {
  const char c = text.front();
  text.remove_prefix(1);
  return c == '"' || c == '\\' ? put_quoted(out, c) : put_code(out, "\\x", c);
}

}  // namespace

char* put_escaped(char* out, std::string_view text) noexcept {
  return put_with(out, text, put_byte);
}

char* put_escaped_word(char* out, std::string_view text) noexcept {
  const bool is_cut = text.size() > kMostLoggedBytes;
  std::string_view left = text.substr(0, kMostLoggedBytes);
  while (!left.empty()) {
    const std::size_t blank = std::min(left.find(' '), left.size());
    out = put_escaped(out, left.substr(0, blank));
    left.remove_prefix(blank);
    if (left.empty()) break;
    out = put_code(out, "\\x", ' ');
    left.remove_prefix(1);
  }
  return is_cut ? put(out, kCut) : out;
}

char* put_json_escaped(char* out, std::string_view text) noexcept {
  return put_with(out, text, [](char* to, std::string_view& left) {
    const char c = left.front();
    const bool beyond = class_of(c) == beyond_ascii;
    const Utf8Sequence sequence = beyond ? utf8_sequence(left) : Utf8Sequence{1, true};
    const std::string_view taken = left.substr(0, sequence.length);
    left.remove_prefix(sequence.length);
    if (beyond) return put(to, sequence.valid ? taken : std::string_view("\\ufffd"));
    return c == '"' || c == '\\' ? put_quoted(to, c) : put_code(to, "\\u00", c);
  });
}

}  // namespace weft::app
