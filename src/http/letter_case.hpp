// ASCII letters in lower case, which is how names of fields, hosts and schemes are compared.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace weft::http {

constexpr char lower_case(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

inline std::string in_lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), lower_case);
  return text;
}

// Where one of both is known to be in lower case, equals_ignoring_case() does less.
inline bool equal_in_any_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower_case, lower_case);
}

}  // namespace weft::http
