// Two green threads that take the same two locks in different orders, and what is said about them.
//
// The report is on standard error; without `abort` the program would go on waiting after it.
#include <iostream>
#include <mutex>
#include <weft/green.hpp>
#include <weft/sync.hpp>

namespace {

struct Account {
  weft::Mutex mutex;
  int euros = 100;
};

void transfer(Account& from, Account& to, int euros) {
  const std::lock_guard first(from.mutex);
  weft::yield();  // anything that parks here will do
  const std::lock_guard second(to.mutex);
  from.euros -= euros;
  to.euros += euros;
}

}  // namespace

int main() {
  weft::RunOptions options;
  options.on_deadlock = weft::RunOptions::OnDeadlock::abort;  // a core file shows the rest
  Account left;
  Account right;
  weft::run(
      [&] {
        weft::spawn({.name = "left to right"}, [&] { transfer(left, right, 10); });
        weft::spawn({.name = "right to left"}, [&] { transfer(right, left, 20); });
      },
      options);
  std::cout << "never said\n";
}
