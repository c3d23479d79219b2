// Green threads: straight-line code that parks instead of blocking its OS thread.
//
// These calls work on a worker: inside a handler, inside what weft::run() runs, and inside what
// those spawn. Called elsewhere they stop the process with a message that says so, except
// sleep_for(), which then blocks the OS thread.
#pragma once

#include <chrono>
#include <functional>
#include <type_traits>
#include <utility>

#include "weft/detail/runnable.hpp"

namespace weft {

// Parks the caller for at least this long.
void sleep(std::chrono::nanoseconds duration);

// Lets everything else that is ready on this worker go first.
void yield();

namespace detail {

void start(Runnable& task);
void task_ended() noexcept;

template <class Function>
struct SpawnedTask : Runnable {
  explicit SpawnedTask(Function&& function)
      : Runnable(&SpawnedTask::run_and_delete), body(std::move(function)) {}

  // An exception that leaves a spawned function ends the process, as it does with std::thread.
  static void run_and_delete(Runnable& self) noexcept {
    auto* task = static_cast<SpawnedTask*>(&self);
    task->body();
    delete task;
    task_ended();
  }

  Function body;
};

}  // namespace detail

// Starts `function` as a green thread on this worker; it runs when the caller next parks or ends.
template <class Function>
void spawn(Function&& function) {
  using Body = std::decay_t<Function>;
  detail::start(*new detail::SpawnedTask<Body>(Body(std::forward<Function>(function))));
}

struct RunOptions {
  enum class Backend { automatic, io_uring, epoll };
  Backend backend = Backend::automatic;
  std::size_t stack_bytes = 64 * 1024;
};

// Runs `main` as the first green thread of a worker on the calling OS thread; returns when `main`
// and all it spawned, directly or not, have ended. Throws std::runtime_error when no back end can
// be set up.
void run(std::function<void()> main, const RunOptions& options = {});

}  // namespace weft
