// The futex system call: sleeping on a word in memory, and waking who sleeps there.
//
// Both keep errno. Any thread, signal handlers too.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weft::ksvc {

// Who may sleep on the word: threads of this process alone, which is cheaper, or of any that maps
// it.
enum class FutexScope : std::uint8_t { process, shared };

// Wakes all who sleep there.
void futex_wake(const std::atomic<std::uint32_t>& word, FutexScope scope) noexcept;
// Returns at a wake, at a signal, when the time is over, or because the word is another already.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::nanoseconds at_most, FutexScope scope) noexcept;

}  // namespace weft::ksvc
