// Request methods: the ones the server knows, and sets of them.
//
// Invariants: plain values. The set's text is the value of an `Allow` field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::http {

enum class Method : std::uint8_t {
  get,
  head,
  post,
  put,
  patch,
  delete_,
  options,
  trace,
  connect,
  unknown,
};

inline constexpr std::size_t method_count = static_cast<std::size_t>(Method::unknown);

// The method's token; "UNKNOWN" for Method::unknown.
[[nodiscard]] std::string_view name(Method method);

// The method with exactly this token (methods are case-sensitive), or Method::unknown.
[[nodiscard]] Method method_from(std::string_view token);

class MethodSet {
 public:
  constexpr MethodSet() = default;

  constexpr void add(Method method) { bits_ |= bit(method); }
  constexpr void add(MethodSet other) { bits_ |= other.bits_; }

  [[nodiscard]] constexpr bool contains(Method method) const { return (bits_ & bit(method)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr bool operator==(const MethodSet&) const = default;

  // "GET, HEAD, POST", in the order of the enumeration.
  [[nodiscard]] std::string allow_text() const;

 private:
  static constexpr std::uint16_t bit(Method method) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(method));
  }

  std::uint16_t bits_ = 0;
};

}  // namespace weft::http
