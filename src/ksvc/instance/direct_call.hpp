// A system call made in place, as an Entry describes it.
//
// Any thread; the call is the calling thread's own. errno is left as it was.
#pragma once

#include <cstdint>

#include "ksvc/instance/entry.hpp"

namespace weft::ksvc {

// What the kernel returned, or -errno. The calls that change who the process is are made through
// the C library, which makes them in every thread: a process whose threads are different users is
// what nobody asks for.
std::int64_t call_directly(const Entry& entry) noexcept;

// Whether the call changes what a shared page knows, credentials or limits, so that it must be
// asked anew.
bool changes_facts(long nr) noexcept;

}  // namespace weft::ksvc
