// Awaiting a channel.
//
// Of one strand; the channel may be anybody's. Outside a worker nothing suspends: what a green
// thread would call is called.
#pragma once

#include <chrono>
#include <coroutine>
#include <optional>
#include <utility>

#include "weft/channel.hpp"
#include "weft/detail/coro_promise.hpp"

namespace weft::detail {

inline constexpr auto kNoTimeout = std::chrono::nanoseconds::max();

// The part that does not know of the values.
class ChannelTurn {
 public:
  // Queues itself by `attempt`, if it must wait, and gives whether it does.
  template <class Attempt>
  bool suspend(Strand& strand, std::coroutine_handle<> caller, void* place,
               std::chrono::nanoseconds timeout, Attempt attempt) {
    wait_.emplace(strand);
    in_queue_ = {&wait_->waiter(), place};
    step_ = attempt(&in_queue_);
    if (step_ != ChannelStep::wait) {
      wait_.reset();
      return false;
    }
    if (!wait_->arm(timeout == kNoTimeout ? kNever : deadline_after(timeout.count()))) return false;
    strand.suspend_at(caller);
    return true;
  }
  // What came of it; `queue` is where it waited.
  ChannelStep finish(ChannelBase& channel, ChannelWaits& queue) noexcept;
  void set_step(ChannelStep step) noexcept { step_ = step; }

 private:
  ChannelStep step_ = ChannelStep::wait;
  MaybeWait wait_;
  ChannelWait in_queue_;
};

template <class T>
ChannelState<T>& state_of(const Channel<T>& channel) noexcept {
  ChannelState<T>* const state = ChannelAccess::state(channel);
  if (state == nullptr) stop_for_empty_channel();
  return *state;
}

template <class T>
class ReceiveAwaiter {
 public:
  explicit ReceiveAwaiter(const Channel<T>& channel,
                          std::chrono::nanoseconds timeout = kNoTimeout) noexcept
      : channel_(channel), timeout_(timeout) {}
  ReceiveAwaiter(const ReceiveAwaiter&) = delete;
  ReceiveAwaiter& operator=(const ReceiveAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    Strand& strand = *caller.promise().strand;
    on_worker_ = strand.home() != nullptr;
    if (!on_worker_) return false;
    ChannelState<T>& state = state_of(channel_);
    if (state.may_receive()) {
      const ChannelStep step = state.receive(value_, nullptr);
      turn_.set_step(step);
      if (step != ChannelStep::wait) return false;
    }
    return turn_.suspend(strand, caller, &value_, timeout_,
                         [&](ChannelWait* wait) { return state.receive(value_, wait); });
  }
  std::optional<T> await_resume() {
    if (!on_worker_) return channel_.receive();
    if (finish() == ChannelStep::cancelled) throw_cancelled();
    return std::move(value_);
  }

 protected:
  ChannelStep finish() noexcept {
    ChannelState<T>& state = state_of(channel_);
    return turn_.finish(state, state.receivers());
  }

  const Channel<T> channel_;  // a copy: the handle may be one that goes before the wait ends
  std::chrono::nanoseconds timeout_;
  std::optional<T> value_;
  ChannelTurn turn_;
  bool on_worker_ = false;
};

template <class T>
class ReceiveForAwaiter : private ReceiveAwaiter<T> {
  using Base = ReceiveAwaiter<T>;

 public:
  using Base::await_ready;
  using Base::await_suspend;
  using Base::Base;
  Result<T> await_resume() {
    if (!Base::on_worker_) return Base::channel_.receive_for(Base::timeout_);
    const ChannelStep step = Base::finish();
    if (step != ChannelStep::done) return channel_error(step);
    return std::move(*Base::value_);
  }
};

// `Value` is T& when the caller keeps a value that was not sent.
template <class T, class Value>
class SendAwaiter {
 public:
  template <class From>
  SendAwaiter(const Channel<T>& channel, From&& value,
              std::chrono::nanoseconds timeout = kNoTimeout)
      : channel_(channel), timeout_(timeout), value_(std::forward<From>(value)) {}
  SendAwaiter(const SendAwaiter&) = delete;
  SendAwaiter& operator=(const SendAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <PromiseOfTask Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    Strand& strand = *caller.promise().strand;
    on_worker_ = strand.home() != nullptr;
    if (!on_worker_) return false;
    ChannelState<T>& state = state_of(channel_);
    if (state.may_send()) {
      const ChannelStep step = state.send(value_, nullptr);
      turn_.set_step(step);
      if (step != ChannelStep::wait) return false;
    }
    return turn_.suspend(strand, caller, &value_, timeout_,
                         [&](ChannelWait* wait) { return state.send(value_, wait); });
  }
  bool await_resume() {
    if (!on_worker_) return channel_.send(std::move(value_));
    const ChannelStep step = finish();
    if (step == ChannelStep::cancelled) throw_cancelled();
    return step == ChannelStep::done;
  }

 protected:
  ChannelStep finish() noexcept {
    ChannelState<T>& state = state_of(channel_);
    return turn_.finish(state, state.senders());
  }

  const Channel<T> channel_;
  std::chrono::nanoseconds timeout_;
  Value value_;
  ChannelTurn turn_;
  bool on_worker_ = false;
};

template <class T, class Value>
class SendForAwaiter : private SendAwaiter<T, Value> {
  using Base = SendAwaiter<T, Value>;

 public:
  using Base::await_ready;
  using Base::await_suspend;
  using Base::Base;
  Result<void> await_resume() {
    if (!Base::on_worker_) {
      return Base::channel_.send_for(std::move(Base::value_), Base::timeout_);
    }
    const ChannelStep step = Base::finish();
    if (step != ChannelStep::done) return channel_error(step);
    return {};
  }
};

}  // namespace weft::detail
