#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "app/flags.hpp"
#include "app/serve_flags.hpp"
#include "weft/app.hpp"

namespace weft {

namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The limits that have flags, in the units in which people say them.
struct LimitFlags {
  explicit LimitFlags(const Limits& limits)
      : request_seconds(seconds_of(limits.request_timeout)),
        idle_seconds(seconds_of(limits.idle_timeout)),
        grace_seconds(seconds_of(limits.drain_grace)),
        body_kib(static_cast<unsigned>(limits.body_bytes / 1024)),
        connections(static_cast<unsigned>(limits.connections)),
        per_address(static_cast<unsigned>(limits.connections_per_address)) {}

  void add_to(app::Flags& flags) {
    constexpr unsigned kDay = 24 * 60 * 60;
    constexpr unsigned kMost = 100'000'000;
    flags
        .number({"request-timeout", "seconds in which a request must be answered (30)"}, {1, kDay},
                request_seconds)
        .number({"idle-timeout", "seconds after which an idle connection is closed (75)"},
                {1, kDay}, idle_seconds)
        .number({"drain-grace", "seconds that requests get to end in at SIGTERM (10)"}, {0, kDay},
                grace_seconds)
        .number({"max-body", "KiB that the body of a request may have (1024)"}, {0, kMost},
                body_kib)
        .number({"max-connections", "connections at once; 0 is no limit (100000)"}, {0, kMost},
                connections)
        .number({"max-connections-per-address", "those of one client; 0 is no limit (0)"},
                {0, kMost}, per_address);
  }
  void apply(Limits& limits) const {
    const LimitFlags before(limits);
    // What was not given keeps its value, to the millisecond.
    if (request_seconds != before.request_seconds) {
      limits.request_timeout = std::chrono::seconds(request_seconds);
    }
    if (idle_seconds != before.idle_seconds) {
      limits.idle_timeout = std::chrono::seconds(idle_seconds);
    }
    if (grace_seconds != before.grace_seconds) {
      limits.drain_grace = std::chrono::seconds(grace_seconds);
    }
    if (body_kib != before.body_kib) limits.body_bytes = std::uint64_t{body_kib} * 1024;
    if (connections != before.connections) limits.connections = connections;
    if (per_address != before.per_address) limits.connections_per_address = per_address;
  }

 private:
  static unsigned seconds_of(std::chrono::milliseconds time) {
    return static_cast<unsigned>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
  }

  unsigned request_seconds;
  unsigned idle_seconds;
  unsigned grace_seconds;
  unsigned body_kib;
  unsigned connections;
  unsigned per_address;
};

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
              options.backend)
      .choice({"topology", "a back end per worker, or one on a thread of its own (per-worker)"},
              {"per-worker", "shared"}, options.topology)
      .choice({"model", "what keeps a request that waits: a stack, a frame or a record (green)"},
              {"green", "coroutine", "callback"}, options.model);
  LimitFlags limits(options.limits);
  limits.add_to(flags);
  const auto exit_status = flags.parse(arguments);
  options.port = static_cast<std::uint16_t>(port);
  limits.apply(options.limits);
  return exit_status;
}

}  // namespace app

}  // namespace weft
