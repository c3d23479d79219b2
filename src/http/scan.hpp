// Scans over the bytes of a request head: where a name, a value or a target ends.
//
// Invariants: each takes the view's whole bytes and a position, and returns the first position at
// or after it that holds a byte of the wanted kind, or the view's size. No byte outside the view is
// read. scan::scalar says what is right; the vectorised twins must agree with it on every input.
// What ends in the first 16 bytes, as most does, is found in place; what is longer goes on with the
// scans of scan_wide.hpp, where the processor is asked what it has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/scan_wide.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>

#include <bit>
#endif

namespace weft::http::scan {

// Byte classes, one bit each.
enum ByteClass : std::uint8_t {
  token_byte = 1,   // RFC 9110 §5.6.2
  value_byte = 2,   // field values: visible, space, tab, and anything from 0x80
  target_byte = 4,  // request targets: visible ASCII except '#'
  host_byte = 8,    // RFC 3986 reg-name, without '%'
  hex_byte = 16,
};

consteval std::array<std::uint8_t, 256> make_byte_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool digit = byte >= '0' && byte <= '9';
    const bool letter = (byte | 0x20U) >= 'a' && (byte | 0x20U) <= 'z';
    const auto among = [byte](std::string_view set) {
      return set.find(static_cast<char>(byte)) != std::string_view::npos;
    };
    unsigned bits = 0;
    if (digit || letter || among("!#$%&'*+-.^_`|~")) bits |= token_byte;
    if ((byte >= 0x20 && byte != 0x7F) || byte == '\t') bits |= value_byte;
    if (byte > 0x20 && byte < 0x7F && byte != '#') bits |= target_byte;
    if (digit || letter || among("-._~!$&'()*+,;=")) bits |= host_byte;
    if (digit || ((byte | 0x20U) >= 'a' && (byte | 0x20U) <= 'f')) bits |= hex_byte;
    classes[byte] = static_cast<std::uint8_t>(bits);
  }
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> byte_classes = make_byte_classes();

[[nodiscard]] inline bool is(char byte, ByteClass wanted) {
  return (byte_classes[static_cast<unsigned char>(byte)] & wanted) != 0;
}

namespace scalar {

inline constexpr const char* name = "scalar";

[[nodiscard]] inline std::size_t skip(std::string_view bytes, std::size_t from, ByteClass wanted) {
  while (from < bytes.size() && is(bytes[from], wanted)) ++from;
  return from;
}

[[nodiscard]] inline std::size_t name_end(std::string_view bytes, std::size_t from) {
  return skip(bytes, from, token_byte);
}

[[nodiscard]] inline std::size_t value_end(std::string_view bytes, std::size_t from) {
  return skip(bytes, from, value_byte);
}

[[nodiscard]] inline std::size_t target_end(std::string_view bytes, std::size_t from) {
  return skip(bytes, from, target_byte);
}

[[nodiscard]] inline std::size_t host_end(std::string_view bytes, std::size_t from) {
  return skip(bytes, from, host_byte);
}

[[nodiscard]] inline std::size_t near_value_end(std::string_view bytes, std::size_t from) {
  return value_end(bytes, from);
}

[[nodiscard]] inline std::size_t near_target_end(std::string_view bytes, std::size_t from) {
  return target_end(bytes, from);
}

// The first '?' or '%'.
[[nodiscard]] inline std::size_t query_or_escape(std::string_view bytes, std::size_t from) {
  while (from < bytes.size() && bytes[from] != '?' && bytes[from] != '%') ++from;
  return from;
}

}  // namespace scalar

#if defined(__SSE2__)

namespace sse2 {

inline constexpr const char* name = "SSE2";
inline constexpr std::size_t width = 16;

[[nodiscard]] inline __m128i load(std::string_view bytes, std::size_t from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + from));
}

// The first byte from `from` on that `classify` marks in the bit mask of a window of 16 bytes, or
// the view's size. The last window begins earlier instead of reaching past the view, which must
// have 16 bytes. What lies behind the first window is left to `beyond`.
template <class Classify, class Beyond>
[[nodiscard]] inline std::size_t first_marked(std::string_view bytes, std::size_t from,
                                              Classify&& classify, Beyond&& beyond) {
  if (bytes.size() - from >= width) [[likely]] {
    const unsigned marks = classify(load(bytes, from));
    if (marks != 0) [[likely]]
      return from + static_cast<unsigned>(std::countr_zero(marks));
    return beyond(from + width);
  }
  if (from == bytes.size()) return from;
  const std::size_t begin = bytes.size() - width;
  const unsigned marks = classify(load(bytes, begin)) >> (from - begin);
  return marks == 0 ? bytes.size() : from + static_cast<unsigned>(std::countr_zero(marks));
}

// The same, window by window.
template <class Classify>
[[nodiscard]] inline std::size_t first_marked(std::string_view bytes, std::size_t from,
                                              Classify&& classify) {
  for (; bytes.size() - from > width; from += width) {
    const unsigned marks = classify(load(bytes, from));
    if (marks != 0) return from + static_cast<unsigned>(std::countr_zero(marks));
  }
  return first_marked(bytes, from, classify, [](std::size_t end) { return end; });
}

[[nodiscard]] inline __m128i equal(__m128i bytes, char wanted) {
  return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted));
}

// Bytes from `low` to `low + span`, unsigned.
[[nodiscard]] inline __m128i in_range(__m128i bytes, unsigned char low, unsigned char span) {
  const __m128i shifted = _mm_sub_epi8(bytes, _mm_set1_epi8(static_cast<char>(low)));
  const __m128i limit = _mm_set1_epi8(static_cast<char>(span));
  return _mm_cmpeq_epi8(_mm_min_epu8(shifted, limit), shifted);
}

[[nodiscard]] inline unsigned mask(__m128i bytes) {
  return static_cast<unsigned>(_mm_movemask_epi8(bytes));
}

// The bytes that end a value: control bytes other than the tab.
[[nodiscard]] inline unsigned controls(__m128i bytes) {
  const __m128i low = in_range(bytes, 0, 0x1F);
  return mask(_mm_or_si128(_mm_andnot_si128(equal(bytes, '\t'), low), equal(bytes, 0x7F)));
}

// The bytes that cannot stand in a target: all but visible ASCII, and '#'.
[[nodiscard]] inline unsigned no_target_bytes(__m128i bytes) {
  const __m128i visible = in_range(bytes, 0x21, 0x7E - 0x21);
  return ~mask(_mm_andnot_si128(equal(bytes, '#'), visible)) & 0xFFFFU;
}

// The bytes that names and hosts are made of in practice: letters, digits and hyphens.
[[nodiscard]] inline __m128i letters_digits_hyphens(__m128i bytes) {
  const __m128i letters = in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 25);
  const __m128i digits = in_range(bytes, '0', 9);
  return _mm_or_si128(_mm_or_si128(letters, digits), equal(bytes, '-'));
}

[[nodiscard]] inline std::size_t name_end(std::string_view bytes, std::size_t from) {
  if (bytes.size() < width) return scalar::name_end(bytes, from);
  const std::size_t end = first_marked(
      bytes, from, [](__m128i window) { return ~mask(letters_digits_hyphens(window)) & 0xFFFFU; });
  // Usually the colon; a rarer token byte leaves the rest to the table.
  if (end == bytes.size() || bytes[end] == ':') return end;
  return scalar::name_end(bytes, end);
}

[[nodiscard]] inline std::size_t host_end(std::string_view bytes, std::size_t from) {
  if (bytes.size() < width) return scalar::host_end(bytes, from);
  const std::size_t end = first_marked(bytes, from, [](__m128i window) {
    return ~mask(_mm_or_si128(letters_digits_hyphens(window), equal(window, '.'))) & 0xFFFFU;
  });
  // Usually a colon or the end; a rarer byte leaves the rest to the table.
  if (end == bytes.size() || bytes[end] == ':') [[likely]]
    return end;
  return scalar::host_end(bytes, end);
}

[[nodiscard]] inline std::size_t value_end(std::string_view bytes, std::size_t from) {
  if (bytes.size() < width) return scalar::value_end(bytes, from);
  return first_marked(bytes, from, controls);
}

[[nodiscard]] inline std::size_t near_value_end(std::string_view bytes, std::size_t from) {
  if (bytes.size() < WideScans::least_bytes) return value_end(bytes, from);
  return first_marked(bytes, from, controls,
                      [bytes](std::size_t end) { return wide_scans().value_end(bytes, end); });
}

[[nodiscard]] inline std::size_t target_end(std::string_view bytes, std::size_t from) {
  if (bytes.size() < width) return scalar::target_end(bytes, from);
  return first_marked(bytes, from, no_target_bytes);
}

[[nodiscard]] inline std::size_t near_target_end(std::string_view bytes, std::size_t from) {
  if (bytes.size() < WideScans::least_bytes) return target_end(bytes, from);
  return first_marked(bytes, from, no_target_bytes,
                      [bytes](std::size_t end) { return wide_scans().target_end(bytes, end); });
}

[[nodiscard]] inline std::size_t query_or_escape(std::string_view bytes, std::size_t from) {
  if (bytes.size() < width) return scalar::query_or_escape(bytes, from);
  return first_marked(bytes, from, [](__m128i window) {
    return mask(_mm_or_si128(equal(window, '?'), equal(window, '%')));
  });
}

}  // namespace sse2

namespace fastest = sse2;

#else

namespace fastest = scalar;

#endif

using fastest::host_end;
using fastest::name_end;
using fastest::query_or_escape;

[[nodiscard]] inline std::size_t value_end(std::string_view bytes, std::size_t from) {
  return fastest::near_value_end(bytes, from);
}

[[nodiscard]] inline std::size_t target_end(std::string_view bytes, std::size_t from) {
  return fastest::near_target_end(bytes, from);
}

}  // namespace weft::http::scan
