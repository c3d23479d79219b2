// The switch between two stacks on aarch64 (AAPCS64).
//
// switch_context() stores where it is and goes on where `to` was stored. It is inlined, so it needs
// no call and no return. The compiler is told that every register but the stack and frame pointer
// is lost, so it keeps only what is live. The jump goes through x16, which with branch target
// identification may land both on the pad below and at the entry of a function. The link register
// is zero after it: at a fresh stack's entry that is the return address where stack walks end. The
// floating-point control register is the thread's, not the stack's: who changes the rounding mode
// must set it back before parking.
#pragma once

#include <cstdint>

// The registers that only builds with the scalable vector extension hold values in. Its vector
// registers are v0 to v31, made longer.
#if defined(__ARM_FEATURE_SVE)
#define WEFT_SVE_REGISTERS                                                                       \
  "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", \
      "p15", "ffr",
#else
#define WEFT_SVE_REGISTERS
#endif

namespace weft::gvt {

struct Context {
  void* stack_pointer = nullptr;
  void* frame_pointer = nullptr;
  void* instruction = nullptr;
};

[[gnu::always_inline]] inline void switch_context(Context& from, const Context& to) noexcept {
  register Context* from_register __asm__("x0") = &from;
  register const Context* to_register __asm__("x1") = &to;
  __asm__ volatile(
      "adr x16, 1f\n\t"
      "mov x17, sp\n\t"
      "stp x17, x29, [%0]\n\t"
      "str x16, [%0, #16]\n\t"
      "mov x30, xzr\n\t"
      "ldr x16, [%1, #16]\n\t"
      "ldp x17, x29, [%1]\n\t"
      "mov sp, x17\n\t"
      "br x16\n"
      "1:\n\t"
      "hint #36\n\t"  // bti j
      : "+r"(from_register), "+r"(to_register)
      :
      : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
        "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28",
        "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",
        "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
        "v26", "v27", "v28", "v29", "v30", "v31", WEFT_SVE_REGISTERS "cc", "memory");
}

// A context that enters `entry` on the stack ending at `top`. Entry must not return. The zeros
// above it are the frame record at which walks along the frame pointers end.
inline Context fresh_context(void* top, void (*entry)()) noexcept {
  auto address = reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15};
  auto* record = reinterpret_cast<std::uintptr_t*>(address - 2 * sizeof(std::uintptr_t));
  record[0] = 0;
  record[1] = 0;
  return {record, record, reinterpret_cast<void*>(entry)};
}

}  // namespace weft::gvt

#undef WEFT_SVE_REGISTERS
