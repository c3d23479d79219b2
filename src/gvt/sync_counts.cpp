#include <cstdint>

#include "gvt/sync_wait.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/sync.hpp"

namespace weft {

using detail::Outcome;
using detail::QueuedWaiter;
using detail::SpinGuard;
using detail::ToWake;

// ---- Semaphore

// Under the lock, after any change.
void Semaphore::give(ToWake& woken) noexcept {
  QueuedWaiter* next = waiters_.first();
  while (next != nullptr && next->wish <= permits_) {
    waiters_.remove(*next);
    if (next->claim(Outcome::woken)) {
      permits_ -= next->wish;
      woken.add(*next);
    }
    next = waiters_.first();
  }
}

bool Semaphore::try_acquire(std::size_t count) noexcept {
  const SpinGuard guard(lock_);
  if (!waiters_.empty() || permits_ < count) return false;
  permits_ -= count;
  return true;
}

bool Semaphore::take(std::size_t count, std::int64_t deadline_ns) {
  if (try_acquire(count)) return true;
  QueuedWaiter waiter("permits of a semaphore", this);
  waiter.wish = count;
  {
    const SpinGuard guard(lock_);
    if (waiters_.empty() && permits_ >= count) {
      permits_ -= count;
      return true;
    }
    waiters_.push_back(waiter);
  }
  const Outcome outcome = waiter.wait(deadline_ns);
  if (outcome == Outcome::woken) return true;
  {
    ToWake woken;
    const SpinGuard guard(lock_);
    waiters_.remove(waiter);
    // Those behind it may want less than it did.
    give(woken);
  }
  return !gvt::timed_out_or_throw(outcome);
}

bool Semaphore::acquire_for(std::chrono::nanoseconds timeout, std::size_t count) {
  return take(count, detail::deadline_after(timeout.count()));
}

void Semaphore::release(std::size_t count) noexcept {
  ToWake woken;
  const SpinGuard guard(lock_);
  WEFT_ASSERT(permits_ <= SIZE_MAX - count && "more permits were released than can be counted");
  permits_ += count;
  give(woken);
}

// ---- WaitGroup

void WaitGroup::add(std::size_t count) noexcept {
  const SpinGuard guard(lock_);
  WEFT_ASSERT(count_ <= SIZE_MAX - count && "more was added to a WaitGroup than can be counted");
  count_ += count;
}

void WaitGroup::done() noexcept {
  ToWake woken;
  const SpinGuard guard(lock_);
  WEFT_ASSERT(count_ != 0 && "a WaitGroup was told that more is done than was added");
  if (--count_ == 0) woken.add_all(waiters_);
}

bool WaitGroup::wait_until(std::int64_t deadline_ns) {
  // Only with the lock: whoever made it zero may be about to unlock, and the caller to destroy it.
  {
    const SpinGuard guard(lock_);
    if (count_ == 0) return true;
  }
  QueuedWaiter waiter("what a WaitGroup counts", this);
  {
    const SpinGuard guard(lock_);
    if (count_ == 0) return true;
    waiters_.push_back(waiter);
  }
  const Outcome outcome = waiter.wait(deadline_ns);
  if (outcome == Outcome::woken) return true;
  {
    const SpinGuard guard(lock_);
    waiters_.remove(waiter);
  }
  return !gvt::timed_out_or_throw(outcome);
}

bool WaitGroup::wait_for(std::chrono::nanoseconds timeout) {
  return wait_until(detail::deadline_after(timeout.count()));
}

// ---- Barrier

Barrier::Barrier(std::size_t parties) noexcept : parties_(parties), missing_(parties) {
  WEFT_ASSERT(parties != 0 && "a Barrier is for at least one");
}

bool Barrier::arrive_and_wait() {
  QueuedWaiter waiter("the others at a barrier", this);
  {
    ToWake woken;
    const SpinGuard guard(lock_);
    if (--missing_ == 0) {
      missing_ = parties_;
      woken.add_all(waiters_);
      return true;
    }
    waiters_.push_back(waiter);
  }
  const Outcome outcome = waiter.wait();
  if (outcome == Outcome::woken) return false;
  {
    const SpinGuard guard(lock_);
    // The last one came before we could take our arrival back: the others have gone on with it.
    if (!waiters_.remove(waiter)) return false;
    ++missing_;
  }
  return gvt::timed_out_or_throw(outcome);
}

// ---- Once

namespace {

// Outcome::woken: it has been done.
constexpr auto kTryNext = static_cast<Outcome>(static_cast<std::uint32_t>(Outcome::woken) + 1);

}  // namespace

bool Once::begin() {
  {
    const SpinGuard guard(lock_);
    if (done()) return false;
    if (!tried_) {
      tried_ = true;
      return true;
    }
  }
  QueuedWaiter waiter("what is done once", this);
  {
    const SpinGuard guard(lock_);
    if (done()) return false;
    if (!tried_) {
      tried_ = true;
      return true;
    }
    waiters_.push_back(waiter);
  }
  const Outcome outcome = waiter.wait();
  if (outcome == Outcome::woken) return false;
  // `tried_` has stayed set, so nobody comes in between.
  if (outcome == kTryNext) return true;
  {
    const SpinGuard guard(lock_);
    waiters_.remove(waiter);
  }
  return gvt::timed_out_or_throw(outcome);
}

void Once::end(bool succeeded) noexcept {
  ToWake woken;
  const SpinGuard guard(lock_);
  if (succeeded) {
    done_.store(true, std::memory_order_release);
    woken.add_all(waiters_);
  } else if (QueuedWaiter* next = waiters_.claim_first(kTryNext); next != nullptr) {
    woken.add(*next);
  } else {
    tried_ = false;
  }
}

}  // namespace weft
