// Trailers: the fields behind a chunked body (RFC 9110 §6.5), as text of one line each.
#pragma once

#include <optional>
#include <string_view>

namespace weft::http {

// Of lines that a ChunkedDecoder has checked: the first value of that name, in any case. A field
// that belongs into the head is never found.
[[nodiscard]] std::optional<std::string_view> find_trailer(std::string_view lines,
                                                           std::string_view name);

// Throws std::invalid_argument when name or value could break out of a line, or when the name is
// one that belongs into the head.
void require_trailer(std::string_view name, std::string_view value);

}  // namespace weft::http
