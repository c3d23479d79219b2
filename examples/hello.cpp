// The smallest useful server: plain text, JSON with a parameter, and a handler that parks.
//
//     hello [--host 127.0.0.1] [--port 8080] [--workers 1] [--backend auto] ...   (see --help)
#include <charconv>
#include <chrono>
#include <string>
#include <weft/weft.hpp>

int main(int argc, char** argv) {
  weft::App app;

  app.get("/", [](weft::Context& c) { c.text("Hello, World!"); });

  app.get("/users/:id", [](weft::Context& c) {
    const std::string_view id = c.param("id");
    c.json({{"id", id}, {"name", "user" + std::string(id)}});
  });

  // Parks this handler; the worker serves others meanwhile.
  app.get("/sleep/:ms", [](weft::Context& c) {
    const std::string_view text = c.param("ms");
    unsigned ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error != std::errc{} || end != text.data() + text.size() || ms > 60'000) {
      return c.status(400).text("give the milliseconds as a number up to 60000\n");
    }
    weft::sleep(std::chrono::milliseconds(ms));
    c.text("slept " + std::to_string(ms) + " ms\n");
  });

  // Parks once, for as short as possible: what a park costs can be measured with it.
  app.get("/park", [](weft::Context& c) {
    weft::yield();
    c.text("Hello, World!");
  });

  return app.run(weft::Options::from_arguments(argc, argv));
}
