#include <sched.h>

#include "gvt/sync_wait.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/sync.hpp"

namespace weft {

using detail::Outcome;
using detail::QueuedWaiter;

namespace {

// The mutex was given to the waiter, and was never free; `woken` only asks it to try.
constexpr auto kHandedOver = static_cast<Outcome>(static_cast<std::uint32_t>(Outcome::woken) + 1);

constexpr std::size_t kPassedOver = 1;

}  // namespace

// What holds while nobody owns the word: if someone is in the list, the mutex is locked or someone
// was woken to take it. So whoever leaves the list owes nothing to those who stay, and whoever was
// woken must try.

std::uint32_t Mutex::own_word() noexcept {
  constexpr int kSpins = 64;
  for (int spins = 0;; ++spins) {
    std::uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & kOwned) == 0 &&
        state_.compare_exchange_weak(state, state | kOwned, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return state;
    }
    // The owner has been preempted.
    if (spins >= kSpins) ::sched_yield();
  }
}

void Mutex::disown_word(std::uint32_t state) noexcept {
  state &= ~(kOwned | kQueued);
  state_.store(waiters_.empty() ? state : state | kQueued, std::memory_order_release);
}

bool Mutex::try_lock_slowly() noexcept {
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  while ((state & kLocked) == 0) {
    if ((state & kOwned) != 0) {
      // Whoever owns the word may be about to unlock.
      state = own_word();
      disown_word(state);
      continue;
    }
    if (state_.compare_exchange_weak(state, state | kLocked, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

// False when the mutex was free: then it is the caller's.
bool Mutex::queue_up(QueuedWaiter& waiter, bool passed_over) noexcept {
  const std::uint32_t state = own_word();
  const bool free = (state & kLocked) == 0;
  if (!free && passed_over) {
    waiter.wish = kPassedOver;
    waiters_.push_front(waiter);
  } else if (!free) {
    waiters_.push_back(waiter);
  }
  disown_word(state | kLocked);
  return !free;
}

// Otherwise whoever has it will wake the first in the list when unlocking.
bool Mutex::take_when_woken() noexcept {
  const std::uint32_t state = own_word();
  disown_word((state & ~kWoken) | kLocked);
  return (state & kLocked) == 0;
}

void Mutex::leave_queue(QueuedWaiter& waiter) noexcept {
  const std::uint32_t state = own_word();
  waiters_.remove(waiter);
  disown_word(state);
}

bool Mutex::lock_slowly(std::int64_t deadline_ns) {
  if (try_lock_slowly()) return true;
  for (bool passed_over = false;; passed_over = true) {
    QueuedWaiter waiter("a mutex", this);
    if (!queue_up(waiter, passed_over)) return true;
    const Outcome outcome = waiter.wait(deadline_ns);
    if (outcome == kHandedOver) return true;
    if (outcome != Outcome::woken) {
      leave_queue(waiter);
      return !gvt::timed_out_or_throw(outcome);
    }
    if (take_when_woken()) return true;
  }
}

// Nothing can be done about a park that cannot be prepared: the caller has promised the mutex.
void Mutex::lock_uncancelled() noexcept {
  if (take_free() || try_lock_slowly()) return;
  for (bool passed_over = false;; passed_over = true) {
    QueuedWaiter waiter("a mutex", this);
    if (!queue_up(waiter, passed_over)) return;
    if (waiter.wait_uncancelled() == kHandedOver || take_when_woken()) return;
  }
}

bool Mutex::lock_for(std::chrono::nanoseconds timeout) {
  return take_free() || lock_slowly(detail::deadline_after(timeout.count()));
}

// Handing a mutex over at every unlock costs a switch, or between OS threads a sleep and a wake-up,
// per lock as soon as anyone waits. Letting whoever runs take it costs none, but may pass over
// those who wait for ever. So the first is woken to try; when it comes too late, it is handed over.
void Mutex::unlock_slowly() noexcept {
  std::uint32_t state = own_word();
  WEFT_ASSERT((state & kLocked) != 0 && "a mutex was unlocked that is not locked");
  QueuedWaiter* next = waiters_.first();
  while (next != nullptr) {
    const bool hand_over = next->wish == kPassedOver;
    if (!hand_over && (state & kWoken) != 0) {
      next = nullptr;
      break;
    }
    waiters_.remove(*next);
    if (next->claim(hand_over ? kHandedOver : Outcome::woken)) {
      state |= hand_over ? 0 : kWoken;
      break;
    }
    next = waiters_.first();
  }
  const bool handed_over = next != nullptr && next->outcome() == kHandedOver;
  disown_word(handed_over ? state : state & ~kLocked);
  if (next != nullptr) next->wake();
}

void CondVar::notify_one() noexcept {
  QueuedWaiter* waiter = nullptr;
  {
    const detail::SpinGuard guard(lock_);
    waiter = waiters_.claim_first(Outcome::woken);
  }
  if (waiter != nullptr) waiter->wake();
}

void CondVar::notify_all() noexcept {
  detail::ToWake woken;
  const detail::SpinGuard guard(lock_);
  woken.add_all(waiters_);
}

bool CondVar::wait_until(std::unique_lock<Mutex>& lock, std::int64_t deadline_ns) {
  WEFT_ASSERT(lock.owns_lock() && "CondVar: wait with the mutex locked");
  Mutex& mutex = *lock.mutex();
  QueuedWaiter waiter("a notification", this);
  {
    const detail::SpinGuard guard(lock_);
    waiters_.push_back(waiter);
  }
  mutex.unlock();
  const Outcome outcome = waiter.wait(deadline_ns);
  if (outcome != Outcome::woken) {
    const detail::SpinGuard guard(lock_);
    waiters_.remove(waiter);
  }
  mutex.lock_uncancelled();
  return outcome == Outcome::woken || !gvt::timed_out_or_throw(outcome);
}

}  // namespace weft
