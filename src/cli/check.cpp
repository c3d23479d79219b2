// `weft check`: tells what is wrong with a configuration file.
#include <cstdio>
#include <string>

#include "app/configuration.hpp"
#include "cli/command.hpp"

namespace weft::cli {
namespace {

int run_check(Arguments arguments) {
  std::string path;
  const Flags flags =
      Flags("weft check", kCheckCommand.summary).word({"FILE", "the TOML file to check"}, path);
  if (const auto status = flags.parse(arguments)) return *status;

  app::Configuration configuration{Options()};
  // Settings of an application: what there are, it alone knows.
  configuration.let_own_pass();
  configuration.read_file(path);
  const auto& mistakes = configuration.mistakes();
  std::string text;
  for (const app::Mistake& mistake : mistakes) text += app::to_text(mistake);
  if (!mistakes.empty()) {
    text += path + ": " + std::to_string(mistakes.size()) +
            (mistakes.size() == 1 ? " mistake\n" : " mistakes\n");
    std::fputs(text.c_str(), stderr);
    return kExitFailed;
  }
  int given = 0;
  for (const app::Setting& setting : app::settings()) {
    if (configuration.origin(setting) != "default") ++given;
  }
  std::printf("%s: fine, with %d setting%s\n", path.c_str(), given, given == 1 ? "" : "s");
  return kExitDone;
}

}  // namespace

const Command kCheckCommand{
    "check",
    "Checks a configuration file and tells every mistake in it",
    run_check,
};

}  // namespace weft::cli
