// What a signal's machine context says on aarch64.
#pragma once

#include <ucontext.h>

#include <cstdint>

namespace weft::gvt {

inline const void* interrupted_instruction(const void* machine_context) noexcept {
  const auto* context = static_cast<const ucontext_t*>(machine_context);
  return reinterpret_cast<const void*>(context->uc_mcontext.pc);
}

// Whether the instruction is the one at the end of switch_context() that runs with the stack
// pointer of the stack to come while the unwinding information is still that of the one left.
inline bool between_two_stacks(const void* instruction) noexcept {
  constexpr std::uint32_t kJump = 0xd61f0200;  // br x16
  return *static_cast<const std::uint32_t*>(instruction) == kJump;
}

}  // namespace weft::gvt
