// ProbeRouter: the SyscallRouter that asks the kernel once, when it is made.
//
// A call whose io_uring operation this kernel supports is served by the ring, otherwise by the
// pool; a newer kernel promotes its calls by itself. Immutable; a look-up is an array index and
// safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "ksvc/core/syscall_router.hpp"
#include "ksvc/router/kernel_features.hpp"

namespace weft::ksvc {

class ProbeRouter {
 public:
  explicit ProbeRouter(const KernelFeatures& features) noexcept;

  Tier tier(long nr) const noexcept { return entry(nr).tier; }
  std::optional<std::uint8_t> opcode(long nr) const noexcept {
    const Entry found = entry(nr);
    if (found.tier != Tier::ring) return std::nullopt;
    return found.opcode;
  }
  static constexpr const char* name() noexcept { return "ProbeRouter"; }

 private:
  struct Entry {
    Tier tier = Tier::pool;
    std::uint8_t opcode = 0;
  };
  // Above every number a kernel has given out so far; what lies beyond goes to the pool.
  static constexpr long kEntries = 512;

  Entry entry(long nr) const noexcept {
    if (nr < 0 || nr >= kEntries) return {};
    return entries_[static_cast<std::size_t>(nr)];
  }

  std::array<Entry, kEntries> entries_{};
};

}  // namespace weft::ksvc
