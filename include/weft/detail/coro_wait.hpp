// Awaiting time, a turn, and the end of what was spawned.
//
// Of one strand. Outside a worker nothing suspends: what a green thread would call is called.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <utility>

#include "weft/detail/coro_promise.hpp"
#include "weft/green.hpp"

namespace weft::detail {

class SleepAwaiter {
 public:
  explicit SleepAwaiter(std::chrono::nanoseconds duration) noexcept : duration_(duration) {}
  SleepAwaiter(const SleepAwaiter&) = delete;
  SleepAwaiter& operator=(const SleepAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    return suspend(*caller.promise().strand, caller);
  }
  void await_resume();

 private:
  bool suspend(Strand& strand, std::coroutine_handle<> caller) noexcept;

  std::chrono::nanoseconds duration_;
  MaybeWait wait_;
  bool on_worker_ = false;
};

class YieldAwaiter {
 public:
  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) const noexcept {
    Strand& strand = *caller.promise().strand;
    if (strand.home() == nullptr) stop_for_no_worker();
    strand.suspend_at(caller);
    strand.make_ready();
  }
  void await_resume() const noexcept {}
};

// Waits until a spawned function has ended, be it the strand's or someone else's to wait for.
class EndWait {
 public:
  // True when it must wait. `cancellable`: the strand's cancellation ends the wait, too.
  bool suspend(SpawnedTaskBase& task, Strand& strand, std::coroutine_handle<> caller,
               bool cancellable) noexcept;
  // Woken, or cancelled.
  Outcome finish() noexcept;

 private:
  SpawnedTaskBase* task_ = nullptr;
  MaybeWait wait_;
};

struct JoinAccess {
  template <class Value>
  static SpawnedTaskBase& task(JoinHandle<Value>& handle) noexcept {
    return handle.task();
  }
  template <class Value>
  static Value take(JoinHandle<Value>& handle) {
    return handle.take();
  }
};

template <class Value>
class JoinAwaiter {
 public:
  explicit JoinAwaiter(JoinHandle<Value>& handle) noexcept : handle_(handle) {}
  JoinAwaiter(const JoinAwaiter&) = delete;
  JoinAwaiter& operator=(const JoinAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    Strand& strand = *caller.promise().strand;
    on_worker_ = strand.home() != nullptr;
    return on_worker_ && wait_.suspend(JoinAccess::task(handle_), strand, caller, true);
  }
  Value await_resume() {
    if (!on_worker_) return handle_.join();
    if (wait_.finish() != Outcome::woken) throw_cancelled();
    return JoinAccess::take(handle_);
  }

 private:
  JoinHandle<Value>& handle_;
  EndWait wait_;
  bool on_worker_ = false;
};

// Runs a function as a green thread under the strand's own cancellation.
template <class Function>
class GreenAwaiter {
 public:
  using Value = std::invoke_result_t<Function&>;

  explicit GreenAwaiter(Function function) : function_(std::move(function)) {}
  GreenAwaiter(const GreenAwaiter&) = delete;
  GreenAwaiter& operator=(const GreenAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    Strand& strand = *caller.promise().strand;
    if (strand.home() == nullptr) stop_for_no_worker();
    // What it refers to outlives it: this waits for its end, whatever happens.
    thread_ =
        weft::spawn({.name = current_task().name}, [this, node = current_task().cancel]() -> Value {
          const AmbientCancel ambient(node);
          return function_();
        });
    return wait_.suspend(JoinAccess::task(thread_), strand, caller, false);
  }
  Value await_resume() {
    wait_.finish();
    return JoinAccess::take(thread_);
  }

 private:
  Function function_;
  JoinHandle<Value> thread_;
  EndWait wait_;
};

}  // namespace weft::detail
