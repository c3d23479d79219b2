// Work that blocks or computes, from a green thread: on the pool, while others go on.
//
// Calls of the kernel need no thread where its ring can do them: system_call() knows which.
#include <fcntl.h>
#include <sys/syscall.h>

#include <atomic>
#include <iostream>
#include <thread>
#include <weft/blocking.hpp>
#include <weft/scope.hpp>
#include <weft/system_call.hpp>

using namespace std::chrono_literals;

namespace {

// What a driver or a library would be: it knows nothing of green threads, and holds up whichever
// OS thread it is called on until something has happened elsewhere.
int wait_for(const std::atomic<int>& count, int wanted) {
  while (count < wanted) std::this_thread::sleep_for(1ms);
  return wanted;
}

}  // namespace

int main() {
  weft::run([] {
    std::atomic<int> ticks = 0;
    weft::scope([&](weft::Scope& scope) {
      scope.spawn([&] {
        for (;; ++ticks) weft::sleep(1ms);  // until the scope is cancelled
      });
      const int seen = weft::blocking([&] { return wait_for(ticks, 3); });
      std::cout << seen << " ticks while a call blocked\n";
      scope.cancel();
    });

    // Any system call, by number: what it returns, or its errno as an Error.
    const auto opened = weft::system_call(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC);
    if (!opened) return;
    const auto written = weft::system_call(SYS_write, *opened, "hello", 5);
    std::cout << "wrote " << written.value_or(0) << " bytes\n";
    static_cast<void>(weft::system_call(SYS_close, *opened));
    const auto refused = weft::system_call(SYS_write, -1, "hello", 5);
    std::cout << "and then: " << refused.error().message() << '\n';
  });
}
