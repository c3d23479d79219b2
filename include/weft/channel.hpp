// Channel<T>: values handed from one green thread to another, as in Go.
//
//     weft::Channel<int> channel;              // each send waits for its receive
//     weft::Channel<int> queue(16);            // a send waits while there are 16 values in it
//     weft::Channel<int> log(weft::kUnbounded);  // no send waits
//     weft::spawn([channel] { channel.send(1); channel.close(); });
//     for (int value : channel) use(value);    // until it is closed and empty
//
// A Channel is a handle: copies stand for one channel, which lives as long as the last of them.
// Values come out in the order they went in, each once. Who waits longest is served first.
// A value that was not sent (closed, timed out, cancelled) has not been moved from.
// Any thread, worker or not. A handle itself is like a shared_ptr: one thread at a time changes it.
// T may be move-only; its move constructor must neither throw nor park.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "weft/cancel.hpp"
#include "weft/detail/channel_state.hpp"
#include "weft/result.hpp"

namespace weft {

namespace detail {
struct ChannelAccess;
}

// The capacity of a channel in which no send waits.
inline constexpr std::size_t kUnbounded = SIZE_MAX;

template <class T>
class Channel {
 public:
  class Iterator;

  // Each send waits for its receive.
  Channel() : Channel(0) {}
  // `capacity`: how many values it holds that nobody has received yet.
  explicit Channel(std::size_t capacity)
      : state_(std::make_shared<detail::ChannelState<T>>(capacity)) {}
  // A handle that stands for no channel: in a select, a case that is never ready.
  template <std::same_as<std::nullptr_t> Null>
  Channel(Null) noexcept {}

  // Parks until the value has been received or there is room for it. False when the channel is
  // closed, or is while it waits. Throws Cancelled.
  bool send(T&& value) const {
    const auto step = state().send_waiting(value, detail::kNever);
    if (step == detail::ChannelStep::cancelled) detail::throw_cancelled();
    return step == detail::ChannelStep::done;
  }
  bool send(const T& value) const { return send(T(value)); }
  // Parks until there is a value; none when the channel is closed and empty. Throws Cancelled.
  std::optional<T> receive() const {
    std::optional<T> value;
    receive_into(value);
    return value;
  }

  // As send(), without parking: false, too, when that would be needed.
  bool try_send(T&& value) const {
    return state().may_send() && state().send(value, nullptr) == detail::ChannelStep::done;
  }
  bool try_send(const T& value) const { return try_send(T(value)); }
  // As receive(), without parking: none, too, when that would be needed.
  std::optional<T> try_receive() const {
    std::optional<T> value;
    if (state().may_receive()) state().receive(value, nullptr);
    return value;
  }

  // As send(), for at most this long. Errors: `end_of_stream` when the channel is closed,
  // `timed_out`, `cancelled`.
  Result<void> send_for(T&& value, std::chrono::nanoseconds timeout) const {
    const auto deadline = detail::deadline_after(timeout.count());
    const auto step = state().send_waiting(value, deadline);
    if (step != detail::ChannelStep::done) return detail::channel_error(step);
    return {};
  }
  Result<void> send_for(const T& value, std::chrono::nanoseconds timeout) const {
    return send_for(T(value), timeout);
  }
  // As receive(), for at most this long. Errors: `end_of_stream` when the channel is closed and
  // empty, `timed_out`, `cancelled`.
  Result<T> receive_for(std::chrono::nanoseconds timeout) const {
    const auto deadline = detail::deadline_after(timeout.count());
    std::optional<T> value;
    const auto step = state().receive_waiting(value, deadline);
    if (step != detail::ChannelStep::done) return detail::channel_error(step);
    return std::move(*value);
  }

  // No more values: who waits to send is told so, who receives gets what is left, then nothing.
  // False when it was closed before.
  bool close() const noexcept { return state().close(); }

  // Whether close() was called; values may be left all the same.
  bool closed() const noexcept { return state().closed(); }
  // Values that nobody has received; another thread may change that at any time.
  std::size_t size() const noexcept { return state().size(); }
  // How many it holds at most; 0: each send waits for its receive.
  std::size_t capacity() const noexcept { return state().capacity(); }
  // Whether it stands for a channel.
  explicit operator bool() const noexcept { return state_ != nullptr; }
  // Whether both stand for the same one.
  bool operator==(const Channel& other) const noexcept { return state_ == other.state_; }

  // Receives the first value, and with each step the next, until the channel is closed and empty.
  Iterator begin() const { return Iterator(*this); }
  // Where the channel is closed and empty.
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend struct detail::ChannelAccess;

  detail::ChannelState<T>& state() const noexcept {
    if (state_ == nullptr) [[unlikely]]
      detail::stop_for_empty_channel();
    return *state_;
  }
  void receive_into(std::optional<T>& value) const {
    const auto step = state().receive_waiting(value, detail::kNever);
    if (step == detail::ChannelStep::cancelled) detail::throw_cancelled();
  }

  std::shared_ptr<detail::ChannelState<T>> state_;
};

// What a range-based `for` over a channel uses; holds the value received last.
template <class T>
class Channel<T>::Iterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;

  explicit Iterator(const Channel& channel) : channel_(&channel) { ++*this; }

  T& operator*() noexcept { return *value_; }
  T* operator->() noexcept { return &*value_; }
  Iterator& operator++() {
    value_.reset();
    channel_->receive_into(value_);
    return *this;
  }
  bool operator==(std::default_sentinel_t) const noexcept { return !value_.has_value(); }

 private:
  const Channel* channel_;
  std::optional<T> value_;
};

namespace detail {

struct ChannelAccess {
  // Null when the handle stands for none.
  template <class T>
  static ChannelState<T>* state(const Channel<T>& channel) noexcept {
    return channel.state_.get();
  }
};

}  // namespace detail

}  // namespace weft
