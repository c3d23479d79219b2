// Inbox: how other threads hand a worker something to run.
//
// Any thread posts; the worker takes all at once, in the order of posting. Before it sleeps, the
// worker announces it and looks once more; a poster who finds the announcement takes it down and
// wakes the worker, so any number of posts cost one wake and none is lost.
#pragma once

#include <atomic>
#include <concepts>
#include <utility>

#include "gvt/run_queue.hpp"
#include "ksvc/core/notifier.hpp"

namespace weft::gvt {

// `Atomic` is std::atomic, or what watches every step of the algorithm.
template <ksvc::Notifier Notifier, template <class> class Atomic = std::atomic>
class Inbox {
 public:
  // The arguments are the notifier's.
  template <class... Arguments>
    requires std::constructible_from<Notifier, Arguments...>
  explicit Inbox(Arguments&&... arguments) : notifier_(std::forward<Arguments>(arguments)...) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Any thread. The task must live until it has run.
  void post(Runnable& task) noexcept {
    Runnable* newest = newest_.load(std::memory_order_relaxed);
    do {
      task.next = newest;
    } while (!newest_.compare_exchange_weak(newest, &task, std::memory_order_seq_cst,
                                            std::memory_order_relaxed));
    ring();
  }
  // Any thread. Ends the owner's sleep, if it sleeps.
  void ring() noexcept {
    if (sleeping_.load(std::memory_order_seq_cst) &&
        sleeping_.exchange(false, std::memory_order_seq_cst)) {
      notifier_.wake();
    }
  }

  // Owner. True when it may sleep; false when something was posted meanwhile.
  bool announce_sleep() noexcept {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (newest_.load(std::memory_order_seq_cst) == nullptr) return true;
    awake();
    return false;
  }
  void awake() noexcept { sleeping_.store(false, std::memory_order_relaxed); }
  // Any thread. Whether the owner has announced its sleep and nobody has rung since.
  bool sleeps() const noexcept { return sleeping_.load(std::memory_order_seq_cst); }

  // Owner. Moves everything posted so far to `queue`.
  void take_all(RunQueue& queue) noexcept {
    if (newest_.load(std::memory_order_relaxed) == nullptr) return;
    Runnable* task = newest_.exchange(nullptr, std::memory_order_acquire);
    Runnable* oldest = nullptr;
    while (task != nullptr) {
      Runnable* next = task->next;
      task->next = oldest;
      oldest = task;
      task = next;
    }
    while (oldest != nullptr) {
      Runnable* next = oldest->next;
      queue.push(*oldest);
      oldest = next;
    }
  }

  Notifier& notifier() noexcept { return notifier_; }

 private:
  Atomic<Runnable*> newest_{nullptr};
  Atomic<bool> sleeping_{false};
  Notifier notifier_;
};

}  // namespace weft::gvt
