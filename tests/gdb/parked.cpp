// A program for a debugger to look at: green threads that wait, and a place to stop. With an
// argument it leaves a core file.

#include <cstdlib>

#include "weft/green.hpp"

using namespace std::chrono_literals;

extern "C" [[gnu::noinline]] void everyone_is_parked() { __asm__ volatile(""); }

namespace parked_program {

[[gnu::noinline]] void wait_for_long(int how_much) {
  const int twice = 2 * how_much;
  weft::sleep(1h);
  __asm__ volatile("" : : "r"(twice));
}

[[gnu::noinline]] void recurse(int depth) {
  if (depth == 0) {
    wait_for_long(21);
  } else {
    recurse(depth - 1);
  }
  __asm__ volatile("");  // else the last call may be a jump
}

}  // namespace parked_program

int main(int argument_count, char**) {
  weft::run([argument_count] {
    weft::spawn({.name = "straight"}, [] { parked_program::wait_for_long(7); });
    weft::spawn({.name = "recursive"}, [] { parked_program::recurse(3); });
    weft::spawn({.name = "large", .stack_bytes = 1 << 20}, [] { parked_program::recurse(1); });
    weft::spawn({.name = "movable", .placement = weft::Placement::any},
                [] { parked_program::recurse(2); });
    weft::yield();
    everyone_is_parked();
    if (argument_count > 1) std::abort();
    std::_Exit(0);
  });
}
