// That no task is overlooked and none waits while a thread may be made, shown for every order of
// the steps of two submitters, a thread that stays and one that comes and goes.
#include "ksvc/pool/thread_roster.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "ksvc/notify/interleaving.hpp"

namespace weft::ksvc {
namespace {

using namespace testing;

class CheckedMutex {
 public:
  void lock() {
    Interleavings::current()->wait_until([this] { return locked_.peek() == 0; });
    locked_.poke(1);
  }
  // One step with what came before it: nobody can tell the two apart.
  void unlock() { locked_.poke(0); }

 private:
  CheckedAtomic<int> locked_{0};
};

using CheckedRoster = ThreadRoster<CheckedAtomic, CheckedMutex>;

// Rosters as one might write them at first.
struct LooksOnce : CheckedRoster {
  using CheckedRoster::CheckedRoster;
  Taken take_or_announce(unsigned number) {
    PoolTask* task = take();
    if (task == nullptr) announce(number);
    return {task, {}};
  }
};
// A thread that was called for one task, and found another, keeps the call to itself.
struct KeepsCalls : CheckedRoster {
  using CheckedRoster::CheckedRoster;
  Taken take_or_announce(unsigned number) {
    return {CheckedRoster::take_or_announce(number).task, {}};
  }
};
struct LeavesAtOnce : CheckedRoster {
  using CheckedRoster::CheckedRoster;
  bool leave(unsigned number) {
    vacate(number);
    return true;
  }
};

// The first task waits for the second one where `kTasksWait`, so that one thread is not enough.
template <class Roster, bool kTasksWait, int kSubmitters = 1>
struct SubmittersAndThreads {
  static constexpr int kTasks = 2;

  std::vector<std::function<void()>> threads() {
    std::vector<std::function<void()>> threads{
        [this] { serve(0); }, [this] { serve_again_and_again(1); },
        [this] { time_over.store(1, std::memory_order_seq_cst); }};
    if (kSubmitters == 2) {
      threads.emplace_back([this] { submit(0); });
      threads.emplace_back([this] { submit(1); });
    } else {
      threads.emplace_back([this] {
        submit(0);
        submit(1);
      });
    }
    return threads;
  }

  void submit(unsigned i) { pass_on(roster.push(tasks[i])); }
  void pass_on(CheckedRoster::Call call) {
    if (call.kind == CheckedRoster::Kind::nobody) return;
    auto& called = call.kind == CheckedRoster::Kind::wake ? woken : made;
    called[call.number].store(1, std::memory_order_seq_cst);
  }

  bool all_ran() const { return ran[0].peek() + ran[1].peek() == kTasks; }

  void serve_again_and_again(unsigned number) {
    for (;;) {
      Interleavings::current()->wait_until(
          [this, number] { return all_ran() || made[number].peek() == 1; });
      if (all_ran()) return;
      made[number].poke(0);
      serve(number);
    }
  }

  // As PoolThreads does it; returns when the thread goes, or all is done.
  void serve(unsigned number) {
    Interleavings& all = *Interleavings::current();
    while (!all_ran()) {
      if (const auto taken = roster.take_or_announce(number); taken.task != nullptr) {
        pass_on(taken.call);
        run(*taken.task);
        continue;
      }
      all.wait_until([this, number] {
        return all_ran() || woken[number].peek() == 1 || (number > 0 && time_over.peek() == 1);
      });
      const bool was_woken = woken[number].peek() == 1;
      all.observed(was_woken);
      woken[number].poke(0);
      if (!was_woken && number > 0 && time_over.peek() == 1) time_over.poke(2);
      const bool unclaimed = roster.retract(number);
      if (!was_woken && unclaimed && number > 0 && roster.leave(number)) return;
    }
  }

  void run(PoolTask& task) {
    const std::size_t i = &task == &tasks[1] ? 1 : 0;
    if (kTasksWait && i == 0) {
      Interleavings::current()->wait_until([this] { return ran[1].peek() == 1; });
    }
    ran[i].store(1, std::memory_order_seq_cst);
  }

  std::string verdict(bool) const { return all_ran() ? "" : "a task waits for ever"; }

  SubmittersAndThreads() { roster.occupy(0); }

  Roster roster{2};
  std::array<PoolTask, kTasks> tasks{PoolTask(nullptr), PoolTask(nullptr)};
  std::array<CheckedAtomic<int>, 2> woken{CheckedAtomic<int>(0), CheckedAtomic<int>(0)};
  std::array<CheckedAtomic<int>, 2> made{CheckedAtomic<int>(0), CheckedAtomic<int>(0)};
  std::array<CheckedAtomic<int>, 2> ran{CheckedAtomic<int>(0), CheckedAtomic<int>(0)};
  CheckedAtomic<int> time_over{0};
};

class ThreadRosterInterleavings : public InterleavingTest {};

TEST_F(ThreadRosterInterleavings, no_order_of_steps_leaves_tasks_that_wait_without_a_thread) {
  const auto report = Interleavings::explore<SubmittersAndThreads<CheckedRoster, true>>();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
  EXPECT_GT(report.states, 100U);
}

TEST_F(ThreadRosterInterleavings, thread_that_looks_only_before_it_says_that_it_is_idle_is_caught) {
  const auto report = Interleavings::explore<SubmittersAndThreads<LooksOnce, true>>();
  EXPECT_EQ(report.violation, "a task waits for ever");
}

TEST_F(ThreadRosterInterleavings, thread_that_keeps_a_call_for_another_task_is_caught) {
  const auto report = Interleavings::explore<SubmittersAndThreads<KeepsCalls, true>>();
  EXPECT_EQ(report.violation, "a task waits for ever");
}

TEST_F(ThreadRosterInterleavings, thread_that_goes_without_a_last_look_is_caught) {
  const auto report = Interleavings::explore<SubmittersAndThreads<LeavesAtOnce, true>>();
  EXPECT_EQ(report.violation, "a task waits for ever");
}

class SlowThreadRosterInterleavings : public InterleavingTest {};

TEST_F(SlowThreadRosterInterleavings, no_order_of_steps_overlooks_a_task) {
  const auto report = Interleavings::explore<SubmittersAndThreads<CheckedRoster, false>>();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
}

TEST_F(SlowThreadRosterInterleavings, no_order_of_two_submitters_overlooks_a_task) {
  const auto report = Interleavings::explore<SubmittersAndThreads<CheckedRoster, false, 2>>();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
}

TEST_F(SlowThreadRosterInterleavings, no_order_of_two_submitters_leaves_tasks_without_a_thread) {
  const auto report = Interleavings::explore<SubmittersAndThreads<CheckedRoster, true, 2>>();
  EXPECT_EQ(report.violation, "") << "by the steps of threads " << report.schedule;
}

}  // namespace
}  // namespace weft::ksvc
