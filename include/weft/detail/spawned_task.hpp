// SpawnedTask: a function that runs as a green thread, its outcome, and who waits for it.
//
// Two own it: the run, until the function has ended, and the handle, until it is dropped; the last
// one deletes it. The outcome is the run's until the end, then the handle's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

#include "weft/detail/cancel_node.hpp"
#include "weft/detail/kept_value.hpp"
#include "weft/detail/runnable.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::detail {

// Stops the process: a handle was used that stands for no green thread.
[[noreturn]] void stop_for_empty_handle() noexcept;

struct StartOptions {
  const char* name = nullptr;
  std::size_t stack_bytes = 0;
  bool movable = false;
};

class SpawnedTaskBase : public Runnable {
 public:
  SpawnedTaskBase(const SpawnedTaskBase&) = delete;
  SpawnedTaskBase& operator=(const SpawnedTaskBase&) = delete;

  // Of whoever starts it.
  void start(const StartOptions& options);
  // On the scheduler's own thread.
  void start_on(gvt::Scheduler& scheduler, const StartOptions& options);

  // The rest is the handle's.
  bool ended() const noexcept { return state_.load(std::memory_order_acquire) == kEnded; }
  // Parks until the function has ended. Otherwise: `timed_out`, or `cancelled`.
  Outcome wait(std::int64_t deadline_ns);
  // The two halves of it. False when the function has ended already.
  bool add_waiter(Waiter& waiter) noexcept;
  // Of a waiter that something else has ended.
  void drop_waiter(Waiter& waiter) noexcept;
  CancelNode& cancel_node() noexcept { return cancel_; }
  // Throws what the function threw; once it has ended.
  void rethrow_failure();
  // Nobody asks for the outcome any more. An exception that nobody has seen ends the process, as
  // one that leaves a thread does.
  void let_go() noexcept;

 protected:
  using Body = void (*)(SpawnedTaskBase& self);
  using Delete = void (*)(SpawnedTaskBase& self) noexcept;

  SpawnedTaskBase(Body body, Delete destroy) noexcept
      : Runnable(&SpawnedTaskBase::run_task), body_(body), delete_(destroy) {}
  // Of what does not run as one call: `begin` starts it, and end() comes in its own time.
  SpawnedTaskBase(Run begin, Delete destroy) noexcept
      : Runnable(begin), body_(nullptr), delete_(destroy) {}
  ~SpawnedTaskBase() = default;

  const char* name() const noexcept { return name_; }
  // Keeps the exception that is being handled.
  void fail() noexcept;
  // When nothing of it runs any more. Then it is the handle's.
  void end() noexcept;

 private:
  // What the two owners know of each other; any other value is the address of the waiter.
  static constexpr std::uintptr_t kRunning = 0;
  static constexpr std::uintptr_t kEnding = 1;  // the waiter, if there is one, is being looked at
  static constexpr std::uintptr_t kEnded = 2;
  static constexpr std::uintptr_t kLetGo = 3;

  static void run_task(Runnable& self) noexcept;
  void await_ended() const noexcept;
  void require_seen() noexcept;

  Body body_;
  Delete delete_;
  std::atomic<std::uintptr_t> state_{kRunning};
  bool movable_ = false;
  bool failed_ = false;  // with an exception that nobody has seen
  const char* name_ = nullptr;
  CancelNode cancel_;
  std::exception_ptr failure_;
};

// With the outcome.
template <class Value>
class ValueTask : public SpawnedTaskBase {
 public:
  Value take() { return value_.take(); }

 protected:
  using SpawnedTaskBase::SpawnedTaskBase;
  ~ValueTask() = default;

  KeptValue<Value> value_;
};

template <class Function>
class SpawnedTask final : public ValueTask<std::invoke_result_t<Function&>> {
  using Base = ValueTask<std::invoke_result_t<Function&>>;

 public:
  template <class From>
  explicit SpawnedTask(From&& function)
      : Base(&SpawnedTask::run_function, &SpawnedTask::destroy),
        function_(std::forward<From>(function)) {}

  // In place of a handle, when it could not be started.
  void abandon() noexcept {
    function_.~Function();
    delete this;
  }

 private:
  // The function goes when it has run, not with the handle: others may wait for what it holds.
  struct Drop {
    SpawnedTask& task;
    ~Drop() { task.function_.~Function(); }
  };

  ~SpawnedTask() {}

  static void run_function(SpawnedTaskBase& base) {
    auto& self = static_cast<SpawnedTask&>(base);
    const Drop drop{self};
    self.value_.keep(self.function_);
  }
  static void destroy(SpawnedTaskBase& base) noexcept { delete static_cast<SpawnedTask*>(&base); }

  union {
    Function function_;
  };
};

}  // namespace weft::detail
