// `weft demo`: serves the demonstration until SIGTERM or SIGINT.
#include <chrono>

#include <weft/app.hpp>

#include "app/demo/demo.hpp"
#include "app/serve_flags.hpp"
#include "cli/command.hpp"

namespace weft::cli {
namespace {

int run_demo(Arguments arguments) {
  Options options;
  // Who ends it has its page open, whose stream of events has no end.
  options.limits.drain_grace = std::chrono::seconds(1);
  if (const auto status =
          app::parse_serve_flags("weft demo", kDemoCommand.summary, arguments, options)) {
    return *status;
  }

  // The demonstration shows them there in any case.
  if (options.metrics_path == demo::kMetricsPath) options.metrics_path.clear();

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
