// Several workers: green threads of Placement::any go on wherever there is time for them.
//
// Pinned ones, the default, stay on their worker, and may share what they have without locks.
#include <atomic>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>
#include <weft/green.hpp>
#include <weft/scope.hpp>
#include <weft/sync.hpp>

namespace {

std::uint64_t compute(std::uint64_t value) {
  for (int i = 0; i < 200'000; ++i) value = value * 6364136223846793005U + 1;
  return value;
}

}  // namespace

int main() {
  weft::RunOptions options;
  options.workers = 2;
  weft::run(
      [] {
        weft::Mutex mutex;  // parks, where a std::mutex would block the worker
        std::set<std::thread::id> seen;
        std::uint64_t mixed = 0;
        weft::scope([&](weft::Scope& scope) {
          for (std::uint64_t i = 0; i < 64; ++i) {
            scope.spawn({.name = "compute", .placement = weft::Placement::any}, [&, i] {
              const std::uint64_t value = compute(i);
              const std::lock_guard lock(mutex);
              mixed ^= value;
              seen.insert(std::this_thread::get_id());
            });
          }
        });
        std::cout << "64 results, mixed to " << mixed << '\n';
        std::cout << (seen.size() > 1 ? "both workers computed\n" : "one worker was enough\n");
      },
      options);
}
