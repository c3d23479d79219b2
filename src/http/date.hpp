// Dates in HTTP fields (RFC 9110 §5.6.7), without locale or time zone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

namespace weft::http {

inline constexpr std::size_t http_date_length = 29;

// Writes "Sun, 06 Nov 1994 08:49:37 GMT", with no terminator. Years 0 to 9999; others are clamped.
void format_http_date(std::time_t when, char out[http_date_length]);

// Seconds since 1970, of the form that is written and of the two that were written once. Nothing
// for what is none of them; the day of the week is not checked.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace weft::http
