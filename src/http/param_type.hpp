// ParamType: what a parameter of a route may look like, as in `{id:int}`.
//
// A type is asked about the segment as it was sent, without decoding. Where several types fit the
// same segment, the one that comes first here wins. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::http {

enum class ParamType : std::uint8_t {
  uint,   // decimal digits, of a number that fits 64 bits
  int_,   // the same, or with a minus sign in front
  uuid,   // 8-4-4-4-12 hexadecimal digits, in either case
  hex,    // hexadecimal digits, as many as there are
  alpha,  // ASCII letters
};

inline constexpr std::size_t param_type_count = static_cast<std::size_t>(ParamType::alpha) + 1;

[[nodiscard]] std::string_view name(ParamType type);
// The type with this name, as patterns spell it.
[[nodiscard]] std::optional<ParamType> param_type_from(std::string_view name);
[[nodiscard]] bool fits(ParamType type, std::string_view segment);

}  // namespace weft::http
