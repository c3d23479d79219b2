// The flags of everything that serves: --host, --port, --workers, --backend, --topology, --model,
// and the limits that are changed most.
// For the main thread.
#pragma once

#include <optional>
#include <string_view>

#include "app/flags.hpp"
#include "weft/app.hpp"

namespace weft::app {

// Fills `options`; returns the exit status when the program is to end at once.
std::optional<int> parse_serve_flags(std::string_view program, std::string_view summary,
                                     Arguments arguments, Options& options);

}  // namespace weft::app
