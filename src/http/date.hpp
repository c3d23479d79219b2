// The date format of HTTP fields (IMF-fixdate, RFC 9110 §5.6.7), without locale or time zone.
#pragma once

#include <cstddef>
#include <ctime>

namespace weft::http {

inline constexpr std::size_t http_date_length = 29;

// Writes "Sun, 06 Nov 1994 08:49:37 GMT", with no terminator. Years 0 to 9999; others are clamped.
void format_http_date(std::time_t when, char out[http_date_length]);

}  // namespace weft::http
