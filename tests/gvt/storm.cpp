#include "storm.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "storm_kinds.hpp"
#include "storm_wait.hpp"
#include "weft/blocking.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/inspect.hpp"
#include "weft/scope.hpp"

namespace weft::test {

namespace {

// Much less than those sleep who are to be woken, much more than anything else takes.
constexpr std::chrono::nanoseconds kLong = std::chrono::hours(1);

void drive(StormShared& shared, std::uint64_t seed) {
  Random random(seed);
  while (shared.waits_left.fetch_sub(1) > 0) {
    const auto drawn = static_cast<unsigned>(random.below(storm_kinds().size()));
    StormWait wait(shared, random, drawn);
    const std::int64_t begin_ns = detail::now_ns();
    storm_kinds()[drawn](wait, shared, random);
    if (detail::now_ns() - begin_ns > kLong.count()) {
      shared.complain("a wait of kind " + std::to_string(drawn) + " lasted far too long");
    }
  }
}

void check_what_is_left(StormShared& shared) {
  while (const auto value = shared.channel.try_receive()) shared.received += *value;
  if (shared.sent != shared.received) shared.complain("values of the channel of all got lost");
  if (!shared.mutex.try_lock()) return shared.complain("the mutex of all is still locked");
  shared.mutex.unlock();
  if (!shared.rw_lock.try_lock()) return shared.complain("the lock of all is still locked");
  shared.rw_lock.unlock();
  if (!shared.permits.try_acquire(3)) shared.complain("permits of all got lost");
  const std::size_t green_threads = snapshot({.backtraces = false}).size();
  if (green_threads != 1) {
    shared.complain(std::to_string(green_threads - 1) + " green threads are left");
  }
}

}  // namespace

StormOutcome storm(Ground& ground, const StormOptions& options) {
  StormShared shared(ground, options);
  shared.waits_left = static_cast<std::int64_t>(options.waits);
  std::thread canceller;
  if (options.os_thread) {
    canceller = std::thread([&shared] {
      for (CancelSource& source : shared.cancels) source.cancel();
    });
  }
  scope([&](Scope& drivers) {
    for (unsigned i = 0; i < options.drivers; ++i) {
      const std::uint64_t seed = options.seed * 1'000'003 + i;
      const auto on_this_worker = [&shared, &drivers, seed] {
        drivers.spawn([&shared, seed] { drive(shared, seed); });
      };
      if (options.several_workers) {
        drivers.spawn({.placement = Placement::any}, on_this_worker);
      } else {
        on_this_worker();
      }
    }
  });
  shared.cancels.close();
  if (canceller.joinable()) blocking([&] { canceller.join(); });
  check_what_is_left(shared);
  return std::move(shared.outcome);
}

}  // namespace weft::test
