// Green threads: straight-line code that parks instead of blocking its OS thread.
//
// spawn() and yield() need a worker: they work inside a handler, inside what weft::run() runs, and
// inside what those spawn; elsewhere they stop the process with a message that says so. sleep() and
// join() block an OS thread that is no worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

#include "weft/cancel.hpp"
#include "weft/detail/spawned_task.hpp"
#include "weft/result.hpp"

namespace weft {

// Parks the caller for at least this long. Throws Cancelled when it is cancelled before.
void sleep(std::chrono::nanoseconds duration);

// Lets everything else that is ready on this worker go first.
void yield();

namespace detail {
struct JoinAccess;
}

// What a spawned function comes to. Dropping the handle leaves the green thread on its own.
// Used by one thread at a time, which need not be the one that spawned.
template <class Value>
class JoinHandle {
 public:
  // Stands for no green thread.
  JoinHandle() noexcept = default;
  // For spawn().
  explicit JoinHandle(detail::ValueTask<Value>& task) noexcept : task_(&task) {}
  JoinHandle(JoinHandle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  JoinHandle& operator=(JoinHandle&& other) noexcept {
    if (this != &other) {
      detach();
      task_ = std::exchange(other.task_, nullptr);
    }
    return *this;
  }
  ~JoinHandle() { detach(); }

  // Parks until the function has ended; gives its result, or throws what it threw: Cancelled, if it
  // was cancelled. Once. Throws Cancelled, too, when the caller is cancelled; then the handle is as
  // before.
  Value join() {
    if (task().wait(detail::kNever) != detail::Outcome::woken) detail::throw_cancelled();
    return take();
  }
  // The same, or an Error: `timed_out` when that takes longer, `cancelled` when the caller is.
  Result<Value> join_for(std::chrono::nanoseconds timeout) {
    const auto outcome = task().wait(detail::deadline_after(timeout.count()));
    if (outcome == detail::Outcome::timed_out) return Error{ErrorCode::timed_out, 0};
    if (outcome != detail::Outcome::woken) return detail::own_cancellation().error();
    if constexpr (std::is_void_v<Value>) {
      take();
      return {};
    } else {
      return take();
    }
  }
  // Whether join() would not park.
  bool ended() const noexcept { return task().ended(); }
  // Asks the function to end: whatever it is parked in is cancelled.
  void cancel() noexcept { task().cancel_node().cancel(detail::CancelReason::cancelled); }
  // Leaves the green thread on its own; the handle stands for none from then on.
  void detach() noexcept {
    if (task_ != nullptr) std::exchange(task_, nullptr)->let_go();
  }
  // Whether it stands for a green thread: not after join() or detach().
  bool joinable() const noexcept { return task_ != nullptr; }

 private:
  friend struct detail::JoinAccess;

  detail::ValueTask<Value>& task() const noexcept {
    if (task_ == nullptr) detail::stop_for_empty_handle();
    return *task_;
  }
  Value take() {
    JoinHandle last(std::move(*this));
    last.task_->rethrow_failure();
    return last.task_->take();
  }

  detail::ValueTask<Value>* task_ = nullptr;
};

// Where a green thread may go on when it has been waiting.
enum class Placement {
  pinned,  // on the worker it was spawned on
  // On whichever worker has time. Compilers take what belongs to an OS thread for constant within a
  // function: the address of a thread-local, std::this_thread::get_id(). It must not rely on those
  // across a call that parks.
  any,
};

// How a green thread is started.
struct SpawnOptions {
  const char* name = nullptr;  // for whoever looks from outside; a string that lives for ever
  // At least this much; 0, or less than all of this worker have: as those.
  std::size_t stack_bytes = 0;
  Placement placement = Placement::pinned;  // where it may go on
};

// Starts `function` as a green thread on this worker; it runs when the caller next parks or ends.
// What cancels the caller does not cancel it; see scope() for that.
template <class Function>
auto spawn(const SpawnOptions& options, Function&& function) {
  using Task = detail::SpawnedTask<std::decay_t<Function>>;
  using Value = std::invoke_result_t<std::decay_t<Function>&>;
  auto* task = new Task(std::forward<Function>(function));
  try {
    task->start({options.name, options.stack_bytes, options.placement == Placement::any});
  } catch (...) {
    task->abandon();
    throw;
  }
  return JoinHandle<Value>(*task);
}
template <class Function>
auto spawn(Function&& function) {
  return spawn(SpawnOptions{}, std::forward<Function>(function));
}

// How weft::run() runs.
struct RunOptions {
  // How the kernel is asked.
  enum class Backend { automatic, io_uring, epoll };
  // Who asks it.
  enum class Topology { reactor_per_worker, one_reactor };
  // What to do when all wait for each other.
  enum class OnDeadlock { report, abort, wait };

  // Automatic: as the environment variable WEFT_BACKEND says, or what suits the kernel.
  Backend backend = Backend::automatic;
  // Of each green thread that does not ask for more.
  std::size_t stack_bytes = 64 * 1024;
  // OS threads, each with a loop of its own; 0: one per core. Green threads stay where they were
  // spawned, but for those of Placement::any.
  unsigned workers = 1;
  // Whether each worker has a ring (or an epoll descriptor) of its own, or all hand their
  // operations to one more OS thread, which has it.
  Topology topology = Topology::reactor_per_worker;
  // When every green thread waits and nothing is left that could end that: say on standard error
  // who waits for what, end the process after that, or do nothing, for programs whose other OS
  // threads may still come to the rescue.
  OnDeadlock on_deadlock = OnDeadlock::report;
  // A worker that has not been back in its loop for this long is reported on standard error, with
  // the stack of what holds it up. Zero: never.
  std::chrono::milliseconds stall_after{100};
};

// Runs `main` as the first green thread of a worker on the calling OS thread; returns when `main`
// and all it spawned, directly or not, have ended. Throws what `main` throws, once all have; and
// std::runtime_error when no back end can be set up.
void run(std::function<void()> main, const RunOptions& options = {});

}  // namespace weft
