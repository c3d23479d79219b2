#include "ksvc/notify/futex_call.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace weft::ksvc {

namespace {
constexpr int with_scope(int operation, FutexScope scope) noexcept {
  return scope == FutexScope::process ? operation | FUTEX_PRIVATE_FLAG : operation;
}
}  // namespace

void futex_wake(const std::atomic<std::uint32_t>& word, FutexScope scope) noexcept {
  const int kept_errno = errno;
  // All, not one: a wait that was cancelled a moment ago may still stand in the queue.
  ::syscall(SYS_futex, &word, with_scope(FUTEX_WAKE, scope), INT_MAX, nullptr, nullptr, 0);
  errno = kept_errno;
}

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::nanoseconds at_most, FutexScope scope) noexcept {
  const int kept_errno = errno;
  constexpr std::int64_t kSecond = 1'000'000'000;
  const timespec timeout{static_cast<time_t>(at_most.count() / kSecond),
                         static_cast<long>(at_most.count() % kSecond)};
  const bool endless = at_most == std::chrono::nanoseconds::max();
  ::syscall(SYS_futex, &word, with_scope(FUTEX_WAIT, scope), expected, endless ? nullptr : &timeout,
            nullptr, 0);
  errno = kept_errno;
}

}  // namespace weft::ksvc
