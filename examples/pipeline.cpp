// A pipeline over channels, as in Go: a generator, several squarers, and one who adds up.
//
// Whoever sends closes: the stage behind it then ends its loop by itself.
#include <iostream>
#include <weft/channel.hpp>
#include <weft/scope.hpp>

namespace {

void generate(int last, weft::Channel<int> to) {
  for (int number = 1; number <= last; ++number) to.send(number);
  to.close();
}

void square(weft::Channel<int> from, weft::Channel<long> to) {
  for (int number : from) to.send(long{number} * number);
}

long add_up(weft::Channel<long> from) {
  long sum = 0;
  for (long number : from) sum += number;
  return sum;
}

}  // namespace

int main() {
  weft::run([] {
    weft::Channel<int> numbers;       // holds nothing: each send waits for its receive
    weft::Channel<long> squares(16);  // a send waits only while 16 are in it
    weft::spawn([=] { generate(100, numbers); });
    weft::spawn([=] {
      weft::scope([&](weft::Scope& scope) {
        for (int i = 0; i < 4; ++i) scope.spawn([=] { square(numbers, squares); });
      });  // all four have ended
      squares.close();
    });
    auto sum = weft::spawn([=] { return add_up(squares); });
    std::cout << "the squares of 1 to 100 come to " << sum.join() << '\n';
  });
}
