// Workshop: where the worker routes of one server run: the pool, its executors, and a lane for each
// route.
//
// An executor is a name with a number of requests that may run at once; a lane is the same for one
// route, with the time that a request of it may wait. The workshop is made before its server and
// outlives it. Executors are added before the server starts; everything else is for its workers,
// but for the figures, which anybody reads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "exec/admission.hpp"
#include "exec/pool_call.hpp"
#include "exec/pool_port.hpp"

namespace weft::exec {

// What has become of the requests for a route or an executor.
class QueueFigures {
 public:
  // The first bound is 2^kFirst µs, each next one four times as long: 16 µs to 4 s.
  static constexpr unsigned kFirst = 4;
  static constexpr unsigned kStep = 2;
  static constexpr std::size_t kBounds = 10;
  static constexpr std::uint64_t bound_us(std::size_t i) noexcept {
    return std::uint64_t{1} << (kFirst + kStep * i);
  }

  // Each from any worker.
  void count_begun(std::int64_t waited_ns) noexcept;
  void count_rejected() noexcept { rejected_.fetch_add(1, std::memory_order_relaxed); }
  void count_dropped() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }

  // How many have waited up to bound(i) and longer than the one before; the last: longer than all.
  std::uint64_t waited(std::size_t i) const noexcept {
    return waited_[i].load(std::memory_order_relaxed);
  }
  std::uint64_t waited_ns() const noexcept { return waited_ns_.load(std::memory_order_relaxed); }
  std::uint64_t begun() const noexcept;
  // That were answered 503 because they had waited for too long.
  std::uint64_t rejected() const noexcept { return rejected_.load(std::memory_order_relaxed); }
  // Whose client had gone, or whose time was over, before they could begin.
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<std::uint64_t>, kBounds + 1> waited_{};
  std::atomic<std::uint64_t> waited_ns_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<std::uint64_t> dropped_{0};
};

struct Executor {
  Executor(std::string called, std::size_t places) : name(std::move(called)), gate(places) {}

  const std::string name;
  Gate gate;
  QueueFigures figures;
};

struct LaneOptions {
  std::string executor;    // empty: that of all
  std::size_t places = 0;  // 0: as many as the executor has
  std::chrono::nanoseconds queue_time = std::chrono::seconds(2);
};

class Lane {
 public:
  Lane(Executor& executor_of_it, const LaneOptions& options);

  Executor& executor() noexcept { return executor_; }
  // Null: it has no limit of its own.
  Gate* gate() noexcept { return gate_ ? &*gate_ : nullptr; }
  std::chrono::nanoseconds queue_time() const noexcept { return queue_time_; }
  QueueFigures& figures() noexcept { return figures_; }
  const QueueFigures& figures() const noexcept { return figures_; }

 private:
  Executor& executor_;
  std::chrono::nanoseconds queue_time_;
  std::optional<Gate> gate_;
  QueueFigures figures_;
};

struct WorkshopOptions {
  // Threads that there may be; 0: as many as the pool thinks right.
  unsigned threads = 0;
  bool threads_from_start = false;
};

class Workshop {
 public:
  // The executor of all that name none.
  static constexpr std::string_view kDefaultExecutor = "default";

  // With a pool of its own, which is made when it is first needed, unless its threads are wanted
  // from the start: throws std::system_error then, when they cannot be had.
  explicit Workshop(const WorkshopOptions& options);
  // With that one, on which so many run at once.
  Workshop(std::unique_ptr<PoolPort> pool, std::size_t places);
  // Waits for what runs.
  ~Workshop();
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  // Before the server starts. `places`: that may run at once; 0: all threads.
  void add_executor(const std::string& name, std::size_t places);
  // Null: there is none of that name. Empty is the default one.
  Executor* find_executor(std::string_view name) noexcept;

  // A lane for requests. Throws std::invalid_argument when there is no such executor.
  std::unique_ptr<Lane> make_lane(const LaneOptions& options);

  // Whether the caller is on a thread of the pool already, so that it runs what it has in place.
  bool on_pool_thread() const noexcept;

  // ---- For calls, on their workers
  Gate& pool_gate() noexcept { return pool_gate_; }
  // Throws std::system_error when there is no thread at all.
  void need_pool();
  void enter(PoolCall& call) noexcept { run_all(admission_.enter(call)); }
  void leave(PoolCall& call) noexcept { run_all(admission_.leave(call)); }
  void withdraw(PoolCall& call) noexcept { run_all(admission_.withdraw(call)); }
  // On the pool's thread, behind the last look at the request.
  void has_come_round() noexcept;

  // ---- Any thread
  // Waits until nothing that was given to the pool runs any more.
  void wait_until_none_runs() const noexcept;
  std::size_t most_threads() const noexcept { return places_; }
  // Null: nothing has needed it yet.
  const PoolPort* pool() const noexcept { return pool_ready_.load(std::memory_order_acquire); }
  const Gate& pool_gate() const noexcept { return pool_gate_; }
  const auto& executors() const noexcept { return executors_; }

 private:
  void run_all(Entrant* first) noexcept;

  WorkshopOptions options_;
  std::size_t places_;
  Admission admission_;
  Gate pool_gate_;
  std::map<std::string, std::unique_ptr<Executor>, std::less<>> executors_;
  // Given to the pool and not come round.
  std::atomic<std::uint32_t> in_hand_{0};
  std::once_flag pool_made_;
  std::unique_ptr<PoolPort> pool_;
  std::atomic<PoolPort*> pool_ready_{nullptr};
};

}  // namespace weft::exec
