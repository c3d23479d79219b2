// A checksum for what simulated kernels watch and trace: fast, and the same everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weft::ksvc {

constexpr std::uint64_t sim_mix(std::uint64_t sum, std::uint64_t word) noexcept {
  sum = (sum ^ word) * 0x9FB2'1C65'1E98'DF25;
  return sum ^ (sum >> 32);
}

inline std::uint64_t sim_checksum(const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint64_t sum = 0x1319'8A2E'0370'7344 ^ size;
  std::uint64_t word = 0;
  for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
    std::memcpy(&word, bytes, sizeof word);
    sum = sim_mix(sum, word);
  }
  if (size == 0) return sum;
  word = 0;
  std::memcpy(&word, bytes, size);
  return sim_mix(sum, word);
}

}  // namespace weft::ksvc
