// FutexNotifier: wakes the loop through a word in memory, without a descriptor.
//
// The word says whether a wake has not been acknowledged yet; only the first wake enters the
// kernel. A ring waits on the word by a futex operation (Linux 6.7); a loop of its own making calls
// wait(). A back end that cannot wait for a word cannot watch this notifier, which is an error at
// compile time. wake() from any thread, everything else on the owner's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "ksvc/core/io_backend.hpp"
#include "ksvc/core/notifier.hpp"
#include "ksvc/notify/futex_call.hpp"
#include "ksvc/router/kernel_features.hpp"

namespace weft::ksvc {

// The kernel's part.
struct SystemFutex {
  static void wake(const std::atomic<std::uint32_t>& word) noexcept {
    futex_wake(word, FutexScope::process);
  }
  static void wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::chrono::nanoseconds at_most) noexcept {
    futex_wait(word, expected, at_most, FutexScope::process);
  }
};

// `Atomic` and `Futex` are the real ones, or what watches every step of the algorithm.
template <template <class> class Atomic, class Futex>
class BasicFutexNotifier {
 public:
  BasicFutexNotifier() = default;
  BasicFutexNotifier(const BasicFutexNotifier&) = delete;
  BasicFutexNotifier& operator=(const BasicFutexNotifier&) = delete;

  // Both exchange, so that each wake happens before the acknowledgement that it counts for.
  void wake() noexcept {
    if (word_.exchange(kWoken, std::memory_order_acq_rel) == kQuiet) Futex::wake(word_);
  }
  void acknowledge() noexcept { word_.exchange(kQuiet, std::memory_order_acq_rel); }

  template <Submits<FutexWait> Backend>
  void watch(Backend& backend, CorrelationId corr_id) {
    backend.submit(FutexWait{&word_, kQuiet}, corr_id);
  }

  // Sleeps until a wake, at most so long; true when there is one to acknowledge. May come back
  // early without one, as after a signal.
  bool wait(std::chrono::nanoseconds at_most = std::chrono::nanoseconds::max()) noexcept {
    if (word_.load(std::memory_order_relaxed) == kQuiet) Futex::wait(word_, kQuiet, at_most);
    return word_.load(std::memory_order_relaxed) != kQuiet;
  }

  // Zero until a wake; for whoever waits on several words by himself.
  const Atomic<std::uint32_t>& word() const noexcept { return word_; }
  // Whether rings can wait for it on this kernel; a loop of its own making always can.
  static bool supported(const KernelFeatures& features) noexcept { return features.futex_wait; }
  static const char* name() noexcept { return "futex"; }

 private:
  static constexpr std::uint32_t kQuiet = 0;
  static constexpr std::uint32_t kWoken = 1;

  Atomic<std::uint32_t> word_{kQuiet};
};

using FutexNotifier = BasicFutexNotifier<std::atomic, SystemFutex>;

static_assert(Notifier<FutexNotifier>);

}  // namespace weft::ksvc
