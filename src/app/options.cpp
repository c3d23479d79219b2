#include <cstdlib>
#include <string_view>
#include <vector>

#include "app/serve_flags.hpp"
#include "weft/app.hpp"

namespace weft {

namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Options Options::from_arguments(int argc, char** argv) {
  return from_arguments(argc, argv, Options());
}

Options Options::from_arguments(int argc, char** argv, const Options& defaults) {
  Options options = defaults;
  const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::string_view program = argc > 0 ? file_name(argv[0]) : "server";
  const auto exit_status = app::parse_serve_flags(program, app::kServeSummary, words, options);
  if (exit_status) std::exit(*exit_status);
  return options;
}

}  // namespace weft
