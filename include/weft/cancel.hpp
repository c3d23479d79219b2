// Cancellation and deadlines that reach into whatever is parked.
//
// What runs inside with_timeout(), with_cancel() or a scope can be cancelled from outside. A parked
// call that is cancelled ends: one that returns a Result returns an Error with the code `cancelled`
// or `timed_out`, any other throws Cancelled. So does every later one that would park, until what
// was cancelled has been left. What does not park is not interrupted. An operation on a descriptor
// that has moved bytes by then returns them.
// A token and its source may be used on any thread.
#pragma once

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

#include "weft/detail/cancel_node.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/detail/timer.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/result.hpp"

namespace weft {

namespace detail {
class TokenScope;
struct TokenAccess;
}  // namespace detail

// Thrown out of a parked call when what runs has been cancelled. It is no std::exception, so that
// a handler of errors does not take it for one; let it pass, or throw it again. A destructor that
// parks while it passes ends the process, as any that throws then does: see shielded().
class Cancelled {
 public:
  // For calls that park.
  explicit Cancelled(detail::CancelReason reason) noexcept : reason_(reason) {}

  // Whether a deadline did it.
  bool timed_out() const noexcept { return reason_ == detail::CancelReason::timed_out; }
  // The same as a value, for calls that return a Result.
  Error error() const noexcept {
    return {timed_out() ? ErrorCode::timed_out : ErrorCode::cancelled, 0};
  }

 private:
  detail::CancelReason reason_;
};

namespace detail {

// Of a caller whose wait ended with Outcome::cancelled.
Cancelled own_cancellation() noexcept;
[[noreturn]] void throw_cancelled();

}  // namespace detail

// Whether the caller has been cancelled.
bool cancelled() noexcept;
// Throws Cancelled if so; for code that computes for long without parking.
void check_cancelled();

// What a CancelSource cancels, as those who may be cancelled hold it. A value; copies stand for the
// same.
class CancelToken {
 public:
  // A token that is never cancelled.
  CancelToken() noexcept = default;
  // Whether its source, or one above that, was.
  bool cancelled() const noexcept {
    return node_ != nullptr && node_->reason() != detail::CancelReason::none;
  }

 private:
  friend class CancelSource;
  friend class detail::TokenScope;
  friend struct detail::TokenAccess;
  explicit CancelToken(std::shared_ptr<detail::CancelNode> node) noexcept
      : node_(std::move(node)) {}

  std::shared_ptr<detail::CancelNode> node_;
};

// Cancels all that runs under its token, or under tokens below it.
class CancelSource {
 public:
  CancelSource();
  // Cancelled when `parent` is, too.
  explicit CancelSource(const CancelToken& parent);

  // Any number of times; the first one counts.
  void cancel() noexcept { node_->cancel(detail::CancelReason::cancelled); }
  // Whether it, or its parent, was.
  bool cancelled() const noexcept { return token().cancelled(); }
  // To hand to those who are to be cancelled by it.
  CancelToken token() const noexcept { return CancelToken(node_); }

 private:
  std::shared_ptr<detail::CancelNode> node_;
};

namespace detail {

// From here to the end of the block the caller's cancellation is `node`.
class AmbientCancel {
 public:
  explicit AmbientCancel(CancelNode* node) noexcept
      : outer_(std::exchange(current_task().cancel, node)) {}
  ~AmbientCancel() { current_task().cancel = outer_; }
  bool outer_is_cancelled() const noexcept {
    return outer_ != nullptr && outer_->reason() != CancelReason::none;
  }
  AmbientCancel(const AmbientCancel&) = delete;
  AmbientCancel& operator=(const AmbientCancel&) = delete;

 private:
  CancelNode* outer_;
};

// A node below the caller's that a deadline cancels.
class DeadlineScope : private Timer {
 public:
  explicit DeadlineScope(std::int64_t deadline_ns) noexcept;
  ~DeadlineScope();

  const AmbientCancel& ambient() const noexcept { return ambient_; }

 private:
  static void expired(Timer& self);

  ChildCancelNode node_;
  bool has_timer_ = false;
  AmbientCancel ambient_;
};

// A node below the caller's that a token cancels too.
class TokenScope : private CancelListener {
 public:
  explicit TokenScope(const CancelToken& token) noexcept;
  ~TokenScope();

  const AmbientCancel& ambient() const noexcept { return ambient_; }

 private:
  static void token_cancelled(CancelListener& self, CancelReason reason) noexcept;

  std::shared_ptr<CancelNode> token_;
  ChildCancelNode node_;
  AmbientCancel ambient_;
};

template <class T>
struct ResultOf {
  using type = Result<T>;
};
template <class T>
struct ResultOf<Result<T>> {
  using type = Result<T>;
};

template <class Function>
typename ResultOf<std::invoke_result_t<Function>>::type run_in(const AmbientCancel& inside,
                                                               Function&& function) {
  using Value = std::invoke_result_t<Function>;
  try {
    if constexpr (std::is_void_v<Value>) {
      std::forward<Function>(function)();
      return {};
    } else {
      return std::forward<Function>(function)();
    }
  } catch (const Cancelled& cause) {
    // Another's, or meant for someone further out.
    if (!cancelled() || inside.outer_is_cancelled()) throw;
    return cause.error();
  }
}

}  // namespace detail

// Runs `function`, which is cancelled when it takes longer: then the result has the code
// `timed_out`. A function that returns a Result itself returns that. When the caller is cancelled
// from further out, Cancelled passes through.
template <class Function>
auto with_timeout(std::chrono::nanoseconds timeout, Function&& function) {
  detail::DeadlineScope scope(detail::deadline_after(timeout.count()));
  return detail::run_in(scope.ambient(), std::forward<Function>(function));
}

// Runs `function`, which is cancelled when the token is: then the result has the code `cancelled`.
template <class Function>
auto with_cancel(const CancelToken& token, Function&& function) {
  detail::TokenScope scope(token);
  return detail::run_in(scope.ambient(), std::forward<Function>(function));
}

// Runs `function` so that nothing outside cancels it: for putting things in order at the end.
template <class Function>
decltype(auto) shielded(Function&& function) {
  const detail::AmbientCancel none(nullptr);
  return std::forward<Function>(function)();
}

}  // namespace weft
