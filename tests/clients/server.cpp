// The server that other people's clients are tried on.
//
//     weft_clients_server [--impatient] [flags of every server]
//
// With --impatient, slow heads, bodies and readers are given up after two seconds.
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <weft/weft.hpp>

namespace {

constexpr std::size_t kAnswerBytesMost = 8 * 1024 * 1024;

// One line for each request that a handler below /seen/ has read whole.
class Ledger {
 public:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_ += std::move(line) + "\n";
  }
  std::string take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;  // guards lines_
  std::string lines_;
};

std::size_t number(std::string_view text, std::size_t most) {
  const unsigned long value = std::strtoul(std::string(text).c_str(), nullptr, 10);
  return value < most ? value : most;
}

void answer_with_state(weft::Context& c, const weft::App& app) {
  const weft::ServerStats stats = app.stats();
  c.json({{"open", stats.connections_open},
          {"accepted", stats.connections_accepted},
          {"requests", stats.requests},
          {"errors", stats.handler_errors},
          {"backend", stats.backend}});
}

void add_routes(weft::App& app, Ledger& ledger) {
  app.get("/", [](weft::Context& c) { c.text("Hello, World!"); });
  app.get("/size/:bytes", [](weft::Context& c) {
    c.bytes(std::string(number(c.param("bytes"), kAnswerBytesMost), 'x'), "text/plain");
  });
  app.get("/empty/:status", [](weft::Context& c) {
    c.status(static_cast<int>(number(c.param("status"), 999)));
    c.text("not for a status without a body");
  });
  app.get("/state", [&app](weft::Context& c) { answer_with_state(c, app); });
  app.get("/ledger", [&ledger](weft::Context& c) { c.text(ledger.take()); });

  // The method, the path and the length of the body, and then the body.
  const auto seen = [&ledger](weft::Context& c) {
    const std::string_view body = c.body();
    std::string line =
        std::string(c.method()) + " " + std::string(c.path()) + " " + std::to_string(body.size());
    ledger.add(line);
    c.text(line + "\n" + std::string(body));
  };
  for (const char* const method : {"GET", "HEAD", "POST", "PUT", "DELETE"}) {
    app.route(method, "/seen/*path", seen);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool impatient = argc > 1 && std::string_view(argv[1]) == "--impatient";
  if (impatient) {
    argv[1] = argv[0];
    ++argv;
    --argc;
  }
  weft::Options options = weft::Options::from_arguments(argc, argv);
  if (impatient) {
    options.limits.head_timeout = std::chrono::seconds(2);
    options.limits.body_timeout = std::chrono::seconds(2);
    options.limits.write_timeout = std::chrono::seconds(2);
  }
  Ledger ledger;
  weft::App app;
  add_routes(app, ledger);
  return app.run(options);
}
