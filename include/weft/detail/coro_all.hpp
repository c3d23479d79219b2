// Awaiting several Tasks at once, each on a strand of its own; all have ended when it goes on.
//
// Of one worker. The strands stand in the frame of whoever awaits.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/cancel.hpp"
#include "weft/detail/coro_promise.hpp"

namespace weft::detail {

// What the children of one all() have in common.
class AllTogether {
 public:
  AllTogether() noexcept = default;
  AllTogether(const AllTogether&) = delete;
  AllTogether& operator=(const AllTogether&) = delete;

  // Suspends `caller`, which goes on when as many children have ended.
  void begin(Strand& strand, std::coroutine_handle<> caller, std::size_t children);
  // A child has ended with this, or null. One that has been cancelled by itself has failed, too.
  void child_ended(std::exception_ptr failure, bool only_cancelled) noexcept;
  // Throws what went wrong first.
  void finish();
  CancelNode& node() noexcept { return *node_; }

 private:
  Strand* strand_ = nullptr;
  std::optional<ChildCancelNode> node_;
  std::size_t left_ = 0;
  std::exception_ptr failure_;
  std::exception_ptr cancelled_;  // out of a child that was asked to end
};

template <class T>
class AllChild final : private Strand {
 public:
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  explicit AllChild(OwnedCoroutine<T> coroutine) noexcept : coroutine_(std::move(coroutine)) {}

  void begin(AllTogether& all) noexcept {
    all_ = &all;
    coroutine_.begin_first(*this, &all.node(), current_task().name);
    make_ready();
  }
  Value take() { return value_.take(); }

 private:
  void drop_coroutine() noexcept override {
    try {
      value_.keep([this]() -> Value {
        if constexpr (std::is_void_v<T>) {
          coroutine_.take();
          return {};
        } else {
          return coroutine_.take();
        }
      });
    } catch (const Cancelled&) {
      failure_ = std::current_exception();
      only_cancelled_ = true;
    } catch (...) {
      failure_ = std::current_exception();
    }
    coroutine_.drop();
  }
  void ended() noexcept override { all_->child_ended(std::move(failure_), only_cancelled_); }

  OwnedCoroutine<T> coroutine_;
  AllTogether* all_ = nullptr;
  KeptValue<Value> value_;
  std::exception_ptr failure_;
  bool only_cancelled_ = false;
};

template <class... T>
class AllAwaiter {
 public:
  using Values = std::tuple<typename AllChild<T>::Value...>;

  explicit AllAwaiter(OwnedCoroutine<T>... coroutines) noexcept
      : children_(std::move(coroutines)...) {}
  AllAwaiter(const AllAwaiter&) = delete;
  AllAwaiter& operator=(const AllAwaiter&) = delete;

  bool await_ready() const noexcept { return sizeof...(T) == 0; }
  template <PromiseOfTask Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    all_.begin(*caller.promise().strand, caller, sizeof...(T));
    std::apply([this](auto&... child) { (child.begin(all_), ...); }, children_);
  }
  Values await_resume() {
    all_.finish();
    return std::apply([](auto&... child) { return Values(child.take()...); }, children_);
  }

 private:
  AllTogether all_;
  std::tuple<AllChild<T>...> children_;
};

// Of any number of the same kind.
template <class T>
class AllOfAwaiter {
 public:
  using Child = AllChild<T>;
  using Values = std::conditional_t<std::is_void_v<T>, void, std::vector<typename Child::Value>>;

  explicit AllOfAwaiter(std::vector<OwnedCoroutine<T>> coroutines) {
    children_.reserve(coroutines.size());
    for (auto& coroutine : coroutines) {
      children_.push_back(std::make_unique<Child>(std::move(coroutine)));
    }
  }
  AllOfAwaiter(const AllOfAwaiter&) = delete;
  AllOfAwaiter& operator=(const AllOfAwaiter&) = delete;

  bool await_ready() const noexcept { return children_.empty(); }
  template <PromiseOfTask Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    all_.begin(*caller.promise().strand, caller, children_.size());
    for (auto& child : children_) child->begin(all_);
  }
  Values await_resume() {
    all_.finish();
    if constexpr (!std::is_void_v<T>) {
      Values values;
      values.reserve(children_.size());
      for (auto& child : children_) values.push_back(child->take());
      return values;
    }
  }

 private:
  AllTogether all_;
  std::vector<std::unique_ptr<Child>> children_;
};

}  // namespace weft::detail
