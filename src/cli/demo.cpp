// `weft demo`: serves the demonstration until SIGTERM or SIGINT.
#include <weft/app.hpp>

#include "app/demo/demo.hpp"
#include "app/serve_flags.hpp"
#include "cli/command.hpp"

namespace weft::cli {
namespace {

int run_demo(Arguments arguments) {
  Options options;
  if (const auto status =
          app::parse_serve_flags("weft demo", kDemoCommand.summary, arguments, options)) {
    return *status;
  }

  App application;
  const demo::Demo demo(application);
  return application.run(options);
}

}  // namespace

const Command kDemoCommand{
    "demo",
    "Serves a demonstration with a page that shows the running server",
    run_demo,
};

}  // namespace weft::cli
