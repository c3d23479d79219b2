// Coroutines beside green threads: the same channels, timers and deadlines, and no stacks.
#include <iostream>
#include <optional>
#include <string>
#include <weft/coro.hpp>

using namespace std::chrono_literals;

namespace {

weft::Task<int> count(weft::Channel<std::string> words) {
  int count = 0;
  for (;;) {
    const std::optional<std::string> word = co_await weft::coro::receive(words);
    if (!word) co_return count;
    ++count;
  }
}

weft::Task<std::string> fetch(std::string name, std::chrono::milliseconds takes) {
  co_await weft::coro::sleep(takes);
  co_return "the text of " + name;
}

weft::Task<void> fetch_all() {
  const auto [left, right] = co_await weft::coro::all(fetch("left", 2ms), fetch("right", 1ms));
  std::cout << left << ", " << right << '\n';
  const auto late = co_await weft::coro::with_timeout(5ms, fetch("middle", 1h));
  if (!late) std::cout << "middle: " << late.error().message() << '\n';
}

}  // namespace

int main() {
  weft::run([] {
    const weft::Channel<std::string> words;
    auto counted = weft::coro::spawn(count(words), "counter");
    for (const char* word : {"green", "threads", "and", "coroutines"}) words.send(word);
    words.close();
    std::cout << counted.join() << " words\n";
    weft::coro::wait(fetch_all());
  });
}
