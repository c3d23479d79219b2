// `weft config`: prints the configuration that is in force, and where each setting comes from.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "app/serve_flags.hpp"
#include "cli/command.hpp"

extern char** environ;

namespace weft::cli {
namespace {

// Variables that look like a setting misspelt. Others of the same beginning are somebody else's.
std::string misspelt_variables() {
  std::vector<std::string_view> known{"WEFT_CONFIG"};
  for (const app::Setting& setting : app::settings()) known.push_back(setting.variable);
  std::string text;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const std::string_view name = variable.substr(0, variable.find('='));
    if (!name.starts_with("WEFT_") || name.starts_with("WEFT_APP_")) continue;
    bool exact = false;
    for (const std::string_view one : known) exact = exact || one == name;
    const std::string_view meant = exact ? std::string_view() : app::nearest(name, known);
    if (meant.empty()) continue;
    text += "weft config: " + std::string(name) + " is not a setting; did you mean " +
            std::string(meant) + "?\n";
  }
  return text;
}

int run_config(Arguments arguments) {
  app::ServeFlags flags("weft config", kConfigCommand.summary);
  flags.let_own_pass();
  if (const auto status = flags.parse(arguments, app::process_environment())) return *status;
  std::fputs(misspelt_variables().c_str(), stderr);
  std::fputs(app::to_toml(flags.configuration()).c_str(), stdout);
  return kExitDone;
}

}  // namespace

const Command kConfigCommand{
    "config",
    "Prints the configuration in force as TOML, and where each setting comes from",
    run_config,
};

}  // namespace weft::cli
