// WorkerGroup: several workers that run one program together: when it has ended, who sleeps, and
// the green threads that any of them may take.
//
// Life. Each worker's thread makes its worker, joins, and runs it between start_together() and
// end_together(): a worker that has left its loop may still be told things by the others.
// Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "weft/detail/runnable.hpp"

namespace weft::gvt {

class Scheduler;

class WorkerGroup {
 public:
  static constexpr unsigned kMostWorkers = 64;

  explicit WorkerGroup(unsigned workers) noexcept;
  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;

  void join(Scheduler& member, unsigned index) noexcept;
  // `failed`: the errno for which the caller's worker could not be made, or 0. Returns 0, or the
  // errno of one that could not: then none runs.
  int start_together(int failed) noexcept;
  // So many workers will not come, for this errno; none runs.
  void do_without(unsigned workers, int failed) noexcept;
  void end_together() noexcept;

  unsigned size() const noexcept { return size_; }
  Scheduler& member(unsigned index) const noexcept { return *members_[index].scheduler; }

  void task_started() noexcept { live_tasks_.fetch_add(1, std::memory_order_relaxed); }
  // The last one ends the loops of all.
  void task_ended() noexcept;

  // Something can be taken from a member: calls one of those that sleep.
  void work_is_there() noexcept;
  // False when something can be taken after all.
  bool announce_sleep(unsigned index) noexcept;
  void awake(unsigned index) noexcept;
  bool others_sleep(unsigned index) const noexcept;
  // Something ready of another member, or null.
  detail::Runnable* take_from_others(unsigned index) noexcept;

 private:
  struct EndOfLoop : detail::Runnable {
    explicit EndOfLoop(Run run) noexcept : Runnable(run) {}
    Scheduler* scheduler = nullptr;
  };
  struct Member {
    Scheduler* scheduler = nullptr;
    EndOfLoop end{&WorkerGroup::end_loop};
  };

  static void end_loop(detail::Runnable& self);
  void meet(std::atomic<std::uint32_t>& arrived, unsigned count = 1) noexcept;

  unsigned size_;
  std::array<Member, kMostWorkers> members_;
  std::atomic<std::uint32_t> started_ = 0;
  std::atomic<std::uint32_t> ended_ = 0;
  std::atomic<int> failed_ = 0;
  alignas(64) std::atomic<std::size_t> live_tasks_ = 0;
  alignas(64) std::atomic<std::uint64_t> asleep_ = 0;  // a bit per member
};

}  // namespace weft::gvt
