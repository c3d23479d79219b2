// AccessFormat: what a line of the access log looks like, taken apart once.
//
// Immutable once made; any thread may read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::app {

struct AccessPiece {
  enum class Kind : std::uint8_t {
    text,             // also %l, which nobody knows
    remote_host,      // %h, %a
    remote_port,      // %{port}a
    user,             // %u
    time_clf,         // %t
    time_iso,         // %{iso}t
    time_seconds,     // %{sec}t
    time_millis,      // %{msec}t
    time_micros,      // %{usec}t
    request_line,     // %r
    method,           // %m
    path,             // %U
    query,            // %q, with the question mark
    protocol,         // %H
    status,           // %s, %>s
    bytes_or_dash,    // %b
    bytes,            // %B
    request_bytes,    // %{body}I
    took_micros,      // %D
    took_seconds,     // %T
    took_millis,      // %{ms}T
    request_field,    // %{Name}i
    answer_field,     // %{Name}o
    cookie,           // %{name}C
    route,            // %R
    connection_state  // %X
  };

  Kind kind = Kind::text;
  std::string text;  // or a name, a header's in lower case
};

// What is wrong with a pattern, and the column, from 1 on, where that begins.
struct FormatMistake {
  std::size_t column = 1;
  std::string text;
};

struct AccessFormat {
  bool json = false;
  std::vector<AccessPiece> pieces;  // where it is not
};

// "common", "combined", "json" or a pattern.
std::variant<AccessFormat, FormatMistake> parse_access_format(std::string_view text);
// The mistake as a sentence, or an empty text: "column 4: there is no %Q; did you mean %q?"
std::string access_format_mistake(std::string_view text);

}  // namespace weft::app
