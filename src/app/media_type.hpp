// What a Content-Type says (RFC 9110 §8.3.1).
//
// Invariants: a view into the field's value. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weft::app {

struct MediaType {
  std::string_view essence;     // "text/html", in the case it was sent in
  std::string_view parameters;  // what stands behind the first semicolon

  // `name` in lower case.
  [[nodiscard]] bool is(std::string_view name) const;
  // application/…+json (RFC 6839).
  [[nodiscard]] bool is_json_dialect() const;
  // The parameter's value, unquoted; nothing when it is missing, malformed or there twice. `name`
  // in lower case.
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
};

[[nodiscard]] MediaType media_type(std::string_view value);

}  // namespace weft::app
