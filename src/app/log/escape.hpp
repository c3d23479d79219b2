// Bytes from outside, made fit for a line of a log.
//
// Invariants: nothing that is appended holds a line break, a control byte, or a byte of which a
// reader could not tell where the text ends. What is longer than kMostLoggedBytes is cut, and
// "..." says so. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/response.hpp"

namespace weft::app {

// Of one value. Longer ones are attacks, or can be found by the part that is there.
inline constexpr std::size_t kMostLoggedBytes = 2048;

// Most lines have room for this on the stack.
using LineText = http::SmallText<1024>;

// For a text in quotes: \" and \\, and \xhh for what is no printable ASCII.
void append_escaped(LineText& line, std::string_view text);
// For a JSON string, without the quotes; what is no UTF-8 becomes U+FFFD.
void append_json_escaped(LineText& line, std::string_view text);

}  // namespace weft::app
