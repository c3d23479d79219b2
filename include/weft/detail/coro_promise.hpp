// TaskPromise: what the coroutine of a Task keeps of its result, and the frame's handle that owns.
//
// Of one strand, once it has begun.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include "weft/detail/coro_strand.hpp"
#include "weft/detail/kept_value.hpp"

namespace weft {

template <class T>
class Task;

namespace detail {

// Stops the process: a Task was used that stands for no coroutine.
[[noreturn]] void stop_for_empty_task() noexcept;
// Stops the process: a coroutine was to be dropped that has begun and not ended.
[[noreturn]] void stop_for_task_under_way() noexcept;
// Stops the process: what was called needs a worker.
[[noreturn]] void stop_for_no_worker() noexcept;

struct FailingPromise : CoroPromise {
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  void rethrow_failure() {
    if (failure != nullptr) std::rethrow_exception(std::exchange(failure, nullptr));
  }

  std::exception_ptr failure;
};

template <class T>
struct TaskPromise : FailingPromise {
  Task<T> get_return_object() noexcept;
  template <std::convertible_to<T> From = T>
  void return_value(From&& from) {
    value.keep([&]() -> T { return std::forward<From>(from); });
  }
  T take() {
    rethrow_failure();
    return value.take();
  }

  KeptValue<T> value;
};

template <>
struct TaskPromise<void> : FailingPromise {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() { rethrow_failure(); }
};

// Owns a coroutine that has not begun or has ended.
template <class T>
class OwnedCoroutine {
 public:
  using Promise = TaskPromise<T>;

  OwnedCoroutine() noexcept = default;
  explicit OwnedCoroutine(std::coroutine_handle<Promise> coroutine) noexcept
      : coroutine_(coroutine) {}
  OwnedCoroutine(OwnedCoroutine&& other) noexcept
      : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  OwnedCoroutine& operator=(OwnedCoroutine&& other) noexcept {
    if (this != &other) {
      drop();
      coroutine_ = std::exchange(other.coroutine_, nullptr);
    }
    return *this;
  }
  ~OwnedCoroutine() { drop(); }

  // Runs next on `strand`; who awaits goes on after it, or the strand ends.
  void begin(Strand& strand, std::coroutine_handle<> awaits) const noexcept {
    promise().continuation = awaits;
    promise().strand = &strand;
    strand.transfer_to(coroutine_);
  }
  // As the first of the strand, which is then run or made ready.
  void begin_first(Strand& strand, CancelNode* cancel, const char* name) const noexcept {
    promise().strand = &strand;
    strand.begin_with(coroutine_, cancel, name);
  }
  // Once it has ended.
  T take() const { return promise().take(); }
  Promise& promise() const noexcept {
    if (coroutine_ == nullptr) stop_for_empty_task();
    return coroutine_.promise();
  }
  bool empty() const noexcept { return coroutine_ == nullptr; }
  void drop() noexcept {
    if (coroutine_ == nullptr) return;
    if (coroutine_.promise().strand != nullptr && !coroutine_.done()) stop_for_task_under_way();
    std::exchange(coroutine_, nullptr).destroy();
  }

 private:
  std::coroutine_handle<Promise> coroutine_;
};

// Awaits a Task.
template <class T>
class TaskAwaiter {
 public:
  explicit TaskAwaiter(OwnedCoroutine<T> coroutine) noexcept : coroutine_(std::move(coroutine)) {}
  TaskAwaiter(const TaskAwaiter&) = delete;
  TaskAwaiter& operator=(const TaskAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    coroutine_.begin(*caller.promise().strand, caller);
  }
  T await_resume() { return coroutine_.take(); }

 private:
  OwnedCoroutine<T> coroutine_;
};

}  // namespace detail

}  // namespace weft
