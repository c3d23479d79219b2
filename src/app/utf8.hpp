// What is well-formed UTF-8 (Unicode 15, table 3-7).
//
// Invariants: looks at no byte outside the text. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace weft::app {

struct Utf8Sequence {
  std::size_t length;  // of the sequence, or of the part of it that can be told to be broken
  bool valid;
};

// The sequence that the text, which is not empty, begins with.
[[nodiscard]] Utf8Sequence utf8_sequence(std::string_view text);

// Whether all of it is well-formed.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace weft::app
