#include "app/log/thread_number.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace weft::app {

namespace {

constexpr unsigned kBits = 64;

// The numbers that are taken: a number belongs to a thread of the process, whatever App it is of.
std::array<std::atomic<std::uint64_t>, kMostThreadNumbers / kBits> taken{};

unsigned take_number() noexcept {
  for (unsigned word = 0; word < taken.size(); ++word) {
    std::uint64_t known = taken[word].load(std::memory_order_relaxed);
    while (known != UINT64_MAX) {
      const auto bit = static_cast<unsigned>(std::countr_one(known));
      const std::uint64_t with = known | std::uint64_t{1} << bit;
      if (taken[word].compare_exchange_weak(known, with, std::memory_order_acquire)) {
        return word * kBits + bit;
      }
    }
  }
  return kMostThreadNumbers;
}

constexpr unsigned kNone = UINT32_MAX;
thread_local unsigned number = kNone;

// Gives it back when the thread ends.
struct Holder {
  ~Holder() {
    const unsigned held = number;
    number = kMostThreadNumbers;
    if (held >= kMostThreadNumbers) return;
    taken[held / kBits].fetch_and(~(std::uint64_t{1} << held % kBits), std::memory_order_release);
  }
};

void hold() noexcept {
  thread_local const Holder holder;
  static_cast<void>(holder);
}

}  // namespace

[[gnu::noinline]] unsigned thread_number() noexcept {
  if (number == kNone) [[unlikely]] {
    number = take_number();
    hold();
  }
  return number;
}

}  // namespace weft::app
