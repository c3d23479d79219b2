// ChannelState: what the handles of one channel share: its values, and who waits for it.
//
// Invariants, under the lock.
// - While someone who could still be served waits to receive, the channel is empty; while someone
//   waits to send, it is full. So a value goes to a receiver that waits, or into the buffer, or
//   its sender waits; and order is kept.
// - Who waits is claimed (see Waiter) in the step that moves the value: it is delivered once or not
//   at all. A waiter that something else has claimed is passed over.
// - Nothing of a channel is touched after waking, so who is woken may drop it.
// Any thread. Values are moved under the lock: moving must neither throw nor park.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/detail/channel_buffer.hpp"
#include "weft/detail/spin_lock.hpp"
#include "weft/detail/waiter.hpp"
#include "weft/result.hpp"

namespace weft::detail {

// What became of an operation.
enum class ChannelStep : std::uint8_t {
  done,
  closed,
  wait,  // nobody is there for it
  grow,  // the buffer needs a block first
  timed_out,
  cancelled,
};

struct ChannelAttempt {
  ChannelStep step = ChannelStep::wait;
  Waiter* wake = nullptr;   // claimed; to be woken once the lock is free
  void* surplus = nullptr;  // a block of the buffer to be freed then
};

// One wait for one channel. Several of a select share a waiter, whose outcome says which it was.
struct ChannelWait {
  Waiter* waiter = nullptr;
  void* place = nullptr;  // the sender's T, or the receiver's std::optional<T>
  std::uint32_t index = 0;
  bool queued = false;
  ChannelWait* next = nullptr;
  ChannelWait* previous = nullptr;

  static Outcome outcome(std::uint32_t index, bool closed) noexcept {
    return Outcome{static_cast<std::uint32_t>(Outcome::woken) + 2 * index + (closed ? 1U : 0U)};
  }
  static bool is_closed(Outcome outcome) noexcept { return (from_woken(outcome) & 1U) != 0; }
  static std::uint32_t index_of(Outcome outcome) noexcept { return from_woken(outcome) / 2; }

 private:
  static std::uint32_t from_woken(Outcome outcome) noexcept {
    return static_cast<std::uint32_t>(outcome) - static_cast<std::uint32_t>(Outcome::woken);
  }
};

// Who waits on one side of a channel, longest first.
class ChannelWaits {
 public:
  // May be asked without the lock: then it is a hint.
  bool empty() const noexcept { return first_.load(std::memory_order_relaxed) == nullptr; }

  void push(ChannelWait& wait) noexcept {
    wait.queued = true;
    wait.next = nullptr;
    wait.previous = last_;
    if (last_ == nullptr) {
      first_.store(&wait, std::memory_order_relaxed);
    } else {
      last_->next = &wait;
    }
    last_ = &wait;
  }
  void remove(ChannelWait& wait) noexcept {
    if (!wait.queued) return;
    wait.queued = false;
    if (wait.previous == nullptr) {
      first_.store(wait.next, std::memory_order_relaxed);
    } else {
      wait.previous->next = wait.next;
    }
    (wait.next == nullptr ? last_ : wait.next->previous) = wait.previous;
  }
  // Takes out the first who can be claimed, and claims it; null when there is none.
  ChannelWait* claim_first(bool closed = false) noexcept {
    while (ChannelWait* const wait = first_.load(std::memory_order_relaxed)) {
      remove(*wait);
      if (wait->waiter->claim(ChannelWait::outcome(wait->index, closed))) return wait;
    }
    return nullptr;
  }

 private:
  std::atomic<ChannelWait*> first_{nullptr};
  ChannelWait* last_ = nullptr;
};

class ChannelBase {
 public:
  ChannelBase(const ChannelBase&) = delete;
  ChannelBase& operator=(const ChannelBase&) = delete;

  // True when this was the first time.
  bool close() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  std::size_t capacity() const noexcept { return capacity_; }

  // Hints, without the lock: whether such an operation might not have to wait.
  bool may_send() const noexcept { return size() < capacity_ || !receivers_.empty() || closed(); }
  bool may_receive() const noexcept { return size() != 0 || !senders_.empty() || closed(); }

  // For who has several channels in hand: the lock, what needs it, and what must be without it.
  SpinLock& lock() noexcept { return lock_; }
  virtual ChannelAttempt attempt_send(void* value) noexcept = 0;
  virtual ChannelAttempt attempt_receive(void* place) noexcept = 0;
  ChannelWaits& senders() noexcept { return senders_; }
  ChannelWaits& receivers() noexcept { return receivers_; }
  virtual void grow() = 0;
  virtual void discard(void* surplus) noexcept = 0;

 protected:
  explicit ChannelBase(std::size_t capacity) noexcept : capacity_(capacity) {}
  ~ChannelBase() = default;

  void set_size(std::size_t size) noexcept { size_.store(size, std::memory_order_relaxed); }
  // Parks until the wait, which is in `queue`, is over.
  ChannelStep finish(ChannelWaits& queue, ChannelWait& wait, std::int64_t deadline_ns);

  SpinLock lock_;
  std::atomic<bool> closed_{false};
  std::atomic<std::size_t> size_{0};
  const std::size_t capacity_;
  ChannelWaits senders_;
  ChannelWaits receivers_;
};

template <class T>
class ChannelState final : public ChannelBase {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "send values, or pointers");
  static_assert(std::is_nothrow_move_constructible_v<T>, "moving a value must not throw");

 public:
  explicit ChannelState(std::size_t capacity) noexcept : ChannelBase(capacity) {}

  // When nobody is there for it: `wait`, and then `waiting`, if given, is in the queue, and its
  // waiter will be claimed. The value is moved from in the step that delivers it.
  ChannelStep send(T& value, ChannelWait* waiting) {
    return carry_out(senders_, waiting, [&] { return send_locked(value); });
  }
  ChannelStep receive(std::optional<T>& place, ChannelWait* waiting) {
    return carry_out(receivers_, waiting, [&] { return receive_locked(place); });
  }
  // These park when they must, until then or the deadline.
  ChannelStep send_waiting(T& value, std::int64_t deadline_ns);
  ChannelStep receive_waiting(std::optional<T>& place, std::int64_t deadline_ns);

  ChannelAttempt attempt_send(void* value) noexcept override {
    return send_locked(*static_cast<T*>(value));
  }
  ChannelAttempt attempt_receive(void* place) noexcept override {
    return receive_locked(*static_cast<std::optional<T>*>(place));
  }
  void grow() override;
  void discard(void* surplus) noexcept override { delete static_cast<Block*>(surplus); }

 private:
  using Block = typename ChannelBuffer<T>::Block;

  template <class Attempt>
  ChannelStep carry_out(ChannelWaits& queue, ChannelWait* waiting, Attempt attempt);
  ChannelAttempt send_locked(T& value) noexcept;
  ChannelAttempt receive_locked(std::optional<T>& place) noexcept;

  ChannelBuffer<T> buffer_;
};

template <class T>
inline ChannelAttempt ChannelState<T>::send_locked(T& value) noexcept {
  if (closed_.load(std::memory_order_relaxed)) return {ChannelStep::closed};
  if (ChannelWait* const receiver = receivers_.claim_first()) {
    static_cast<std::optional<T>*>(receiver->place)->emplace(std::move(value));
    return {ChannelStep::done, receiver->waiter};
  }
  if (size() >= capacity_) return {ChannelStep::wait};
  if (!buffer_.has_room()) return {ChannelStep::grow};
  buffer_.push(value);
  set_size(size() + 1);
  return {ChannelStep::done};
}

template <class T>
inline ChannelAttempt ChannelState<T>::receive_locked(std::optional<T>& place) noexcept {
  if (size() == 0) {
    ChannelWait* const sender = senders_.claim_first();
    if (sender == nullptr) {
      return {closed_.load(std::memory_order_relaxed) ? ChannelStep::closed : ChannelStep::wait};
    }
    place.emplace(std::move(*static_cast<T*>(sender->place)));
    return {ChannelStep::done, sender->waiter};
  }
  // Asked before a sender is claimed, after which there is no way back.
  if (!senders_.empty() && !buffer_.has_room()) return {ChannelStep::grow};
  ChannelAttempt attempt{ChannelStep::done};
  attempt.surplus = buffer_.pop(place);
  if (ChannelWait* const sender = senders_.claim_first()) {
    buffer_.push(*static_cast<T*>(sender->place));
    attempt.wake = sender->waiter;
  } else {
    set_size(size() - 1);
  }
  return attempt;
}

template <class T>
template <class Attempt>
inline ChannelStep ChannelState<T>::carry_out(ChannelWaits& queue, ChannelWait* waiting,
                                              Attempt attempt) {
  for (;;) {
    lock_.lock();
    const ChannelAttempt attempted = attempt();
    if (attempted.step == ChannelStep::wait && waiting != nullptr) queue.push(*waiting);
    lock_.unlock();
    if (attempted.step == ChannelStep::grow) [[unlikely]] {
      grow();
      continue;
    }
    if (attempted.surplus != nullptr) [[unlikely]]
      delete static_cast<Block*>(attempted.surplus);
    if (attempted.wake != nullptr) attempted.wake->wake();
    return attempted.step;
  }
}

template <class T>
void ChannelState<T>::grow() {
  auto* block = new Block;
  {
    const SpinGuard guard(lock_);
    block = buffer_.add(block);
  }
  delete block;
}

// Each asks first whether it looks worth an attempt: the waiter is made before the lock is taken,
// and not for nothing; and whoever parks takes the lock once.
template <class T>
ChannelStep ChannelState<T>::send_waiting(T& value, std::int64_t deadline_ns) {
  if (may_send()) {
    const ChannelStep step = send(value, nullptr);
    if (step != ChannelStep::wait) return step;
  }
  Waiter waiter("room in a channel", this);
  ChannelWait wait{&waiter, &value};
  const ChannelStep step = send(value, &wait);
  return step != ChannelStep::wait ? step : finish(senders_, wait, deadline_ns);
}

template <class T>
ChannelStep ChannelState<T>::receive_waiting(std::optional<T>& place, std::int64_t deadline_ns) {
  if (may_receive()) {
    const ChannelStep step = receive(place, nullptr);
    if (step != ChannelStep::wait) return step;
  }
  Waiter waiter("a value from a channel", this);
  ChannelWait wait{&waiter, &place};
  const ChannelStep step = receive(place, &wait);
  return step != ChannelStep::wait ? step : finish(receivers_, wait, deadline_ns);
}

// Stops the process: an operation on a handle that stands for no channel.
[[noreturn]] void stop_for_empty_channel() noexcept;
// What a step that failed is as an Error.
Error channel_error(ChannelStep step) noexcept;

}  // namespace weft::detail
