// SimRandom: the one stream of random numbers that a simulated world draws from.
//
// A generator of its own, so that a seed means the same with every compiler and library. One
// thread.
#pragma once

#include <cstdint>

namespace weft::ksvc {

class SimRandom {
 public:
  explicit constexpr SimRandom(std::uint64_t seed) noexcept : state_(seed) {}

  constexpr std::uint64_t next() noexcept {
    // A Weyl sequence, each step stirred by two multiplications (the finalizer of MurmurHash3).
    state_ += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 33)) * 0xFF51'AFD7'ED55'8CCD;
    mixed = (mixed ^ (mixed >> 33)) * 0xC4CE'B9FE'1A85'EC53;
    return mixed ^ (mixed >> 33);
  }
  // 0 to bound - 1, which fits in 32 bits.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    return ((next() >> 32) * bound) >> 32;
  }
  constexpr std::uint64_t between(std::uint64_t least, std::uint64_t most) noexcept {
    return least + below(most - least + 1);
  }
  // True `per_mille` times in a thousand. Draws nothing for what never happens, so that switching
  // one fault off leaves the runs of the others as they are.
  constexpr bool strikes(unsigned per_mille) noexcept {
    return per_mille != 0 && below(1000) < per_mille;
  }

 private:
  std::uint64_t state_;
};

}  // namespace weft::ksvc
