#include "http/param_type.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "http/scan.hpp"

namespace weft::http {

namespace {

constexpr std::array<std::string_view, param_type_count> names = {"uint", "int", "uuid", "hex",
                                                                  "alpha"};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
bool is_letter(char byte) { return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'; }
bool is_hex_digit(char byte) { return scan::is(byte, scan::hex_byte); }

// std::from_chars takes no plus sign and no space, so what it takes whole is what we want.
template <class Number>
bool is_number(std::string_view text) {
  if (text.empty() || !is_digit(text.back())) return false;
  Number number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_uuid(std::string_view text) {
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const auto agrees = [](char byte, char wanted) {
    return wanted == '-' ? byte == '-' : is_hex_digit(byte);
  };
  return std::equal(text.begin(), text.end(), shape.begin(), shape.end(), agrees);
}

}  // namespace

std::string_view name(ParamType type) { return names[static_cast<std::size_t>(type)]; }

std::optional<ParamType> param_type_from(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<ParamType>(found - names.begin());
}

bool fits(ParamType type, std::string_view segment) {
  if (segment.empty()) return false;
  switch (type) {
    case ParamType::uint: return is_number<std::uint64_t>(segment);
    case ParamType::int_: return is_number<std::int64_t>(segment);
    case ParamType::uuid: return is_uuid(segment);
    case ParamType::hex: return std::all_of(segment.begin(), segment.end(), is_hex_digit);
    case ParamType::alpha: return std::all_of(segment.begin(), segment.end(), is_letter);
  }
  return false;
}

}  // namespace weft::http
