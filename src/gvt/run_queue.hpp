// RunQueue: the Runnables a worker will run next, first in first out. Owner's thread only.
#pragma once

#include "weft/detail/runnable.hpp"

namespace weft::gvt {

using detail::Runnable;

class RunQueue {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  // The one that pop() gives next; the others follow by `next`.
  Runnable* first() const noexcept { return first_; }

  void push(Runnable& task) noexcept {
    task.next = nullptr;
    *last_ = &task;
    last_ = &task.next;
  }

  Runnable* pop() noexcept {
    Runnable* task = first_;
    if (task == nullptr) return nullptr;
    first_ = task->next;
    if (first_ == nullptr) last_ = &first_;
    return task;
  }

 private:
  Runnable* first_ = nullptr;
  Runnable** last_ = &first_;
};

}  // namespace weft::gvt
