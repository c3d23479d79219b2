// Routes that compute, on a pool of threads: others are answered meanwhile.
#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <weft/weft.hpp>

namespace {

// Slow, and knows nothing of green threads.
unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

}  // namespace

int main() {
  std::atomic<bool> release = false;
  weft::App app;
  app.executor("reports", {.concurrency = 2});

  app.get("/", [](weft::Context& c) { c.text("hello"); });
  app.get("/fib/{n:uint}", weft::worker(),
          [](weft::Context& c) { c.text(std::to_string(fib(c.param_as<unsigned>("n")))); });
  auto reports = app.group("/reports");
  reports.worker({.executor = "reports", .queue_time = std::chrono::milliseconds(10)});
  reports.get("/{id:int}", [&release](weft::Context& c) {
    while (!release) std::this_thread::yield();
    c.text("report " + std::string(c.param("id")));
  });

  weft::Options options;
  options.port = 0;
  options.quiet = true;
  app.start(options);
  const std::string url = "http://127.0.0.1:" + std::to_string(app.port());

  weft::run([&] {
    weft::Client client({.base_url = url});
    weft::scope([&](weft::Scope& scope) {
      std::atomic<int> refused = 0;
      for (int i = 1; i <= 3; ++i) {
        scope.spawn([&, i] {
          const auto answer = client.get("/reports/" + std::to_string(i));
          if (answer && answer->status() == 503) ++refused;
          if (answer && answer->status() == 200) std::cout << "a report was made\n";
        });
      }
      while (refused == 0) weft::sleep(std::chrono::milliseconds(1));
      std::cout << "two reports are made at once; the third was told to come again\n";
      std::cout << "meanwhile: " << client.get("/")->body() << ", fib(20) is "
                << client.get("/fib/20")->body() << '\n';
      release = true;
    });
  });
  app.stop();
}
