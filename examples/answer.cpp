// The smallest program of green threads: one starts another and takes its result.
#include <iostream>
#include <weft/green.hpp>

int main() {
  weft::run([] {
    auto answer = weft::spawn([] { return 6 * 7; });
    std::cout << "the answer is " << answer.join() << '\n';
  });
}
