// The first coroutine of a strand: one that was spawned, or one that a caller waits for.
//
// A spawned one is owned as a spawned function is: by the run and by the handle. One that is waited
// for stands on the stack of whoever waits. Strands of one worker; the handle is for any thread.
#pragma once

#include <exception>
#include <utility>
#include <vector>

#include "weft/detail/coro_promise.hpp"
#include "weft/green.hpp"

namespace weft::detail {

struct TaskAccess {
  template <class T>
  static OwnedCoroutine<T> take(Task<T>& task) noexcept {
    if (task.coroutine_.empty()) stop_for_empty_task();
    return std::move(task.coroutine_);
  }
  template <class T>
  static std::vector<OwnedCoroutine<T>> take_all(std::vector<Task<T>>& tasks) {
    std::vector<OwnedCoroutine<T>> taken;
    taken.reserve(tasks.size());
    for (Task<T>& task : tasks) taken.push_back(take(task));
    return taken;
  }
};

// Counts a spawned one, whose end is told, as no longer running.
void spawned_coroutine_ended(gvt::Scheduler& home) noexcept;

template <class T>
class SpawnedCoroutine final : public ValueTask<T> {
 public:
  static JoinHandle<T> start(OwnedCoroutine<T> coroutine, const char* name) {
    auto* task = new SpawnedCoroutine(std::move(coroutine));
    JoinHandle<T> handle(*task);
    static_cast<SpawnedTaskBase*>(task)->start({.name = name});
    return handle;
  }

 private:
  struct Own final : Strand {
    explicit Own(SpawnedCoroutine& spawned) noexcept : task(spawned) {}
    void drop_coroutine() noexcept override { task.keep_outcome(); }
    void ended() noexcept override {
      gvt::Scheduler& home = *this->home();
      task.end();
      spawned_coroutine_ended(home);
    }
    SpawnedCoroutine& task;
  };

  explicit SpawnedCoroutine(OwnedCoroutine<T> coroutine) noexcept
      : ValueTask<T>(&SpawnedCoroutine::begin, &SpawnedCoroutine::destroy),
        coroutine_(std::move(coroutine)),
        strand_(*this) {}
  ~SpawnedCoroutine() = default;

  static void begin(Runnable& runnable) {
    auto& self = static_cast<SpawnedCoroutine&>(runnable);
    self.coroutine_.begin_first(self.strand_, &self.cancel_node(), self.name());
    self.strand_.run_here();
  }
  static void destroy(SpawnedTaskBase& base) noexcept {
    delete static_cast<SpawnedCoroutine*>(&base);
  }
  void keep_outcome() noexcept {
    try {
      this->value_.keep([this]() -> T { return coroutine_.take(); });
    } catch (...) {
      this->fail();
    }
    coroutine_.drop();
  }

  OwnedCoroutine<T> coroutine_;
  Own strand_;
};

// Runs a strand for the caller, who waits for its end.
class WaitedStrand : public Strand {
 protected:
  ~WaitedStrand() = default;
  void run_and_wait();

 private:
  void ended() noexcept override;

  Waiter* waiter_ = nullptr;
};

template <class T>
class WaitedCoroutine final : private WaitedStrand {
 public:
  explicit WaitedCoroutine(OwnedCoroutine<T> coroutine) noexcept
      : coroutine_(std::move(coroutine)) {}

  T wait() {
    coroutine_.begin_first(*this, current_task().cancel, current_task().name);
    run_and_wait();
    if (failure_ != nullptr) std::rethrow_exception(std::move(failure_));
    return value_.take();
  }

 private:
  void drop_coroutine() noexcept override {
    try {
      value_.keep([this]() -> T { return coroutine_.take(); });
    } catch (...) {
      failure_ = std::current_exception();
    }
    coroutine_.drop();
  }

  OwnedCoroutine<T> coroutine_;
  KeptValue<T> value_;
  std::exception_ptr failure_;
};

}  // namespace weft::detail
