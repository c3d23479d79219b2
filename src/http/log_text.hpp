// Log lines: where they go unless told otherwise, and text from outside made fit for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::http {

// How much a line matters; each level includes those before it.
enum class LogLevel : std::uint8_t { error, warning, info, debug };

// Control bytes and the backslash as \\xNN, so that nothing can forge a line or drive a terminal;
// cut after 1,000 bytes.
std::string printable(std::string_view text);

// Any thread.
void log_to_stderr(const std::string& line);

}  // namespace weft::http
