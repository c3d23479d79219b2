// WorkerPool: where work runs that would hold up a loop, because it blocks or computes for long.
//
// Contract.
// - submit(task): any thread, the pool's own included; never blocks on a task or on a full queue.
//   `accepted` means the task will run exactly once, on a thread of the pool; it is the pool's
//   until its run function is called, which may free it. With any other answer it is still the
//   caller's and will not run: `full` passes, `stopped` does not.
// - A task does not throw, and tells by its own means that it is done; the pool does not look back.
// - A task that waits for another task of its pool may wait for ever. Who is on a thread of the
//   pool already (on_own_thread()) runs such work in place instead of submitting it.
// - stop(): takes nothing more, runs all that was accepted, and returns when no thread of the pool
//   is left. Any number of times, from any one thread that is not the pool's own; destruction
//   stops, too, and nobody may be submitting by then.
// - threads(), busy() and queued() (accepted and not begun) are true figures of some recent moment.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace weft::ksvc {

struct PoolTask {
  using Run = void (*)(PoolTask& task) noexcept;

  explicit PoolTask(Run run_task) noexcept : run(run_task) {}

  Run run;
  PoolTask* next = nullptr;  // the pool's
};

enum class PoolAnswer : std::uint8_t { accepted, full, stopped };

template <class P>
concept WorkerPool = requires(P& pool, const P& constant, PoolTask& task) {
  { pool.submit(task) } noexcept -> std::same_as<PoolAnswer>;
  { pool.stop() } -> std::same_as<void>;
  { constant.on_own_thread() } noexcept -> std::same_as<bool>;
  { constant.threads() } noexcept -> std::same_as<unsigned>;
  { constant.busy() } noexcept -> std::same_as<unsigned>;
  { constant.queued() } noexcept -> std::same_as<std::size_t>;
  { P::name() } -> std::convertible_to<const char*>;
};

}  // namespace weft::ksvc
