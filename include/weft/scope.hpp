// scope(): green threads that end before the block they were started in.
//
//     weft::scope([&](weft::Scope& scope) {
//       scope.spawn([&] { left = fetch("left"); });
//       scope.spawn([&] { right = fetch("right"); });
//     });  // both have ended
//
// The first exception out of the body or a child cancels everything else in the scope, and scope()
// throws it once all have ended. So does a Cancelled out of one that has not been cancelled itself,
// but has joined someone who was. Cancelling whoever called scope() cancels all in it.
#pragma once

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "weft/cancel.hpp"
#include "weft/detail/kept_value.hpp"
#include "weft/green.hpp"

namespace weft {

// Only its own body, and what that spawns in it, may use a scope.
class Scope {
 public:
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Starts `function` as a green thread of this scope. The handle need not be kept: an exception
  // goes to the scope, and join() then throws Cancelled.
  template <class Function>
  auto spawn(const SpawnOptions& options, Function&& function);
  template <class Function>
  auto spawn(Function&& function) {
    return spawn(SpawnOptions{}, std::forward<Function>(function));
  }
  // Asks everything in the scope to end. The scope ends as if it had done so by itself.
  void cancel() noexcept { node_.cancel(detail::CancelReason::cancelled); }

 private:
  template <class Body>
  friend std::invoke_result_t<Body, Scope&> scope(Body&& body);

  // A child, from spawn() to its end, on the child's stack.
  class Child;

  Scope() noexcept : node_(detail::current_task().cancel) {}
  ~Scope() = default;

  bool cancelled() const noexcept { return node_.reason() != detail::CancelReason::none; }
  void begin_child() noexcept;
  void end_child() noexcept;
  void fail(std::exception_ptr error) noexcept;
  // No child outlives the scope, so there is no going on without this: it ends the process when it
  // gets no memory for a wait.
  void wait_for_children() noexcept;
  // Waits for all children and throws what went wrong. When the body `has_no_value`, because the
  // scope itself was cancelled, there is nothing to go on with.
  void end(bool has_no_value);

  detail::ChildCancelNode node_;
  detail::SpinLock lock_;
  std::size_t children_ = 0;
  detail::Waiter* waiter_ = nullptr;
  std::exception_ptr failure_;
};

class Scope::Child : private detail::CancelListener {
 public:
  explicit Child(Scope& scope) noexcept;
  ~Child();

 private:
  // Goes after everything that refers to the scope.
  struct Count {
    ~Count() { scope.end_child(); }
    Scope& scope;
  };

  static void child_cancelled(detail::CancelListener& self, detail::CancelReason reason) noexcept;

  Count count_;
  detail::CancelNode* own_;  // what the handle cancels; null: there is none
  detail::ChildCancelNode node_;
  detail::AmbientCancel ambient_;
};

template <class Function>
auto Scope::spawn(const SpawnOptions& options, Function&& function) {
  using Body = std::decay_t<Function>;
  auto child = [this, body = Body(std::forward<Function>(function))]() mutable {
    const Child ends_last(*this);
    // What the function holds goes before the scope may end.
    Body held(std::move(body));
    try {
      return held();
    } catch (const Cancelled&) {
      if (!weft::cancelled() && !cancelled()) fail(std::current_exception());
      throw;
    } catch (...) {
      fail(std::current_exception());
    }
    throw Cancelled(detail::CancelReason::cancelled);
  };
  begin_child();
  try {
    return weft::spawn(options, std::move(child));
  } catch (...) {
    end_child();
    throw;
  }
}

// Runs `body`, waits until everything that was spawned in its scope has ended, and gives the body's
// result.
template <class Body>
std::invoke_result_t<Body, Scope&> scope(Body&& body) {
  using Value = std::invoke_result_t<Body, Scope&>;
  Scope scope;
  detail::KeptValue<Value> value;
  bool cancelled = false;
  {
    const detail::AmbientCancel inside(&scope.node_);
    try {
      value.keep(std::forward<Body>(body), scope);
    } catch (const Cancelled&) {
      cancelled = scope.cancelled();
      if (!cancelled) scope.fail(std::current_exception());
    } catch (...) {
      scope.fail(std::current_exception());
    }
  }
  scope.end(cancelled && !std::is_void_v<Value>);
  return value.take();
}

}  // namespace weft
