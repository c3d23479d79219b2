#include "http/log_text.hpp"

#include <cstdio>

namespace weft::http {

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 1'000;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F && c != '\\') {
      out += c;
      continue;
    }
    out += "\\x";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  if (text.size() > kMost) out += "...";
  return out;
}

void log_to_stderr(const std::string& line) { std::fprintf(stderr, "weft: %s\n", line.c_str()); }

}  // namespace weft::http
