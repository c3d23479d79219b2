// A deadline that reaches into everything below it: three fetches in a scope, one of which hangs.
//
// The hanging one is cancelled where it is parked, tidies up, and none is left when the scope ends.
#include <iostream>
#include <string>
#include <weft/scope.hpp>

using namespace std::chrono_literals;

namespace {

struct Page {
  std::string text;
};

Page fetch(const std::string& name, std::chrono::milliseconds takes) {
  try {
    weft::sleep(takes);  // stands for connecting, writing, reading
  } catch (const weft::Cancelled& cause) {
    // Even now this may park: nothing outside cancels what runs shielded.
    weft::shielded([&] {
      weft::sleep(1ms);
      std::cout << name << " was given up" << (cause.timed_out() ? ": too late\n" : "\n");
    });
    throw;
  }
  std::cout << name << " is here\n";
  return {"the text of " + name};
}

weft::Result<std::string> fetch_all() {
  return weft::with_timeout(200ms, [] {
    Page left;
    Page middle;
    Page right;
    weft::scope([&](weft::Scope& scope) {
      scope.spawn([&] { left = fetch("left", 1ms); });
      scope.spawn([&] { middle = fetch("middle", 1h); });
      scope.spawn([&] { right = fetch("right", 2ms); });
    });
    return left.text + middle.text + right.text;
  });
}

}  // namespace

int main() {
  weft::run([] {
    const auto pages = fetch_all();
    if (!pages) std::cout << "no pages: " << pages.error().message() << '\n';
  });
}
