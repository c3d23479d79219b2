// `weft demo`: serves the demonstration until SIGTERM or SIGINT.
#include <weft/app.hpp>

#include "app/demo/demo.hpp"
#include "cli/command.hpp"
#include "cli/flags.hpp"

namespace weft::cli {
namespace {

int run_demo(Arguments arguments) {
  Options options;
  unsigned port = options.port;
  const Flags flags =
      Flags("demo", kDemoCommand.summary)
          .text({"host", "the address to listen on (127.0.0.1)"}, "ADDRESS", options.host)
          .number({"port", "the port, 0 for any that is free (8080)"}, {0, 65535}, port)
          .number({"workers", "worker threads, 0 for one per processor (1)"}, {0, 1024},
                  options.workers)
          .choice({"backend", "how to talk to the kernel (auto)"}, {"auto", "io_uring", "epoll"},
                  options.backend);
  if (const auto status = flags.parse(arguments)) return *status;
  options.port = static_cast<std::uint16_t>(port);

  App app;
  const demo::Demo demo(app);
  return app.run(options);
}

}  // namespace

const Command kDemoCommand{
    "demo",
    "Serves a demonstration with a page that shows the running server",
    run_demo,
};

}  // namespace weft::cli
