// Percent-encoding (RFC 3986 §2.1): strict decoding of paths and query parts.
//
// Invariants: decoding never lengthens; `+` means a space in queries only; a percent sign without
// two hexadecimal digits is an error, never passed through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::http {

enum class UriPart : std::uint8_t { path, query };

// True if decoding would return the text unchanged, so that the view can be used as it is.
[[nodiscard]] bool is_plain(std::string_view text, UriPart part);

// True if every percent sign is followed by two hexadecimal digits.
[[nodiscard]] bool has_valid_escapes(std::string_view text);

// Decodes into `out`, which must have room for text.size() bytes and may be the text's own memory.
// Returns the decoded length, or nothing if an escape is broken.
[[nodiscard]] std::optional<std::size_t> percent_decode(std::string_view text, UriPart part,
                                                        char* out);
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, UriPart part);

}  // namespace weft::http
