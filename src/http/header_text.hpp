// What field lines are made of (RFC 9110 §5.5, §5.6): checks on what a handler puts into a head, so
// that there is no way to smuggle a line break, and how elements are cut out of a value.
#pragma once

#include <string_view>

namespace weft::http {

// A non-empty token: a field name, a method.
[[nodiscard]] bool is_token(std::string_view text);

// A field value: no CR, LF, NUL or other control byte except the tab; may be empty.
[[nodiscard]] bool is_field_value(std::string_view text);

// The text without the spaces and tabs at its ends.
[[nodiscard]] std::string_view trim_blanks(std::string_view text);

// Takes the next element off a comma-separated list, without the blanks around it.
[[nodiscard]] std::string_view take_element(std::string_view& list);

}  // namespace weft::http
