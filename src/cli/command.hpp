// Command: one verb of the `weft` program; each lives in a file of its own.
//
// A command gets the words after its name, writes to standard output, and returns the exit status:
// 0 done, 1 it could not be done, 2 it was asked for wrongly. main() wires the commands together.
// Commands run on the main thread.
#pragma once

#include <string_view>

#include "app/flags.hpp"

namespace weft::cli {

using app::Arguments;
using app::Flags;
using app::kExitDone;
using app::kExitFailed;
using app::kExitUsage;

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments arguments);
};

extern const Command kCheckCommand;
extern const Command kConfigCommand;
extern const Command kDemoCommand;
extern const Command kNewCommand;
extern const Command kProbeCommand;
extern const Command kServeCommand;

}  // namespace weft::cli
