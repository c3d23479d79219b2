// Text from outside, made fit for a log line.
#pragma once

#include <string>
#include <string_view>

namespace weft::http {

// Control bytes and the backslash as \\xNN, so that nothing can forge a line or drive a terminal;
// cut after 1,000 bytes.
std::string printable(std::string_view text);

}  // namespace weft::http
