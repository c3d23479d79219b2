// ThreadRoster: the tasks and the threads of a pool, and who is called for which task.
//
// Invariants.
// - A task that was pushed is seen by a thread: push() adds the task and then looks for an idle
//   thread, a thread says that it is idle and then looks for a task. One push calls one thread at
//   most.
// - The idle thread with the lowest number is called first, so the others stay idle and can go.
// - Where none is idle, a push calls for a thread to be made, as long as a number is vacant.
// push() takes no lock and is for any thread. The pool's threads, who lock only among themselves,
// call the rest, each with its own number.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>
#include <utility>

#include "ksvc/core/worker_pool.hpp"

namespace weft::ksvc {

// `Atomic` and `Mutex` are the real ones, or what watches every step of the algorithm.
template <template <class> class Atomic = std::atomic, class Mutex = std::mutex>
class ThreadRoster {
 public:
  // One bit in a word for each thread.
  static constexpr unsigned kMostThreads = 64;

  enum class Kind : std::uint8_t { nobody, wake, make };
  struct Call {
    Kind kind = Kind::nobody;
    unsigned number = 0;
  };

  explicit ThreadRoster(unsigned threads)
      : all_(threads == kMostThreads ? ~std::uint64_t{0} : bit(threads) - 1), vacant_(all_) {}

  // The caller wakes or makes the thread that it is told, or says that it could not be made.
  Call push(PoolTask& task) noexcept {
    PoolTask* newest = newest_.load(std::memory_order_relaxed);
    do {
      task.next = newest;
    } while (!newest_.compare_exchange_weak(newest, &task, std::memory_order_seq_cst,
                                            std::memory_order_relaxed));
    return call_somebody();
  }
  // A thread is about to be made without a task, as the first ones are.
  void occupy(unsigned number) noexcept {
    vacant_.fetch_and(~bit(number), std::memory_order_seq_cst);
  }
  // The thread has ended, or could not be made.
  void vacate(unsigned number) noexcept {
    vacant_.fetch_or(bit(number), std::memory_order_seq_cst);
  }

  // A task, and whom to call besides; or no task, and then this thread is among the idle ones.
  struct Taken {
    PoolTask* task = nullptr;
    Call call;
  };
  Taken take_or_announce(unsigned number) {
    PoolTask* task = take();
    if (task != nullptr) return {task, {}};
    announce(number);
    task = take();
    if (task == nullptr || retract(number)) return {task, {}};
    // Called for a task that may have come after this look; that one must not wait for the end of
    // the task found here.
    return {task, has_tasks() ? call_somebody() : Call{}};
  }
  // The two parts of it.
  PoolTask* take() {
    const std::lock_guard lock(mutex_);
    if (oldest_ == nullptr) {
      if (newest_.load(std::memory_order_seq_cst) == nullptr) return nullptr;
      PoolTask* task = newest_.exchange(nullptr, std::memory_order_acquire);
      while (task != nullptr) {
        PoolTask* next = std::exchange(task->next, oldest_);
        oldest_ = std::exchange(task, next);
      }
    }
    return std::exchange(oldest_, oldest_->next);
  }
  void announce(unsigned number) noexcept {
    idle_.fetch_or(bit(number), std::memory_order_seq_cst);
  }
  // False when somebody has taken the announcement down, and wakes or has woken this thread.
  bool retract(unsigned number) noexcept {
    return (idle_.fetch_and(~bit(number), std::memory_order_seq_cst) & bit(number)) != 0;
  }
  // The numbers of all that were idle, as bits; each is to be woken.
  std::uint64_t retract_all() noexcept { return idle_.exchange(0, std::memory_order_seq_cst); }

  // A thread that is not idle any more gives its number back. False when it is needed after all.
  bool leave(unsigned number) {
    vacate(number);
    // A push that found this thread neither idle nor gone counts on it.
    if (!has_tasks()) return true;
    // Or somebody has just made another thread of this number.
    return (vacant_.fetch_and(~bit(number), std::memory_order_seq_cst) & bit(number)) == 0;
  }

  bool all_gone() const noexcept { return vacant_.load(std::memory_order_seq_cst) == all_; }
  unsigned threads() const noexcept {
    return count(all_ & ~vacant_.load(std::memory_order_relaxed));
  }
  unsigned idle() const noexcept { return count(idle_.load(std::memory_order_relaxed)); }

 private:
  static std::uint64_t bit(unsigned number) noexcept { return std::uint64_t{1} << number; }
  static unsigned number(std::uint64_t bit) noexcept {
    return static_cast<unsigned>(std::countr_zero(bit));
  }
  static unsigned count(std::uint64_t bits) noexcept {
    return static_cast<unsigned>(std::popcount(bits));
  }

  Call call_somebody() noexcept {
    if (const std::uint64_t taken = take_lowest(idle_); taken != 0) {
      return {Kind::wake, number(taken)};
    }
    if (const std::uint64_t taken = take_lowest(vacant_); taken != 0) {
      return {Kind::make, number(taken)};
    }
    return {};
  }

  // The lowest bit, or zero when there is none.
  static std::uint64_t take_lowest(Atomic<std::uint64_t>& bits) noexcept {
    std::uint64_t before = bits.load(std::memory_order_seq_cst);
    while (before != 0 &&
           !bits.compare_exchange_weak(before, before & (before - 1), std::memory_order_seq_cst)) {
    }
    return before & (~before + 1);
  }

  bool has_tasks() {
    const std::lock_guard lock(mutex_);
    return oldest_ != nullptr || newest_.load(std::memory_order_seq_cst) != nullptr;
  }

  const std::uint64_t all_;
  Atomic<PoolTask*> newest_{nullptr};
  Atomic<std::uint64_t> idle_{0};
  Atomic<std::uint64_t> vacant_;
  Mutex mutex_;
  PoolTask* oldest_ = nullptr;
};

}  // namespace weft::ksvc
