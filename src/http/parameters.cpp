#include "http/parameters.hpp"

#include <algorithm>

#include "http/header_text.hpp"

namespace weft::http {

bool Parameters::refuse() noexcept {
  malformed_ = true;
  return false;
}

bool Parameters::take_quoted(std::string& value) {
  rest_.remove_prefix(1);
  while (!rest_.empty()) {
    const char byte = rest_.front();
    rest_.remove_prefix(1);
    if (byte == '"') return true;
    const bool escapes = byte == '\\' && (rest_.starts_with('"') || rest_.starts_with('\\'));
    value += escapes ? rest_.front() : byte;
    if (escapes) rest_.remove_prefix(1);
  }
  return false;
}

bool Parameters::next(Parameter& parameter) {
  if (malformed_) return false;
  rest_ = trim_blanks(rest_);
  if (rest_.empty()) return false;
  if (rest_.front() != ';') return refuse();
  rest_ = trim_blanks(rest_.substr(1));
  if (rest_.empty()) return false;
  const std::size_t equals = rest_.find('=');
  if (equals == std::string_view::npos) return refuse();
  parameter.name = rest_.substr(0, equals);
  parameter.value.clear();
  if (!is_token(parameter.name)) return refuse();
  rest_.remove_prefix(equals + 1);
  if (rest_.starts_with('"')) return take_quoted(parameter.value) || refuse();
  const std::string_view value = rest_.substr(0, rest_.find_first_of("; \t"));
  if (!is_token(value)) return refuse();
  parameter.value = value;
  rest_.remove_prefix(value.size());
  return true;
}

}  // namespace weft::http
