#include "gvt/worker_group.hpp"

#include <bit>

#include "gvt/scheduler.hpp"
#include "ksvc/core/assert.hpp"

namespace weft::gvt {

WorkerGroup::WorkerGroup(unsigned workers) noexcept : size_(workers) {
  WEFT_ASSERT(workers > 0 && workers <= kMostWorkers);
}

void WorkerGroup::join(Scheduler& member, unsigned index) noexcept {
  members_[index].scheduler = &member;
  members_[index].end.scheduler = &member;
  member.belong_to(*this, index);
}

int WorkerGroup::start_together(int failed) noexcept {
  if (failed != 0) failed_.store(failed, std::memory_order_relaxed);
  meet(started_);
  return failed_.load(std::memory_order_relaxed);
}

void WorkerGroup::end_together() noexcept { meet(ended_); }

void WorkerGroup::do_without(unsigned workers, int failed) noexcept {
  failed_.store(failed, std::memory_order_relaxed);
  meet(started_, workers);
}

void WorkerGroup::meet(std::atomic<std::uint32_t>& arrived, unsigned count) noexcept {
  std::uint32_t here = arrived.fetch_add(count, std::memory_order_acq_rel) + count;
  if (here == size_) return arrived.notify_all();
  for (; here != size_; here = arrived.load(std::memory_order_acquire)) arrived.wait(here);
}

void WorkerGroup::task_ended() noexcept {
  if (live_tasks_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (unsigned i = 0; i < size_; ++i) member(i).post(members_[i].end);
}

void WorkerGroup::end_loop(detail::Runnable& self) {
  static_cast<EndOfLoop&>(self).scheduler->all_tasks_ended();
}

void WorkerGroup::work_is_there() noexcept {
  std::uint64_t asleep = asleep_.load(std::memory_order_seq_cst);
  while (asleep != 0) {
    const std::uint64_t one = asleep & -asleep;
    if ((asleep_.fetch_and(~one, std::memory_order_seq_cst) & one) != 0) {
      return member(static_cast<unsigned>(std::countr_zero(one))).ring();
    }
    asleep = asleep_.load(std::memory_order_seq_cst);
  }
}

bool WorkerGroup::announce_sleep(unsigned index) noexcept {
  asleep_.fetch_or(std::uint64_t{1} << index, std::memory_order_seq_cst);
  for (unsigned i = 0; i < size_; ++i) {
    if (!member(i).shares_something()) continue;
    awake(index);
    return false;
  }
  return true;
}

void WorkerGroup::awake(unsigned index) noexcept {
  asleep_.fetch_and(~(std::uint64_t{1} << index), std::memory_order_relaxed);
}

bool WorkerGroup::others_sleep(unsigned index) const noexcept {
  for (unsigned i = 0; i < size_; ++i) {
    if (i != index && !member(i).sleeps()) return false;
  }
  return true;
}

detail::Runnable* WorkerGroup::take_from_others(unsigned index) noexcept {
  for (unsigned step = 1; step < size_; ++step) {
    detail::Runnable* found = member((index + step) % size_).take_shared();
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace weft::gvt
