// Where a text that is no JSON goes wrong. Asked only when a parser has refused it.
//
// Invariants: takes time in proportion to the text and memory in proportion to `depth`. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "weft/json_document.hpp"

namespace weft::app {

// Nothing for what is JSON within the limits (duplicate names are not looked for).
[[nodiscard]] std::optional<JsonError> find_json_error(std::string_view text,
                                                       const JsonLimits& limits);

// The error at that place.
[[nodiscard]] JsonError json_error_at(std::string_view text, std::size_t offset,
                                      std::string message);

}  // namespace weft::app
