// What green threads wait for one another with: Mutex, RwLock, CondVar, Semaphore, WaitGroup,
// Barrier and Once.
//
// Any thread: the green threads of any worker and OS threads that are no workers may share one.
// Green threads park in them, others block. A parked call that is cancelled throws Cancelled and
// leaves everything as if it had not been made; who was given a lock, a permit or a signal at the
// same moment has it, and does not throw. What does not have to wait does not look at cancellation.
// None of them is recursive. A green thread may give back what another one took, or what it took
// on another worker. Each may be destroyed as soon as nobody waits in it or will use it again, be
// the others still on their way out of unlock(), release() or done().
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "weft/detail/spin_lock.hpp"
#include "weft/detail/wait_list.hpp"

namespace weft {

// For std::lock_guard and std::unique_lock. Who comes while it is free takes it, even before those
// who wait; who has waited and was passed over once is handed it over next. So nobody starves.
class Mutex {
 public:
  Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // Parks until the caller has it. Throws Cancelled.
  void lock() {
    if (!take_free()) lock_slowly(detail::kNever);
  }
  // False when another has it.
  bool try_lock() noexcept { return take_free() || try_lock_slowly(); }
  // False when that would take longer.
  bool lock_for(std::chrono::nanoseconds timeout);
  // Gives it back.
  void unlock() noexcept {
    std::uint32_t state = kLocked;
    if (!state_.compare_exchange_strong(state, 0, std::memory_order_release,
                                        std::memory_order_relaxed)) [[unlikely]] {
      unlock_slowly();
    }
  }

 private:
  friend class CondVar;

  static constexpr std::uint32_t kLocked = 1;
  static constexpr std::uint32_t kQueued = 2;  // someone is in the list
  static constexpr std::uint32_t kWoken = 4;  // someone was woken to take it, and has not tried yet
  static constexpr std::uint32_t kOwned = 8;  // whoever set this alone may change the word and list

  bool take_free() noexcept {
    std::uint32_t state = 0;
    return state_.compare_exchange_strong(state, kLocked, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }
  bool try_lock_slowly() noexcept;
  bool lock_slowly(std::int64_t deadline_ns);
  void lock_uncancelled() noexcept;
  void unlock_slowly() noexcept;
  std::uint32_t own_word() noexcept;
  void disown_word(std::uint32_t state) noexcept;
  bool queue_up(detail::QueuedWaiter& waiter, bool passed_over) noexcept;
  bool take_when_woken() noexcept;
  void leave_queue(detail::QueuedWaiter& waiter) noexcept;

  // One word, so that an unlock() has touched the mutex for the last time when others can see it.
  std::atomic<std::uint32_t> state_{0};
  detail::WaitList waiters_;
};

// Shared by readers or held by one writer; for std::shared_lock and std::unique_lock. Everybody
// gets it in the order of coming, readers who come one after another together: neither readers nor
// writers starve, and a reader that locks it again while a writer waits waits for itself.
class RwLock {
 public:
  RwLock() noexcept = default;
  RwLock(const RwLock&) = delete;
  RwLock& operator=(const RwLock&) = delete;

  // For the writer. Parks until the caller has it alone. Throws Cancelled.
  void lock() { take(kWriter, detail::kNever); }
  // False when another has it, or waits for it.
  bool try_lock() noexcept;
  // False when that would take longer.
  bool lock_for(std::chrono::nanoseconds timeout);
  // The writer gives it back.
  void unlock() noexcept;

  // For a reader. Parks while a writer has it, or came before. Throws Cancelled.
  void lock_shared() { take(kReader, detail::kNever); }
  // False when a writer has it, or someone waits for it.
  bool try_lock_shared() noexcept;
  // False when that would take longer.
  bool lock_shared_for(std::chrono::nanoseconds timeout);
  // A reader gives it back.
  void unlock_shared() noexcept;

 private:
  static constexpr std::size_t kReader = 0;
  static constexpr std::size_t kWriter = 1;

  bool take(std::size_t kind, std::int64_t deadline_ns);
  bool take_now(std::size_t kind) noexcept;
  void let_in(detail::ToWake& woken) noexcept;

  detail::SpinLock lock_;
  bool written_ = false;
  std::size_t readers_ = 0;
  detail::WaitList waiters_;
};

// Waits until something that a mutex guards has changed. There are no wake-ups without a notify,
// but what was changed may have changed again when the mutex is locked; so look in a loop, or give
// the predicate. Whatever wait() comes to, the mutex is locked when it returns or throws.
class CondVar {
 public:
  CondVar() noexcept = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Unlocks, parks until it is notified, and locks again. Throws Cancelled.
  void wait(std::unique_lock<Mutex>& lock) { wait_until(lock, detail::kNever); }
  // Until the predicate holds.
  template <class Predicate>
  void wait(std::unique_lock<Mutex>& lock, Predicate until) {
    while (!until()) wait(lock);
  }
  // False when nobody notified it in time.
  bool wait_for(std::unique_lock<Mutex>& lock, std::chrono::nanoseconds timeout) {
    return wait_until(lock, detail::deadline_after(timeout.count()));
  }
  // What the predicate says at the end.
  template <class Predicate>
  bool wait_for(std::unique_lock<Mutex>& lock, std::chrono::nanoseconds timeout, Predicate until) {
    const std::int64_t deadline_ns = detail::deadline_after(timeout.count());
    while (!until()) {
      if (!wait_until(lock, deadline_ns)) return until();
    }
    return true;
  }
  // Wakes who has waited longest. With the mutex locked, or without, as the next one.
  void notify_one() noexcept;
  // Wakes all who wait.
  void notify_all() noexcept;

 private:
  bool wait_until(std::unique_lock<Mutex>& lock, std::int64_t deadline_ns);

  detail::SpinLock lock_;
  detail::WaitList waiters_;
};

// A number of permits. They are given in the order of asking: who asks for many is not passed by
// those who ask for few.
class Semaphore {
 public:
  // With so many permits to begin with.
  explicit Semaphore(std::size_t permits) noexcept : permits_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Parks until the caller has so many. Throws Cancelled.
  void acquire(std::size_t count = 1) { take(count, detail::kNever); }
  // False when someone waits or there are too few.
  bool try_acquire(std::size_t count = 1) noexcept;
  // False when that would take longer.
  bool acquire_for(std::chrono::nanoseconds timeout, std::size_t count = 1);
  // Gives so many back, or adds them.
  void release(std::size_t count = 1) noexcept;

 private:
  bool take(std::size_t count, std::int64_t deadline_ns);
  void give(detail::ToWake& woken) noexcept;

  detail::SpinLock lock_;
  std::size_t permits_;
  detail::WaitList waiters_;
};

// Counts what is under way, and waits until it is nothing.
class WaitGroup {
 public:
  // With so much under way to begin with.
  explicit WaitGroup(std::size_t count = 0) noexcept : count_(count) {}
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  // Before what it counts is started.
  void add(std::size_t count = 1) noexcept;
  // One thing has ended.
  void done() noexcept;
  // Parks until nothing is under way. Throws Cancelled.
  void wait() { wait_until(detail::kNever); }
  // False when that would take longer.
  bool wait_for(std::chrono::nanoseconds timeout);

 private:
  bool wait_until(std::int64_t deadline_ns);

  detail::SpinLock lock_;
  std::size_t count_;
  detail::WaitList waiters_;
};

// Lets so many go on together, again and again. Who is cancelled in it has not arrived.
class Barrier {
 public:
  // How many go on together, at least one.
  explicit Barrier(std::size_t parties) noexcept;
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // Parks until so many have arrived. True for one of them: the last to arrive. Throws Cancelled.
  bool arrive_and_wait();

 private:
  detail::SpinLock lock_;
  const std::size_t parties_;
  std::size_t missing_;
  detail::WaitList waiters_;
};

// Has something done once, by whoever comes first; the others wait until it is done. When it
// throws, it is not done, and one of those who wait does it.
class Once {
 public:
  Once() noexcept = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  // Calls `function`, or waits until another has. Throws Cancelled, and what the function throws.
  template <class Function>
  void call(Function&& function) {
    if (done() || !begin()) return;
    Attempt attempt{*this};
    std::forward<Function>(function)();
    attempt.succeeded = true;
  }
  // Whether it has been done.
  bool done() const noexcept { return done_.load(std::memory_order_acquire); }

 private:
  struct Attempt {
    Once& once;
    bool succeeded = false;
    ~Attempt() { once.end(succeeded); }
  };

  // Waits while another one tries; false when it is done.
  bool begin();
  void end(bool succeeded) noexcept;

  detail::SpinLock lock_;
  bool tried_ = false;  // someone is at it
  std::atomic<bool> done_{false};
  detail::WaitList waiters_;
};

}  // namespace weft
