// Names of files, as clients give them and as they are told to clients.
//
// Any thread.
#pragma once

#include <string>
#include <string_view>

namespace weft::app {

// The last part of a client's name for a file, fit to be one within a folder: UTF-8, no slash or
// backslash, no control byte, no dot or blank in front, 200 bytes at most, never empty.
[[nodiscard]] std::string harmless_file_name(std::string_view name);

// The value of a Content-Disposition field (RFC 6266): the name made harmless, in ASCII, and where
// that has lost something as it is, too (RFC 8187).
[[nodiscard]] std::string attachment(std::string_view name);

}  // namespace weft::app
