#include "weft/detail/spin_lock.hpp"

#include <sched.h>

namespace weft::detail {

void SpinLock::wait_for_it() noexcept {
  constexpr int kSpins = 64;
  for (;;) {
    for (int i = 0; i < kSpins; ++i) {
      if (!taken_.load(std::memory_order_relaxed) &&
          !taken_.exchange(true, std::memory_order_acquire)) {
        return;
      }
    }
    ::sched_yield();
  }
}

}  // namespace weft::detail
