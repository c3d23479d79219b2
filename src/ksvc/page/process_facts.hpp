// What a shared page says, asked of the kernel.
//
// Plain system calls and /proc; nothing is cached, and libc's own caches are not trusted, so the
// answers are right in a process that was forked by a raw system call. Safe from any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "ksvc/page/page_layout.hpp"

namespace weft::ksvc {

// Pid, parent, start time.
void read_process(FactValues& values) noexcept;
// The calling thread's credentials.
void read_credentials(FactValues& values) noexcept;
void read_limits(FactValues& values) noexcept;
void read_system(FactValues& values) noexcept;
void read_texts(PageTexts& texts) noexcept;

// Whether all threads of this process have the calling thread's user and group ids. False where
// /proc does not tell: then nobody knows.
bool threads_share_credentials(const FactValues& mine) noexcept;

// The calling thread's value of a credential; any other fact's value is passed through.
std::uint64_t own_credential(Fact fact, std::uint64_t value) noexcept;

// When the process with this pid began, in clock ticks since the boot; nothing when there is none
// or when it has ended and only waits to be reaped.
std::optional<std::uint64_t> process_start_ticks(pid_t pid) noexcept;

}  // namespace weft::ksvc
