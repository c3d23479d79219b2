// Status codes: reason phrases, and status lines ready to be copied into a response.
//
// Invariants: the texts are static. A code outside the registered ones has an empty line; whoever
// sends such a code writes the line itself.
#pragma once

#include <string_view>

namespace weft::http {

// "Not Found"; empty for a code that is not registered.
[[nodiscard]] std::string_view reason_phrase(int status);

// "HTTP/1.1 404 Not Found\r\n"; empty for a code that is not registered.
[[nodiscard]] std::string_view status_line(int status);

// Whether a response with this status can have body bytes (not 1xx, 204, 205, 304). A 205 says so
// with a Content-Length of 0 (RFC 9110 §15.3.6), the others say nothing about a length.
[[nodiscard]] constexpr bool allows_body(int status) {
  return status >= 200 && status != 204 && status != 205 && status != 304;
}

}  // namespace weft::http
