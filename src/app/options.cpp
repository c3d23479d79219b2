#include <cstdlib>
#include <vector>

#include "app/flags.hpp"
#include "app/serve_flags.hpp"
#include "weft/app.hpp"

namespace weft {

namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Options Options::from_arguments(int argc, char** argv) {
  Options options;
  const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::string_view program = argc > 0 ? file_name(argv[0]) : "server";
  const auto exit_status = app::parse_serve_flags(
      program, "Serves HTTP until it gets SIGINT or SIGTERM", words, options);
  if (exit_status) std::exit(*exit_status);
  return options;
}

namespace app {

std::optional<int> parse_serve_flags(std::string_view program, std::string_view summary,
                                     Arguments arguments, Options& options) {
  unsigned port = options.port;
  Flags flags(program, summary);
  flags.text({"host", "address to listen on (127.0.0.1)"}, "ADDRESS", options.host)
      .number({"port", "port to listen on; 0 lets the system choose (8080)"}, {0, 65535}, port)
      .number({"workers", "OS threads that serve; 0 is one per processor (1)"}, {0, 1024},
              options.workers)
      .choice({"backend", "how the kernel is asked (auto)"}, {"auto", "io_uring", "epoll"},
              options.backend);
  const auto exit_status = flags.parse(arguments);
  options.port = static_cast<std::uint16_t>(port);
  return exit_status;
}

}  // namespace app

}  // namespace weft
