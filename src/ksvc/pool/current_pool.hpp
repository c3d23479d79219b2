// Which pool the calling thread runs a task of; each thread sees only its own answer.
#pragma once

namespace weft::ksvc {

// Never inlined, since a compiler may keep the address of a thread-local across a stack switch.
const void* current_pool() noexcept;
// Returns what it was before.
const void* set_current_pool(const void* pool) noexcept;

}  // namespace weft::ksvc
