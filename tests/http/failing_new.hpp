// Lets a test see what becomes of a shortage of memory: counts what this thread's `new` has given
// and not got back, and makes one of its calls fail.
#pragma once

#include <cstddef>

namespace weft::http::test {

// The first that comes throws std::bad_alloc.
void fail_next_allocation() noexcept;
// Whether that is still to come; then it is called off.
bool call_off_failed_allocation() noexcept;

// Allocated on this thread and not yet freed on it.
std::ptrdiff_t live_allocations_here() noexcept;

}  // namespace weft::http::test
