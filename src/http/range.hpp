// What a Range field asks of a representation of known size (RFC 9110 §14.1 and §14.2).
//
// Invariants: a pure function of the field's value and the size; nothing allocates. The ranges of
// the result lie inside the representation, are not empty, and neither overlap nor touch each
// other, so that all of them together are never longer than the whole, whatever was asked for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::http {

struct ByteRange {
  std::uint64_t offset;
  std::uint64_t length;

  bool operator==(const ByteRange&) const = default;
};

enum class RangeState : std::uint8_t {
  ignored,        // answer with the whole, as if there were no Range field
  satisfiable,    // answer 206 with these ranges
  unsatisfiable,  // answer 416
};

struct ByteRanges {
  static constexpr std::size_t capacity = 16;

  ByteRanges() {}  // NOLINT: leaves `ranges` untouched on purpose

  RangeState state = RangeState::ignored;
  std::size_t count = 0;
  std::array<ByteRange, capacity> ranges;
};

// Ignored, as §14.2 allows, are: another unit than bytes, a value that is malformed in any part,
// and one with more than `most_ranges` elements (empty ones count; never more than the capacity).
// Ranges that overlap or touch become one, in the place of the first of them. A representation
// of no bytes has nothing to select from: a suffix of it is the whole, anything else is 416.
[[nodiscard]] ByteRanges parse_ranges(std::string_view value, std::uint64_t size,
                                      std::size_t most_ranges = ByteRanges::capacity);

}  // namespace weft::http
