// select(): waits for whichever of several things comes first, as in Go.
//
//     weft::select(
//         weft::on_receive(results, [&](std::optional<int> value) { ... }),
//         weft::on_send(requests, request, [&] { ... }),
//         weft::after(10ms, [&] { ... }));
//
// One case is carried out, and its function called; the others have had no effect. Of several that
// are ready each has the same chance. Cases are written within the call, and used there once.
// Any thread, worker or not.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/cancel.hpp"
#include "weft/channel.hpp"
#include "weft/detail/select_case.hpp"

namespace weft {

namespace detail {

struct TokenAccess {
  // Null when the token is never cancelled.
  static CancelNode* node(const CancelToken& token) noexcept { return token.node_.get(); }
};

// In what follows `Function` is a reference when the caller keeps the function. So is `Value`,
// when the caller gives the value away.
template <class T, class Function>
struct ReceiveCase : SelectCase {
  ReceiveCase(const Channel<T>& from, Function&& called)
      : SelectCase(Kind::receive), function(std::forward<Function>(called)) {
    channel = ChannelAccess::state(from);
    wait.place = &value;
  }
  void finish(bool) { std::invoke(function, std::move(value)); }

  Function function;
  std::optional<T> value;
};

template <class T, class Value, class Function>
struct SendCase : SelectCase {
  template <class From>
  SendCase(const Channel<T>& to, From&& sent, Function&& called)
      : SelectCase(Kind::send),
        function(std::forward<Function>(called)),
        value(std::forward<From>(sent)) {
    channel = ChannelAccess::state(to);
    wait.place = &value;
  }
  void finish(bool closed) {
    if constexpr (std::invocable<Function&, bool>) {
      std::invoke(function, !closed);
    } else if (!closed) {
      std::invoke(function);
    }
  }

  Function function;
  Value value;
};

template <class Function>
struct PlainCase : SelectCase {
  PlainCase(Kind of, Function&& called, std::int64_t due_ns = kNever, CancelNode* watched = nullptr)
      : SelectCase(of), function(std::forward<Function>(called)) {
    deadline_ns = due_ns;
    node = watched;
  }
  void finish(bool) { std::invoke(function); }

  Function function;
};

template <class Case>
concept CaseOfSelect = std::derived_from<Case, SelectCase>;

}  // namespace detail

// Ready when a value can be received, or never will be: then `function` gets none.
template <class T, std::invocable<std::optional<T>> Function>
auto on_receive(const Channel<T>& channel, Function&& function) {
  return detail::ReceiveCase<T, Function>(channel, std::forward<Function>(function));
}

// Ready when the value can be sent, or the channel is closed. `function` is called once it has been
// sent; one that takes a bool is called in either case, and told whether it was. A value given as
// an rvalue is moved from only when it is sent.
template <class T, class Value, class Function>
  requires std::constructible_from<T, Value> &&
           (std::invocable<Function&> || std::invocable<Function&, bool>)
auto on_send(const Channel<T>& channel, Value&& value, Function&& function) {
  using Held = std::conditional_t<std::is_same_v<Value, T>, T&, T>;
  return detail::SendCase<T, Held, Function>(
      channel, static_cast<std::conditional_t<std::is_same_v<Value, T>, T&, Value&&>>(value),
      std::forward<Function>(function));
}

// Ready when this much time has passed. Of several the earliest counts.
template <std::invocable Function>
auto after(std::chrono::nanoseconds duration, Function&& function) {
  return detail::PlainCase<Function>(detail::SelectCase::Kind::timer,
                                     std::forward<Function>(function),
                                     detail::deadline_after(duration.count()));
}

// Ready when the token is cancelled. The caller's own cancellation needs no case: select throws.
template <std::invocable Function>
auto on_cancelled(const CancelToken& token, Function&& function) {
  return detail::PlainCase<Function>(detail::SelectCase::Kind::token,
                                     std::forward<Function>(function), detail::kNever,
                                     detail::TokenAccess::node(token));
}

// Ready when no other case is.
template <std::invocable Function>
auto otherwise(Function&& function) {
  return detail::PlainCase<Function>(detail::SelectCase::Kind::otherwise,
                                     std::forward<Function>(function));
}

// Parks until one of the cases is ready, carries it out and gives its place in the call, from 0.
// Throws Cancelled, then nothing has been received or sent, and what the function throws.
template <class... Cases>
  requires(sizeof...(Cases) > 0 && (detail::CaseOfSelect<Cases> && ...))
std::size_t select(Cases&&... cases) {
  const std::array<detail::SelectCase*, sizeof...(Cases)> all{&cases...};
  std::array<std::uint32_t, sizeof...(Cases)> order;
  std::array<detail::ChannelBase*, sizeof...(Cases)> channels;
  const detail::Selected selected = detail::select_one({all, order, channels});
  std::size_t index = 0;
  // Stops at the case that was selected.
  static_cast<void>(((index++ == selected.index && (cases.finish(selected.closed), true)) || ...));
  return selected.index;
}

}  // namespace weft
