// weft_call_above_parked() on aarch64: calls a function from a frame that says its caller is a
// parked stack, so that whoever unwinds from there finds the parked frames.
//
// Only the unwinding information tells the lie. The parked stack is neither entered nor written, so
// it needs no room, and the way back is an ordinary return.

#if defined(__aarch64__)

        .text
        .p2align 4
        .globl  weft_call_above_parked
        .hidden weft_call_above_parked
        .type   weft_call_above_parked, %function
// void weft_call_above_parked(void (*call)(void*), void* argument, const Context* parked)
weft_call_above_parked:
        .cfi_startproc
        // The address that this frame "returns" to is where the parked stack goes on, not one
        // behind a call: it is looked up as it is.
        .cfi_signal_frame
        hint    #34                             // bti c
        stp     x30, x19, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x30, 0
        .cfi_rel_offset x19, 8
        mov     x19, x2
        .cfi_remember_state
        // Context: 0 stack pointer, 8 frame pointer, 16 instruction.
        .cfi_escape 0x0f, 3, 0x83, 0, 0x06      // the caller's stack pointer: *(x19 + 0)
        .cfi_escape 0x10, 29, 2, 0x83, 8        // its x29 is at x19 + 8
        .cfi_escape 0x10, 30, 2, 0x83, 16       // where it goes on is at x19 + 16
        .cfi_undefined x19
        .cfi_undefined x20
        .cfi_undefined x21
        .cfi_undefined x22
        .cfi_undefined x23
        .cfi_undefined x24
        .cfi_undefined x25
        .cfi_undefined x26
        .cfi_undefined x27
        .cfi_undefined x28
        mov     x9, x0
        mov     x0, x1
        blr     x9
        .cfi_restore_state
        ldp     x30, x19, [sp], #16
        .cfi_adjust_cfa_offset -16
        .cfi_restore x30
        .cfi_restore x19
        ret
        .cfi_endproc
        .size   weft_call_above_parked, . - weft_call_above_parked
#endif

        .section .note.GNU-stack, "", %progbits
