// A program of someone else: it knows only what was installed.

#include <iostream>
#include <weft/app.hpp>
#include <weft/version.hpp>

int main() {
  weft::App app;
  app.get("/", [](weft::Context& c) { c.text("ok"); });
  std::cout << weft::version() << '\n';
}
