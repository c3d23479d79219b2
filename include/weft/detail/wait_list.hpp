// WaitList: those who wait for one object, in the order in which they came.
//
// The list is looked at and changed under its owner's lock alone. Who is taken out of it and
// claimed is woken once that lock is free (see ToWake). Who was not woken takes itself out, under
// the lock, before it goes; until then it may still be found here, and cannot be claimed.
#pragma once

#include <cstddef>
#include <utility>

#include "weft/detail/waiter.hpp"

namespace weft::detail {

struct QueuedWaiter : Waiter {
  using Waiter::Waiter;

  QueuedWaiter* next = nullptr;
  QueuedWaiter* previous = nullptr;
  bool queued = false;
  std::size_t wish = 0;  // what it waits for, in terms of the list's owner
};

class WaitList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  // Null when there is none.
  QueuedWaiter* first() const noexcept { return first_; }
  void push_back(QueuedWaiter& waiter) noexcept { link(waiter, last_, nullptr); }
  void push_front(QueuedWaiter& waiter) noexcept { link(waiter, nullptr, first_); }
  // False when it was not here any more.
  bool remove(QueuedWaiter& waiter) noexcept {
    if (!waiter.queued) return false;
    (waiter.previous != nullptr ? waiter.previous->next : first_) = waiter.next;
    (waiter.next != nullptr ? waiter.next->previous : last_) = waiter.previous;
    waiter.queued = false;
    return true;
  }
  QueuedWaiter* pop() noexcept {
    QueuedWaiter* const waiter = first_;
    if (waiter != nullptr) remove(*waiter);
    return waiter;
  }
  // Takes out the first one whose wait has not ended otherwise; its wait ends with `outcome`. Null
  // when there is none.
  QueuedWaiter* claim_first(Outcome outcome) noexcept {
    QueuedWaiter* waiter = pop();
    while (waiter != nullptr && !waiter->claim(outcome)) waiter = pop();
    return waiter;
  }

 private:
  void link(QueuedWaiter& waiter, QueuedWaiter* previous, QueuedWaiter* next) noexcept {
    waiter.previous = previous;
    waiter.next = next;
    (previous != nullptr ? previous->next : first_) = &waiter;
    (next != nullptr ? next->previous : last_) = &waiter;
    waiter.queued = true;
  }

  QueuedWaiter* first_ = nullptr;
  QueuedWaiter* last_ = nullptr;
};

// Those who were claimed under a lock. Made before the lock is taken, it wakes them, in order, when
// the lock is free again.
class ToWake {
 public:
  ToWake() noexcept = default;
  ToWake(const ToWake&) = delete;
  ToWake& operator=(const ToWake&) = delete;
  ~ToWake() {
    while (first_ != nullptr) {
      // Once woken it may be gone.
      std::exchange(first_, first_->next)->wake();
    }
  }

  // Claimed, and in no list.
  void add(QueuedWaiter& waiter) noexcept {
    waiter.next = nullptr;
    *end_ = &waiter;
    end_ = &waiter.next;
  }
  void add_all(WaitList& list) noexcept {
    while (QueuedWaiter* waiter = list.claim_first(Outcome::woken)) add(*waiter);
  }

 private:
  QueuedWaiter* first_ = nullptr;
  QueuedWaiter** end_ = &first_;
};

}  // namespace weft::detail
