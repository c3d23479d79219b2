// The system calls a router knows something about, as data: name, number, and where each may go.
//
// A call that is not in the table goes to the worker pool. A ring row names the io_uring operation
// that does the call; whether the kernel has that operation is the router's business, and where it
// has not the call goes to the pool. Constant data; safe from any thread.
#pragma once

#include <cstdint>
#include <span>

#include "ksvc/core/syscall_router.hpp"

namespace weft::ksvc {

struct SyscallRow {
  const char* name;
  std::int16_t nr;
  Tier tier;
  std::uint8_t opcode = 0;  // for Tier::ring
};

std::span<const SyscallRow> syscall_table() noexcept;

}  // namespace weft::ksvc
