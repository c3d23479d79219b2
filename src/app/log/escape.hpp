// Bytes from outside, made fit for a line of a log.
//
// Invariants: nothing that is written holds a line break, a control byte, or a byte of which a
// reader could not tell where the text ends. What is longer than kMostLoggedBytes is cut, and
// "..." says so. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace weft::app {

// Of one value. Longer ones are attacks, or can be found by the part that is there.
inline constexpr std::size_t kMostLoggedBytes = 2048;

// Each writes the text at `out`, and returns where it ends. There must be room for
// escaped_bound() bytes of it, some of which may be written without being used.
inline std::size_t escaped_bound(std::size_t text) noexcept { return 6 * text + 16; }
// For a text in quotes: \" and \\, and \xhh for what is no printable ASCII.
char* put_escaped(char* out, std::string_view text) noexcept;
// For one that stands between blanks: the same, and \x20 for a blank.
char* put_escaped_word(char* out, std::string_view text) noexcept;
// For a JSON string, without the quotes; what is no UTF-8 becomes U+FFFD.
char* put_json_escaped(char* out, std::string_view text) noexcept;

}  // namespace weft::app
