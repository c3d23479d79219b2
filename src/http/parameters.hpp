// The parameters of a field's value: `; name=value; name="quoted value"` (RFC 9110 §5.6.6).
//
// Invariants: strict, but that blanks may stand around semicolons and a last semicolon may have
// nothing behind it. A backslash in quotes stands for the quote or backslash behind it and else for
// itself, because clients have always sent the paths of Windows so. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace weft::http {

struct Parameter {
  std::string_view name;
  std::string value;
};

class Parameters {
 public:
  // `text` begins with a semicolon, or is empty.
  explicit Parameters(std::string_view text) noexcept : rest_(text) {}

  // False at the end, and where it is malformed.
  bool next(Parameter& parameter);
  [[nodiscard]] bool is_malformed() const noexcept { return malformed_; }

 private:
  bool refuse() noexcept;
  bool take_quoted(std::string& value);

  std::string_view rest_;
  bool malformed_ = false;
};

}  // namespace weft::http
