// Coroutines on the same completions, channels and timers as green threads, without stacks.
//
//     weft::Task<void> echo(weft::TcpStream stream) {
//       std::array<char, 4096> buffer;
//       for (;;) {
//         const auto count = co_await weft::coro::read(stream, buffer);
//         if (!count || *count == 0) co_return;
//         if (!co_await weft::coro::write(stream, {buffer.data(), *count})) co_return;
//       }
//     }
//     weft::coro::spawn(echo(std::move(stream)));       // beside the caller, on this worker
//     const auto total = weft::coro::wait(add_up());    // the caller waits for it
//
// A coroutine stays on the worker it was started on, and costs its frame: some hundred bytes.
// What is awaited has the result of its green counterpart, and is cancelled as that is: by the
// handle, or by what surrounds whoever awaits. Calls that park (weft::sleep, Mutex::lock) may be
// made in a coroutine: they park the stack that it happens to run on, with all that is on it.
// coro::wait() works outside a worker, too: there each awaited call blocks the OS thread. What runs
// beside others (spawn, all, green, yield) needs a worker and stops the process elsewhere.
// A coroutine has its own locals (see local.hpp), which those that it awaits share.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/cancel.hpp"
#include "weft/channel.hpp"
#include "weft/detail/coro_all.hpp"
#include "weft/detail/coro_channel.hpp"
#include "weft/detail/coro_io.hpp"
#include "weft/detail/coro_pool.hpp"
#include "weft/detail/coro_promise.hpp"
#include "weft/detail/coro_root.hpp"
#include "weft/detail/coro_scope.hpp"
#include "weft/detail/coro_wait.hpp"
#include "weft/green.hpp"
#include "weft/net.hpp"

namespace weft {

// A coroutine that begins when it is awaited, spawned or waited for: once, and by one. Dropped
// before that, it never runs. Until it has ended whoever awaits it is suspended and keeps it, so
// what it awaits is never left behind. An exception out of it comes out of the co_await.
// What is passed to a coroutine by reference must live until it has ended.
template <class T = void>
class [[nodiscard]] Task {
 public:
  // What the language asks of a coroutine's type.
  using promise_type = detail::TaskPromise<T>;

  // Stands for no coroutine.
  Task() noexcept = default;

  // Starts it, and gives its result when it has ended, or throws what it threw.
  detail::TaskAwaiter<T> operator co_await() && noexcept {
    return detail::TaskAwaiter<T>(std::move(coroutine_));
  }
  // Whether it stands for a coroutine that has not been started.
  explicit operator bool() const noexcept { return !coroutine_.empty(); }

 private:
  friend promise_type;
  friend struct detail::TaskAccess;

  explicit Task(detail::OwnedCoroutine<T> coroutine) noexcept : coroutine_(std::move(coroutine)) {}

  detail::OwnedCoroutine<T> coroutine_;
};

namespace coro {

// ---- To start one

// Beside the caller, on this worker; it begins when the caller next parks, suspends or ends. The
// handle is as that of a green thread. The name is for whoever looks from outside; a string that
// lives for ever.
template <class T>
JoinHandle<T> spawn(Task<T> task, const char* name = nullptr) {
  return detail::SpawnedCoroutine<T>::start(detail::TaskAccess::take(task), name);
}

// Runs it, parks the caller until it has ended, and gives its result or throws what it threw.
// Cancelling the caller cancels it.
template <class T>
T wait(Task<T> task) {
  detail::WaitedCoroutine<T> waited(detail::TaskAccess::take(task));
  return waited.wait();
}

// ---- To await other code

// The reverse of wait(): runs `function` as a green thread of this worker, under the cancellation
// of the caller, and gives its result when it has ended.
template <class Function>
auto green(Function&& function) {
  return detail::GreenAwaiter<std::decay_t<Function>>(std::forward<Function>(function));
}
// As weft::blocking().
template <class Function>
auto blocking(Function&& function) {
  return detail::BlockingAwaiter<std::decay_t<Function>>(std::forward<Function>(function));
}
// As JoinHandle::join(). The handle must stay until this is over.
template <class T>
auto join(JoinHandle<T>& handle) noexcept {
  return detail::JoinAwaiter<T>(handle);
}

// Runs all at once and gives a tuple of their results (std::monostate for void). The first
// exception cancels the rest, and is thrown when all have ended. As in a scope, errors in Results
// are values like others.
template <class... T>
auto all(Task<T>... tasks) {
  return detail::AllAwaiter<T...>(detail::TaskAccess::take(tasks)...);
}
// The same of any number; gives a vector of the results, or nothing for void.
template <class T>
auto all(std::vector<Task<T>> tasks) {
  return detail::AllOfAwaiter<T>(detail::TaskAccess::take_all(tasks));
}

// ---- Cancellation: see cancel.hpp

// The task's result, or an Error with the code `timed_out`. When it gives a Result itself, that.
template <class T>
auto with_timeout(std::chrono::nanoseconds timeout, Task<T> task) noexcept {
  using Awaiter = detail::ScopedTaskAwaiter<T, detail::CoroDeadline, std::int64_t>;
  return Awaiter(detail::TaskAccess::take(task), detail::deadline_after(timeout.count()));
}
// The same with the code `cancelled`, when the token is.
template <class T>
auto with_cancel(const CancelToken& token, Task<T> task) noexcept {
  using Awaiter = detail::ScopedTaskAwaiter<T, detail::CoroTokenScope, CancelToken>;
  return Awaiter(detail::TaskAccess::take(task), token);
}
// Nothing outside cancels it.
template <class T>
auto shielded(Task<T> task) noexcept {
  return detail::ShieldedTaskAwaiter<T>(detail::TaskAccess::take(task));
}

// ---- Time and turns

// As weft::sleep().
inline auto sleep(std::chrono::nanoseconds duration) noexcept {
  return detail::SleepAwaiter(duration);
}
// As weft::yield().
inline auto yield() noexcept { return detail::YieldAwaiter(); }

// ---- Channels

// As Channel::receive().
template <class T>
auto receive(const Channel<T>& channel) noexcept {
  return detail::ReceiveAwaiter<T>(channel);
}
// As Channel::send(). A value that is given away must stay until this is over; if not sent, it has
// not been moved from.
template <class T>
auto send(const Channel<T>& channel, std::type_identity_t<T>&& value) noexcept {
  return detail::SendAwaiter<T, T&>(channel, value);
}
template <class T>
auto send(const Channel<T>& channel, const std::type_identity_t<T>& value) {
  return detail::SendAwaiter<T, T>(channel, value);
}

// As Channel::receive_for().
template <class T>
auto receive_for(const Channel<T>& channel, std::chrono::nanoseconds timeout) noexcept {
  return detail::ReceiveForAwaiter<T>(channel, timeout);
}
// As Channel::send_for(), and as send() here.
template <class T>
auto send_for(const Channel<T>& channel, std::type_identity_t<T>&& value,
              std::chrono::nanoseconds timeout) noexcept {
  return detail::SendForAwaiter<T, T&>(channel, value, timeout);
}
template <class T>
auto send_for(const Channel<T>& channel, const std::type_identity_t<T>& value,
              std::chrono::nanoseconds timeout) {
  return detail::SendForAwaiter<T, T>(channel, value, timeout);
}

// ---- Streams, with their time limits

// As Stream::read(). Stream and buffer must stay until this is over; so they must below.
inline auto read(Stream& stream, std::span<char> into) noexcept {
  return detail::ReadAwaiter(stream, into);
}
// As Stream::read_exactly().
inline auto read_exactly(Stream& stream, std::span<char> into) noexcept {
  return detail::ReadExactlyAwaiter(stream, into);
}
// As Stream::write().
inline auto write(Stream& stream, std::string_view bytes) noexcept {
  return detail::WriteAwaiter(stream, bytes);
}
// As the listener's own.
inline auto accept(TcpListener& listener) noexcept {
  return detail::AcceptAwaiter<TcpStream>(listener);
}
inline auto accept(UnixListener& listener) noexcept {
  return detail::AcceptAwaiter<UnixStream>(listener);
}
// As TcpStream::connect().
Task<Result<TcpStream>> connect(Endpoint peer);
Task<Result<TcpStream>> connect(std::string host, std::uint16_t port);
// As UnixStream::connect().
Task<Result<UnixStream>> connect_unix(std::string path);

}  // namespace coro

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(OwnedCoroutine<T>(std::coroutine_handle<TaskPromise>::from_promise(*this)));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(OwnedCoroutine<void>(std::coroutine_handle<TaskPromise>::from_promise(*this)));
}

}  // namespace detail

}  // namespace weft
