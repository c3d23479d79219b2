#include "cli/paint.hpp"

#include <unistd.h>

#include <cstdlib>

namespace weft::cli {

Paint Paint::for_stdout(std::string_view wish) {
  if (wish == "always") return Paint(true);
  if (wish == "never") return Paint(false);
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool refused = (no_color != nullptr && *no_color != '\0') ||
                       (terminal != nullptr && std::string_view(terminal) == "dumb");
  return Paint(!refused && ::isatty(STDOUT_FILENO) == 1);
}

std::string Paint::wrap(std::string_view code, std::string_view text) const {
  if (!on_) return std::string(text);
  std::string painted = "\x1b[";
  painted += code;
  painted += 'm';
  painted += text;
  painted += "\x1b[0m";
  return painted;
}

}  // namespace weft::cli
