// Handler: what a route calls. It says when it has ended in one of three ways:
//
//     [](weft::Context& c) { c.text("now"); }                         // when it returns
//     [](weft::Context& c) -> weft::Task<void> { co_await …; }         // when the coroutine ends
//     [](weft::Context& c, weft::Respond respond) { … }               // when `respond` is called
//
// None gives a value: a function whose result is the answer is wrapped, weft::typed(...), which
// typed.hpp has. Each may be used with every connection model. The Context of the last one is the
// handler's until it returns, and then whoever's `respond` hands it to. All workers call the same
// object.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>

#include "weft/coro.hpp"
#include "weft/respond.hpp"

namespace weft {

class Context;

namespace detail {

template <class Function>
concept AnswersByItself = std::invocable<Function&, Context&>;
template <class Function>
concept AnswersByToken = !AnswersByItself<Function> && std::invocable<Function&, Context&, Respond>;

template <class T>
inline constexpr bool kIsTask = false;
template <class T>
inline constexpr bool kIsTask<Task<T>> = true;

// What a plain handler may give: nothing, or the Context& that it got, as c.status(204) does.
template <class T>
inline constexpr bool kIsNoAnswer = std::is_void_v<T> || std::same_as<T, Context&>;

}  // namespace detail

class Handler {
 public:
  using Call = std::function<void(Context&)>;               // ends when it returns
  using Coroutine = std::function<Task<void>(Context&)>;    // ends when the coroutine does
  using Callback = std::function<void(Context&, Respond)>;  // ends when the Respond is called

  // None, which no route takes.
  Handler(std::nullptr_t = nullptr) noexcept {}
  // Takes any function object of the three kinds.
  template <class Function>
    requires(!std::same_as<std::remove_cvref_t<Function>, Handler> &&
             detail::AnswersByItself<std::decay_t<Function>>)
  Handler(Function&& function) {
    using Result = std::invoke_result_t<std::decay_t<Function>&, Context&>;
    if constexpr (detail::kIsTask<Result>) {
      static_assert(std::same_as<Result, Task<void>>,
                    "the value of this handler's coroutine would be dropped: let it be a "
                    "Task<void> that answers through its Context&, or wrap it: weft::typed(...)");
      if constexpr (std::same_as<Result, Task<void>>) {
        function_.template emplace<Coroutine>(std::forward<Function>(function));
      }
    } else {
      static_assert(detail::kIsNoAnswer<Result>,
                    "what this handler returns would be dropped: answer through its Context&, "
                    "c.json(...) say, or wrap it: weft::typed(...)");
      function_.template emplace<Call>(std::forward<Function>(function));
    }
  }
  template <class Function>
    requires(!std::same_as<std::remove_cvref_t<Function>, Handler> &&
             detail::AnswersByToken<std::decay_t<Function>>)
  Handler(Function&& function)
      : function_(std::in_place_type<Callback>, std::forward<Function>(function)) {
    using Result = std::invoke_result_t<std::decay_t<Function>&, Context&, Respond>;
    static_assert(std::is_void_v<Result>,
                  "what this handler returns would be dropped: it answers through its Respond");
  }

  // Whether there is a function to call.
  explicit operator bool() const noexcept {
    return std::visit([](const auto& one) { return static_cast<bool>(one); }, function_);
  }
  // Whether it is a function of that kind.
  template <class Kind>
  bool is() const noexcept {
    return std::holds_alternative<Kind>(function_);
  }
  // Whichever it is: the others are null.
  template <class Kind>
  Kind* get_if() noexcept {
    return std::get_if<Kind>(&function_);
  }

 private:
  std::variant<Call, Coroutine, Callback> function_;
};

}  // namespace weft
