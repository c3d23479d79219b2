// RouteTable: where each system call goes on one kernel, as an array by number.
//
// Made from the system call table and from what the kernel's io_uring can do; at compile time too.
// Immutable; a look-up is an array index and safe from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ksvc/router/syscall_table.hpp"

namespace weft::ksvc {

class RouteTable {
 public:
  // `has_opcode(opcode)` says whether the kernel's io_uring has the operation.
  template <class HasOpcode>
  constexpr explicit RouteTable(HasOpcode has_opcode) {
    // GCC 12 for aarch64 leaves out of a constant what the members say of themselves.
    entries_.fill(Entry{Tier::pool, 0});
    for (const SyscallRow& row : syscall_table()) {
      Entry& entry = entries_[static_cast<std::size_t>(row.nr)];
      if (row.tier != Tier::ring) {
        entry.tier = row.tier;
      } else if (has_opcode(row.opcode)) {
        entry = {Tier::ring, row.opcode};
      }
    }
  }

  constexpr Tier tier(long nr) const noexcept { return entry(nr).tier; }
  constexpr std::optional<std::uint8_t> opcode(long nr) const noexcept {
    const Entry found = entry(nr);
    if (found.tier != Tier::ring) return std::nullopt;
    return found.opcode;
  }

 private:
  struct Entry {
    Tier tier = Tier::pool;
    std::uint8_t opcode = 0;
  };
  constexpr Entry entry(long nr) const noexcept {
    // A negative number is a very large one here.
    if (static_cast<unsigned long>(nr) >= kSyscallNumbers) return {};
    return entries_[static_cast<std::size_t>(nr)];
  }

  std::array<Entry, kSyscallNumbers> entries_{};
};

}  // namespace weft::ksvc
