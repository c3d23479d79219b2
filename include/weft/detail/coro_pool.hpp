// Awaiting a function that runs on a thread of the pool.
//
// Of one strand.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "weft/detail/coro_promise.hpp"
#include "weft/detail/kept_value.hpp"

namespace weft::detail {

// The part that does not know of the function.
class PoolTurn {
 public:
  using Function = void (*)(void* argument) noexcept;

  PoolTurn() noexcept = default;
  PoolTurn(const PoolTurn&) = delete;
  PoolTurn& operator=(const PoolTurn&) = delete;

  // True when it waits for the pool; otherwise it has been called, or the strand is cancelled.
  bool suspend(Strand& strand, std::coroutine_handle<> caller, Function function, void* argument);
  // Throws Cancelled when it was not called.
  void finish();

 private:
  class Job;

  static constexpr std::size_t kJobBytes = 96;

  const Strand* strand_ = nullptr;  // when it waits
  bool cancelled_ = false;
  MaybeWait wait_;
  alignas(void*) std::byte job_[kJobBytes];
};

template <class Function>
class BlockingAwaiter {
 public:
  using Value = std::invoke_result_t<Function&>;

  explicit BlockingAwaiter(Function function) : function_(std::move(function)) {}
  BlockingAwaiter(const BlockingAwaiter&) = delete;
  BlockingAwaiter& operator=(const BlockingAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return turn_.suspend(*caller.promise().strand, caller, &BlockingAwaiter::run, this);
  }
  Value await_resume() {
    turn_.finish();
    if (failure_ != nullptr) std::rethrow_exception(std::move(failure_));
    return value_.take();
  }

 private:
  static void run(void* argument) noexcept {
    auto& self = *static_cast<BlockingAwaiter*>(argument);
    try {
      self.value_.keep(self.function_);
    } catch (...) {
      self.failure_ = std::current_exception();
    }
  }

  Function function_;
  PoolTurn turn_;
  KeptValue<Value> value_;
  std::exception_ptr failure_;
};

}  // namespace weft::detail
