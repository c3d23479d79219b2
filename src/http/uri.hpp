// URI syntax (RFC 3986): strict percent-decoding of paths and query parts; checks of authorities.
//
// Invariants: decoding never lengthens; `+` means a space in queries only; a percent sign without
// two hexadecimal digits is an error, never passed through.
#pragma once

#include <cstddef>
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

// True for what a Host field may say (RFC 9110 §7.2): a host, which may be empty, and an optional
// port of at most 65535. No user information; of the bracketed literals only IPv6.
[[nodiscard]] bool is_authority(std::string_view text);
// The same for the text from `from` on: what stands before it lets it be looked at faster.
[[nodiscard]] bool is_authority(std::string_view bytes, std::size_t from);

// The same with neither part missing, as CONNECT needs it.
[[nodiscard]] bool is_authority_with_port(std::string_view text);

}  // namespace weft::http
