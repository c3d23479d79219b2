// Strand: what runs a coroutine and those that it awaits, one after the other, on one worker.
//
// Invariants.
// - It is run by its home alone: the worker it was made on or, where that is none, the OS thread.
// - It holds what belongs to a task (cancellation, locals, name). While it runs, that is what the
//   stack it runs on has as its own; when it suspends, the stack gets back what it had.
// - Control goes from one coroutine to another through run_here(), which never has more than one of
//   them on the stack; so a coroutine may await any number that do not wait, whether or not the
//   compiler makes tail calls.
// - What ends a wait makes the strand ready on its home, also while it still runs.
// - A coroutine that has begun is owned by whoever awaits it, who is suspended until it has ended;
//   so there is no way to drop one that waits.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "weft/detail/armed_wait.hpp"
#include "weft/detail/runnable.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/detail/waiter.hpp"

namespace weft::detail {

class Strand : public Runnable {
 public:
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  // Before it is run for the first time. The name lives as long as the strand.
  void begin_with(std::coroutine_handle<> first, CancelNode* cancel, const char* name) noexcept;
  // Runs until it waits for something, or has ended.
  void run_here() noexcept;
  void make_ready() noexcept;

  // ---- Of the coroutine that runs

  // `to` runs next.
  void transfer_to(std::coroutine_handle<> to) noexcept { current_ = to; }
  // Nothing runs until it is made ready; then `here` does.
  void suspend_at(std::coroutine_handle<> here) noexcept {
    current_ = here;
    suspended_ = true;
  }
  void end() noexcept { suspended_ = ended_ = true; }

  // Null outside a worker, where what would suspend blocks instead.
  gvt::Scheduler* home() const noexcept { return home_; }

 protected:
  // Of the caller's thread. A caller outside a worker runs it by run_here().
  Strand() noexcept;
  ~Strand() = default;

 private:
  // When the first coroutine has ended; here it goes. The strand is still what runs.
  virtual void drop_coroutine() noexcept = 0;
  // After that. The strand may be dropped in it.
  virtual void ended() noexcept = 0;

  static void run_ready(Runnable& self) noexcept { static_cast<Strand&>(self).run_here(); }

  gvt::Scheduler* home_;
  std::coroutine_handle<> current_;
  TaskState state_;
  bool suspended_ = false;
  bool ended_ = false;
};

// Memory of the worker the caller is on, or of the heap.
void* take_frame(std::size_t bytes);
void give_back_frame(void* frame, std::size_t bytes) noexcept;

// What all promises have.
struct CoroPromise {
  static void* operator new(std::size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept {
    give_back_frame(frame, bytes);
  }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <std::derived_from<CoroPromise> Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      CoroPromise& promise = ended.promise();
      if (promise.continuation == nullptr) {
        promise.strand->end();
      } else {
        promise.strand->transfer_to(promise.continuation);
      }
    }
    void await_resume() const noexcept {}
  };

  // Nothing runs before someone awaits it.
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }

  Strand* strand = nullptr;              // null until it begins
  std::coroutine_handle<> continuation;  // null: it is the strand's first
};

template <class Promise>
concept PromiseOfTask = std::derived_from<Promise, CoroPromise>;

// One wait of a coroutine: for a Waiter that someone claims, for the cancellation of the strand and
// for a deadline.
class CoroWait {
 public:
  // On the strand, before it suspends.
  explicit CoroWait(Strand& strand) noexcept : waiter_(strand, *strand.home()), armed_(waiter_) {}
  CoroWait(const CoroWait&) = delete;
  CoroWait& operator=(const CoroWait&) = delete;

  Waiter& waiter() noexcept { return waiter_; }
  // False when the strand must go on at once: it is cancelled.
  bool arm(std::int64_t deadline_ns = kNever) noexcept {
    return armed_.arm(current_task().cancel, deadline_ns);
  }
  // When the strand goes on, whatever arm() said, and if it was not called.
  Outcome finish() noexcept {
    armed_.disarm();
    return waiter_.outcome();
  }

 private:
  Waiter waiter_;
  ArmedWait armed_;
};

// A wait that only starts in await_suspend(), if at all.
using MaybeWait = std::optional<CoroWait>;

// Around what the strand's worker does not know of: the kernel, the pool.
void external_wait_begins(const Strand& strand) noexcept;
void external_wait_ended(const Strand& strand) noexcept;

}  // namespace weft::detail
