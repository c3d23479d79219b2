// What a signal's machine context says on x86-64.
#pragma once

#include <ucontext.h>

#include <cstddef>

namespace weft::gvt {

inline const void* interrupted_instruction(const void* machine_context) noexcept {
  const auto* context = static_cast<const ucontext_t*>(machine_context);
  return reinterpret_cast<const void*>(context->uc_mcontext.gregs[REG_RIP]);
}

// Whether the instruction is one of the two at the end of switch_context() that run with the stack
// pointer of the stack to come while the unwinding information is still that of the one left.
inline bool between_two_stacks(const void* instruction) noexcept {
  constexpr unsigned char kLastTwo[] = {0x48, 0x8b, 0x6e, 0x08,  // movq 8(%rsi), %rbp
                                        0xff, 0x66, 0x10};       // jmpq *16(%rsi)
  constexpr std::size_t kJump = 4;
  // Byte by byte, and no further than it fits: what follows another instruction may not be there.
  const auto* code = static_cast<const unsigned char*>(instruction);
  const auto goes_on_as = [code](const unsigned char* wanted, const unsigned char* end) {
    for (std::size_t i = 0; wanted + i != end; ++i)
      if (code[i] != wanted[i]) return false;
    return true;
  };
  const unsigned char* end = kLastTwo + sizeof kLastTwo;
  return goes_on_as(kLastTwo, end) || goes_on_as(kLastTwo + kJump, end);
}

}  // namespace weft::gvt
