#include "gvt/sync_wait.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/sync.hpp"

namespace weft {

using detail::Outcome;
using detail::QueuedWaiter;
using detail::SpinGuard;
using detail::ToWake;

// Under the lock. Behind those who wait, even when it could be had: or else readers that keep
// coming would keep a writer out.
bool RwLock::take_now(std::size_t kind) noexcept {
  if (written_ || !waiters_.empty()) return false;
  if (kind == kReader) {
    ++readers_;
    return true;
  }
  if (readers_ != 0) return false;
  written_ = true;
  return true;
}

// Under the lock, after any change: gives it to as many of the first as may have it together.
void RwLock::let_in(ToWake& woken) noexcept {
  for (QueuedWaiter* next = waiters_.first(); next != nullptr; next = waiters_.first()) {
    const bool writes = next->wish == kWriter;
    if (written_ || (writes && readers_ != 0)) return;
    waiters_.remove(*next);
    if (!next->claim(Outcome::woken)) continue;
    woken.add(*next);
    if (writes) {
      written_ = true;
    } else {
      ++readers_;
    }
  }
}

bool RwLock::take(std::size_t kind, std::int64_t deadline_ns) {
  {
    const SpinGuard guard(lock_);
    if (take_now(kind)) return true;
  }
  QueuedWaiter waiter(kind == kWriter ? "a lock, to write" : "a lock, to read", this);
  waiter.wish = kind;
  {
    const SpinGuard guard(lock_);
    if (take_now(kind)) return true;
    waiters_.push_back(waiter);
  }
  const Outcome outcome = waiter.wait(deadline_ns);
  if (outcome == Outcome::woken) return true;
  {
    ToWake woken;
    const SpinGuard guard(lock_);
    waiters_.remove(waiter);
    // Readers may have waited for this writer only.
    let_in(woken);
  }
  return !gvt::timed_out_or_throw(outcome);
}

bool RwLock::try_lock() noexcept {
  const SpinGuard guard(lock_);
  return take_now(kWriter);
}

bool RwLock::try_lock_shared() noexcept {
  const SpinGuard guard(lock_);
  return take_now(kReader);
}

bool RwLock::lock_for(std::chrono::nanoseconds timeout) {
  return take(kWriter, detail::deadline_after(timeout.count()));
}

bool RwLock::lock_shared_for(std::chrono::nanoseconds timeout) {
  return take(kReader, detail::deadline_after(timeout.count()));
}

void RwLock::unlock() noexcept {
  ToWake woken;
  const SpinGuard guard(lock_);
  WEFT_ASSERT(written_ && "a lock was unlocked that no writer holds");
  written_ = false;
  let_in(woken);
}

void RwLock::unlock_shared() noexcept {
  ToWake woken;
  const SpinGuard guard(lock_);
  WEFT_ASSERT(readers_ != 0 && "a lock was unlocked that no reader holds");
  --readers_;
  let_in(woken);
}

}  // namespace weft
