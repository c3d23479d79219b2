// The seeds that a simulation is run on: the usual ones, or those of WEFT_SIM_SEEDS=from-to.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace weft::test {

struct Seeds {
  std::uint64_t from;
  std::uint64_t to;
};

inline Seeds seeds_asked_for(Seeds usual) {
  const char* range = std::getenv("WEFT_SIM_SEEDS");
  if (range == nullptr) return usual;
  char* end = nullptr;
  usual.from = std::strtoull(range, &end, 10);
  usual.to = *end == '-' ? std::strtoull(end + 1, nullptr, 10) : usual.from;
  return usual;
}

}  // namespace weft::test
