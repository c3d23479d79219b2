#include "app/file_name.hpp"

#include <algorithm>

#include "app/utf8.hpp"

namespace weft::app {

namespace {

// File systems take 255; this leaves room for what an application puts around it.
constexpr std::size_t kMostBytes = 200;

bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  // U+0080 to U+009F, too.
  return first < 0x20 || first == 0x7F ||
         (first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0);
}

// RFC 8187 §3.2.1, attr-char.
bool is_attribute_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$&+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

std::string harmless_file_name(std::string_view name) {
  const std::size_t slash = name.find_last_of("/\\");
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  std::string made;
  while (!name.empty()) {
    const Utf8Sequence sequence = utf8_sequence(name);
    const std::string_view piece = name.substr(0, sequence.length);
    name.remove_prefix(sequence.length);
    if (made.empty() && (piece == "." || piece == " ")) continue;
    const bool kept = sequence.valid && !is_control(piece);
    if (made.size() + piece.size() > kMostBytes) break;
    made.append(kept ? piece : "_");
  }
  while (made.ends_with(' ') || made.ends_with('.')) made.pop_back();
  return made.empty() ? "file" : made;
}

std::string attachment(std::string_view name) {
  const std::string harmless = harmless_file_name(name);
  std::string plain;
  std::string encoded;
  bool is_plain = true;
  for (const char c : harmless) {
    const auto byte = static_cast<unsigned char>(c);
    const bool fits = byte < 0x80 && c != '"' && c != '%';
    is_plain = is_plain && fits;
    // Of a character beyond ASCII one underscore.
    if (fits) plain += c;
    if (!fits && (byte < 0x80 || byte >= 0xC0)) plain += '_';
    if (is_attribute_byte(c)) {
      encoded += c;
    } else {
      constexpr std::string_view digits = "0123456789ABCDEF";
      encoded.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  std::string value = "attachment; filename=\"" + plain + "\"";
  if (!is_plain) value += "; filename*=UTF-8''" + encoded;
  return value;
}

}  // namespace weft::app
