// Awaiting a Task under a cancellation of its own: that of a deadline, of a token, or none.
//
// Of one strand. Each is made and dropped while the awaiting coroutine runs, so that what is
// ambient in between is the strand's.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "weft/cancel.hpp"
#include "weft/detail/coro_promise.hpp"

namespace weft::detail {

// As DeadlineScope; a coroutine has no stack of its own to keep on its worker.
class CoroDeadline : private Timer {
 public:
  CoroDeadline(Strand& strand, std::int64_t deadline_ns) noexcept;
  ~CoroDeadline();

  const AmbientCancel& ambient() const noexcept { return ambient_; }

 private:
  static void expired(Timer& self);

  gvt::Scheduler* home_;
  ChildCancelNode node_;
  AmbientCancel ambient_;
};

// `Scope` has an ambient(), and is made of the strand and an `Argument`.
template <class T, class Scope, class Argument>
class ScopedTaskAwaiter {
 public:
  ScopedTaskAwaiter(OwnedCoroutine<T> coroutine, Argument argument) noexcept
      : coroutine_(std::move(coroutine)), argument_(std::move(argument)) {}
  ScopedTaskAwaiter(const ScopedTaskAwaiter&) = delete;
  ScopedTaskAwaiter& operator=(const ScopedTaskAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    Strand& strand = *caller.promise().strand;
    scope_.emplace(strand, argument_);
    coroutine_.begin(strand, caller);
  }
  typename ResultOf<T>::type await_resume() {
    // What comes after it in the same expression is not in the scope.
    const Leave leave{scope_};
    return run_in(scope_->ambient(), [this] { return coroutine_.take(); });
  }

 private:
  struct Leave {
    std::optional<Scope>& scope;
    ~Leave() { scope.reset(); }
  };

  OwnedCoroutine<T> coroutine_;
  Argument argument_;
  std::optional<Scope> scope_;
};

class CoroTokenScope : public TokenScope {
 public:
  CoroTokenScope(Strand&, const CancelToken& token) noexcept : TokenScope(token) {}
};

// Nothing outside cancels the Task.
template <class T>
class ShieldedTaskAwaiter {
 public:
  explicit ShieldedTaskAwaiter(OwnedCoroutine<T> coroutine) noexcept
      : coroutine_(std::move(coroutine)) {}
  ShieldedTaskAwaiter(const ShieldedTaskAwaiter&) = delete;
  ShieldedTaskAwaiter& operator=(const ShieldedTaskAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    none_.emplace(nullptr);
    coroutine_.begin(*caller.promise().strand, caller);
  }
  T await_resume() {
    none_.reset();
    return coroutine_.take();
  }

 private:
  OwnedCoroutine<T> coroutine_;
  std::optional<AmbientCancel> none_;
};

}  // namespace weft::detail
