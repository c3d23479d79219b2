// SharedQueue: what is ready on a worker and may run on any other of its group, in order. Any
// thread.
#pragma once

#include <atomic>
#include <cstddef>

#include "gvt/run_queue.hpp"
#include "weft/detail/spin_lock.hpp"

namespace weft::gvt {

class SharedQueue {
 public:
  void push(Runnable& task) noexcept {
    const detail::SpinGuard guard(lock_);
    queue_.push(task);
    // Before the look at who sleeps, which whoever pushes takes next.
    size_.fetch_add(1, std::memory_order_seq_cst);
  }
  Runnable* pop() noexcept {
    if (empty()) return nullptr;
    const detail::SpinGuard guard(lock_);
    Runnable* task = queue_.pop();
    if (task != nullptr) size_.fetch_sub(1, std::memory_order_relaxed);
    return task;
  }
  bool empty() const noexcept { return size_.load(std::memory_order_seq_cst) == 0; }

 private:
  detail::SpinLock lock_;
  RunQueue queue_;
  std::atomic<std::size_t> size_ = 0;
};

}  // namespace weft::gvt
