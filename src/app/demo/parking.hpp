// Parking: the demonstration's routes that have green threads sleep.
//
// How many are asleep is bounded, for all requests together. Must outlive the App's run; its
// handlers may be called on several workers at once.
#pragma once

#include <atomic>

#include <weft/context.hpp>

namespace weft::demo {

class Parking {
 public:
  Parking() = default;
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  // Sleeps for the parameter `ms`.
  void nap(Context& c);
  // Has the parameter `count` of green threads sleep for `ms`, and waits for all.
  void park_many(Context& c);
  // How many are asleep, on all workers.
  unsigned asleep() const noexcept { return asleep_.load(std::memory_order_relaxed); }

 private:
  std::atomic<unsigned> asleep_{0};
};

}  // namespace weft::demo
