#include "app/middleware/idempotency_key.hpp"

#include <algorithm>

namespace weft::app {

std::optional<std::string> read_idempotency_key(std::string_view sent) {
  std::string key;
  if (!sent.starts_with('"')) {
    const bool is_plain = std::all_of(sent.begin(), sent.end(), [](char c) {
      return c > 0x20 && c < 0x7F && c != '"' && c != '\\' && c != ',' && c != ';';
    });
    if (!is_plain || sent.empty()) return std::nullopt;
    return std::string(sent);
  }
  for (std::size_t i = 1; i < sent.size(); ++i) {
    char c = sent[i];
    if (c == '"') {
      if (i + 1 != sent.size() || key.empty()) return std::nullopt;
      return key;
    }
    if (c == '\\') {
      if (++i == sent.size() || (sent[i] != '"' && sent[i] != '\\')) return std::nullopt;
      c = sent[i];
    }
    if (c < 0x20 || c >= 0x7F) return std::nullopt;
    key += c;
  }
  return std::nullopt;
}

}  // namespace weft::app
