#include "ksvc/pool/pool_threads.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <bit>
#include <cstdio>
#include <system_error>
#include <utility>

#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/pool/current_pool.hpp"

namespace weft::ksvc {

namespace {

constexpr std::uint64_t kOneSubmitter = std::uint64_t{1} << 32;
constexpr std::uint64_t kQueuedMask = kOneSubmitter - 1;
constexpr std::uint64_t kStopping = std::uint64_t{1} << 63;

// Signals are for the threads that expect them. Faults are this thread's own.
sigset_t signals_to_block() noexcept {
  sigset_t signals;
  ::sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    ::sigdelset(&signals, fault);
  }
  return signals;
}

// Leaves the processor's other thread, and its bus, to others for a moment.
void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace

PoolThreads::PoolThreads(PoolThreadsOptions options)
    : options_(std::move(options)),
      slots_(std::make_unique<Slot[]>(options_.most)),
      roster_(options_.most) {
  WEFT_ASSERT(options_.fewest >= 1 && options_.fewest <= options_.most &&
              options_.most <= kMostThreads);
  WEFT_ASSERT(options_.queue_capacity > 0 && options_.queue_capacity < kQueuedMask / 2);
  for (unsigned i = 0; i < options_.most; ++i) {
    slots_[i].pool = this;
    slots_[i].number = i;
  }
  for (unsigned i = 0; i < options_.fewest; ++i) {
    roster_.occupy(i);
    if (const int failed = make_thread(slots_[i]); failed != 0) {
      roster_.vacate(i);
      stop();
      throw std::system_error(failed, std::generic_category(), "pool thread");
    }
  }
}

PoolThreads::~PoolThreads() { stop(); }

PoolAnswer PoolThreads::submit(PoolTask& task) noexcept {
  const std::uint64_t before = admission_.fetch_add(kOneSubmitter + 1, std::memory_order_acq_rel);
  const bool stopped = (before & kStopping) != 0;
  if (stopped || (before & kQueuedMask) >= options_.queue_capacity) [[unlikely]] {
    admission_.fetch_sub(kOneSubmitter + 1, std::memory_order_release);
    return stopped ? PoolAnswer::stopped : PoolAnswer::full;
  }
  call(roster_.push(task));
  admission_.fetch_sub(kOneSubmitter, std::memory_order_release);
  return PoolAnswer::accepted;
}

void PoolThreads::call(ThreadRoster<>::Call call) noexcept {
  if (call.kind == ThreadRoster<>::Kind::nobody) return;
  Slot& slot = slots_[call.number];
  if (call.kind == ThreadRoster<>::Kind::wake) {
    slot.notifier.wake();
  } else if (make_thread(slot) == 0) {
    grown_.fetch_add(1, std::memory_order_relaxed);
  } else {
    // The threads there are will come to the task.
    roster_.vacate(call.number);
  }
}

// Returns 0 or an errno. The slot is the caller's to fill.
int PoolThreads::make_thread(Slot& slot) noexcept {
  // Threads inherit the mask, so there is no moment at which the new one could get a signal.
  const sigset_t blocked = signals_to_block();
  sigset_t kept;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &kept);
  pthread_t thread{};
  const int failed = ::pthread_create(&thread, nullptr, &PoolThreads::thread_main, &slot);
  ::pthread_sigmask(SIG_SETMASK, &kept, nullptr);
  return failed;
}

void* PoolThreads::thread_main(void* argument) {
  Slot& slot = *static_cast<Slot*>(argument);
  PoolThreads& pool = *slot.pool;
  pool.settle_in(slot);
  pool.work(slot);
  return nullptr;
}

void PoolThreads::settle_in(Slot& slot) {
  if (slot.has_thread) ::pthread_join(slot.thread, nullptr);
  slot.thread = ::pthread_self();
  slot.has_thread = true;
  set_current_pool(this);
  char name[16];  // as much as the system keeps
  std::snprintf(name, sizeof name, "%.12s-%u", options_.thread_name.c_str(), slot.number);
  ::pthread_setname_np(slot.thread, name);
  // Of this thread alone, as Linux has it. That either is refused is no reason not to work.
  const sched_param no_priority{};
  ::sched_setscheduler(0, SCHED_BATCH, &no_priority);
  ::setpriority(PRIO_PROCESS, 0, options_.nice);
}

void PoolThreads::work(Slot& slot) {
  for (;;) {
    const ThreadRoster<>::Taken taken = roster_.take_or_announce(slot.number);
    if (taken.task != nullptr) {
      call(taken.call);
      run(*taken.task);
    } else if (!sleep(slot)) {
      break;
    }
  }
  // The last that this thread does with the pool; stop() joins it before the pool goes.
  thread_gone_.wake();
}

void PoolThreads::run(PoolTask& task) noexcept {
  busy_.fetch_add(1, std::memory_order_relaxed);
  // Only now is it not queued any more, so that at no moment it seems to be nowhere.
  admission_.fetch_sub(1, std::memory_order_release);
  task.run(task);
  busy_.fetch_sub(1, std::memory_order_relaxed);
}

bool PoolThreads::stopping() const noexcept {
  return (admission_.load(std::memory_order_seq_cst) & kStopping) != 0;
}

// Called as an idle thread. False when the thread is to end.
bool PoolThreads::sleep(Slot& slot) {
  if (stopping()) {
    roster_.retract(slot.number);
    if (queued() == 0) {
      roster_.vacate(slot.number);
      return false;
    }
    // Someone is between being accepted and pushing.
    ::sched_yield();
    return true;
  }
  const bool woken = stay_awake(slot) || slot.notifier.wait(options_.idle_time);
  slot.notifier.acknowledge();
  const bool unclaimed = roster_.retract(slot.number);
  const bool may_go = slot.number >= options_.fewest;
  if (woken || !unclaimed || !may_go || !roster_.leave(slot.number)) return true;
  shrunk_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

// True when it is called meanwhile.
bool PoolThreads::stay_awake(const Slot& slot) const noexcept {
  if (options_.awake_time.count() == 0) return false;
  constexpr int kLooksPerTime = 64;  // since asking for the time takes longer than a look
  const TimePoint until = MonotonicClock().now() + options_.awake_time;
  do {
    for (int i = 0; i < kLooksPerTime; ++i) {
      if (slot.notifier.word().load(std::memory_order_relaxed) != 0) return true;
      relax();
    }
  } while (MonotonicClock().now() < until);
  return false;
}

void PoolThreads::stop() {
  WEFT_ASSERT(!on_own_thread());
  if (stopped_) return;
  admission_.fetch_or(kStopping, std::memory_order_seq_cst);
  std::uint64_t idle = roster_.retract_all();
  for (; idle != 0; idle &= idle - 1) {
    slots_[static_cast<unsigned>(std::countr_zero(idle))].notifier.wake();
  }
  join_all();
  stopped_ = true;
}

void PoolThreads::join_all() {
  for (;;) {
    thread_gone_.acknowledge();
    const std::uint64_t admission = admission_.load(std::memory_order_acquire);
    const bool nobody_submits = (admission & ~kStopping) < kOneSubmitter;
    if (nobody_submits && roster_.all_gone()) break;
    if (nobody_submits) {
      thread_gone_.wait();
    } else {
      ::sched_yield();
    }
  }
  for (unsigned i = 0; i < options_.most; ++i) {
    if (slots_[i].has_thread) ::pthread_join(slots_[i].thread, nullptr);
  }
}

bool PoolThreads::on_own_thread() const noexcept { return current_pool() == this; }

std::size_t PoolThreads::queued() const noexcept {
  return admission_.load(std::memory_order_acquire) & kQueuedMask;
}

}  // namespace weft::ksvc
