// Backtraces: the addresses that a stack stands at, of the caller, of a parked stack, and of code
// that a signal has interrupted.
//
// An address is one within the instruction that runs or calls, so a symboliser looks it up as it
// is; the innermost comes first. All of these take their memory from the caller and allocate
// nothing, so a signal handler may use them too, once this thread's process has called
// warm_up_backtraces(). A parked stack is only read: any thread may look at it while nobody else
// resumes it.
#pragma once

#include <cstddef>
#include <span>

#include "gvt/context.hpp"

namespace weft::gvt {

// The frames of whoever calls this. Each returns how many addresses it has written.
[[gnu::noinline]] std::size_t backtrace(std::span<void*> addresses) noexcept;

// The frames of a stack that switch_context() has left, or that fresh_context() has made.
std::size_t parked_backtrace(const Context& parked, std::span<void*> addresses) noexcept;

// For a signal handler: the frames of what it interrupts; `machine_context` is its third argument.
// Nothing (0) when the interrupted thread was between two stacks; a moment later it is on one.
std::size_t interrupted_backtrace(const void* machine_context, std::span<void*> addresses) noexcept;

// The unwinder's own first-time work, which a signal handler must not be the first to cause.
void warm_up_backtraces() noexcept;

}  // namespace weft::gvt
