// The switch between two stacks on x86-64 (System V ABI).
//
// switch_context() stores where it is and goes on where `to` was stored. It is inlined, so it needs
// no call and no return: it ends in an indirect jump, which unlike a `ret` to an address the return
// predictor has never seen costs no misprediction. The compiler is told that every register but the
// stack and frame pointer is lost, so it keeps only what is live. The floating-point control words
// are the thread's, not the stack's: who changes the rounding mode must set it back before parking.
//
// A shadow stack knows nothing of such switches, and would end the process at the next return. What
// includes this is compiled without it (CMakeLists.txt), and a program with one such part is not
// given a shadow stack.
#pragma once

#include <cstdint>

// The registers that only builds for newer processors hold values in.
#if defined(__AVX512F__)
#define WEFT_AVX512_REGISTERS                                                                   \
  "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",     \
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", \
      "k6", "k7",
#else
#define WEFT_AVX512_REGISTERS
#endif
#if defined(__APX_F__)
#define WEFT_APX_REGISTERS                                                                   \
  "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", "r28", \
      "r29", "r30", "r31",
#else
#define WEFT_APX_REGISTERS
#endif

namespace weft::gvt {

struct Context {
  void* stack_pointer = nullptr;
  void* frame_pointer = nullptr;
  void* instruction = nullptr;
};

[[gnu::always_inline]] inline void switch_context(Context& from, const Context& to) noexcept {
  Context* from_register = &from;
  const Context* to_register = &to;
  __asm__ volatile(
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rsp, 0(%0)\n\t"
      "movq %%rbp, 8(%0)\n\t"
      "movq %%rax, 16(%0)\n\t"
      "movq 0(%1), %%rsp\n\t"
      "movq 8(%1), %%rbp\n\t"
      "jmpq *16(%1)\n"
      "1:\n\t"
      : "+D"(from_register), "+S"(to_register)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
        "st(6)", "st(7)", "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7",
        WEFT_AVX512_REGISTERS WEFT_APX_REGISTERS "cc", "memory");
}

// A context that enters `entry` on the stack ending at `top`. Entry must not return. The zero above
// it is the return address at which stack walks end.
inline Context fresh_context(void* top, void (*entry)()) noexcept {
  auto address = reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15};
  auto* slot = reinterpret_cast<std::uintptr_t*>(address - 2 * sizeof(std::uintptr_t));
  slot[0] = 0;
  slot[1] = 0;
  // At a function's entry the ABI has the stack pointer 8 past a multiple of 16.
  return {slot + 1, nullptr, reinterpret_cast<void*>(entry)};
}

}  // namespace weft::gvt

#undef WEFT_APX_REGISTERS
#undef WEFT_AVX512_REGISTERS
