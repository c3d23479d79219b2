// The `weft` program: picks the command and hands it the rest of the words.
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <weft/version.hpp>

#include "cli/command.hpp"

namespace weft::cli {
namespace {

const std::array<const Command*, 6> kCommands{&kServeCommand, &kDemoCommand,   &kNewCommand,
                                              &kCheckCommand, &kConfigCommand, &kProbeCommand};

std::string help() {
  std::string text =
      "weft: a green-thread runtime on io_uring and an HTTP application server on it\n\n"
      "usage: weft COMMAND [flags]\n\ncommands:\n";
  for (const Command* command : kCommands) {
    text += app::help_row("  weft " + std::string(command->name), command->summary);
  }
  text += "\nand:\n" + app::help_row("  weft COMMAND --help", "what a command takes") +
          app::help_row("  weft --version", "the release and the commit");
  return text;
}

int unknown_command(std::string_view word) {
  std::vector<std::string_view> names{"--help", "--version"};
  for (const Command* command : kCommands) names.push_back(command->name);
  const std::string_view meant = app::nearest(word, names);
  std::string text = "weft: there is no command '" + std::string(word) + "'";
  if (!meant.empty()) text += "; did you mean `weft " + std::string(meant) + "`?";
  text += "\nRun `weft --help` for the commands there are.\n";
  std::fputs(text.c_str(), stderr);
  return kExitUsage;
}

int run(Arguments words) {
  if (words.empty()) {
    std::fputs(help().c_str(), stderr);
    return kExitUsage;
  }
  const std::string_view word = words.front();
  if (word == "--help" || word == "-h" || word == "help") {
    std::fputs(help().c_str(), stdout);
    return kExitDone;
  }
  if (word == "--version" || word == "version") {
    const std::string text =
        "weft " + std::string(version()) + " (" + std::string(commit()) + ")\n";
    std::fputs(text.c_str(), stdout);
    return kExitDone;
  }
  for (const Command* command : kCommands) {
    if (command->name == word) return command->run(words.subspan(1));
  }
  return unknown_command(word);
}

}  // namespace
}  // namespace weft::cli

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return weft::cli::run(words);
}
