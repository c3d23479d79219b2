// weft_call_above_parked() on x86-64: calls a function from a frame that says its caller is a
// parked stack, so that whoever unwinds from there finds the parked frames.
//
// Only the unwinding information tells the lie. The parked stack is neither entered nor written, so
// it needs no room, and the way back is an ordinary return.

#if defined(__x86_64__)
#include <cet.h>

        .text
        .p2align 4
        .globl  weft_call_above_parked
        .hidden weft_call_above_parked
        .type   weft_call_above_parked, @function
// void weft_call_above_parked(void (*call)(void*), void* argument, const Context* parked)
weft_call_above_parked:
        .cfi_startproc
        // The address that this frame "returns" to is where the parked stack goes on, not one
        // behind a call: it is looked up as it is.
        .cfi_signal_frame
        _CET_ENDBR
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        movq    %rdx, %rbx
        .cfi_remember_state
        // Context: 0 stack pointer, 8 frame pointer, 16 instruction.
        .cfi_escape 0x0f, 3, 0x73, 0, 0x06      // the caller's stack pointer: *(rbx + 0)
        .cfi_escape 0x10, 6, 2, 0x73, 8         // its rbp is at rbx + 8
        .cfi_escape 0x10, 16, 2, 0x73, 16       // where it goes on is at rbx + 16
        .cfi_undefined %rbx
        .cfi_undefined %r12
        .cfi_undefined %r13
        .cfi_undefined %r14
        .cfi_undefined %r15
        movq    %rdi, %rax
        movq    %rsi, %rdi
        call    *%rax
        .cfi_restore_state
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .cfi_endproc
        .size   weft_call_above_parked, . - weft_call_above_parked
#endif

        .section .note.GNU-stack, "", %progbits
