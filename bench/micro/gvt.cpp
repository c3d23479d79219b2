// What green threads cost, a row at a time: bench/gvt.py takes these beside the rows of the same
// names in bench/peers. The switch and the timers are measured where they are made, everything else
// as programs use it.

#include "gvt_rows.hpp"

#include <weft/channel.hpp>
#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "gvt/context.hpp"
#include "gvt/scheduler.hpp"
#include "gvt/stack_pool.hpp"
#include "gvt/timer_wheel.hpp"

namespace {

using namespace weft;
using bench::RowArguments;

// The figure of `measure`, taken by the first green thread of a worker.
double in_worker(const std::function<double()>& measure) {
  double figure = 0;
  run([&] { figure = measure(); });
  return figure;
}

// ---- The switch

struct BothStacks {
  gvt::Context here;
  gvt::Context there;
  std::size_t entered = 0;
};

BothStacks g_stacks;  // an entry function takes no argument

[[gnu::noinline]] void switch_back_for_ever() {
  for (;;) {
    ++g_stacks.entered;
    gvt::switch_context(g_stacks.there, g_stacks.here);
  }
}

double switch_stacks(const RowArguments& arguments) {
  gvt::StackPool pool(64 * 1024);
  const gvt::Stack stack = pool.take();
  g_stacks.there = gvt::fresh_context(stack.top(), &switch_back_for_ever);
  const double round_trip = bench::per_operation(arguments.count / 2, [](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) gvt::switch_context(g_stacks.here, g_stacks.there);
  });
  if (g_stacks.entered < arguments.count / 2) std::abort();
  pool.give_back(stack);
  return round_trip / 2;
}

// ---- Green threads

// Two green threads that yield to each other.
double yield_to_each_other(const RowArguments& arguments) {
  return in_worker([&arguments] {
    return bench::per_operation(arguments.count, [](std::size_t count) {
      bool other_ended = false;
      spawn([count, &other_ended] {
        for (std::size_t i = 0; i < count / 2; ++i) yield();
        other_ended = true;
      });
      for (std::size_t i = 0; i < count / 2; ++i) yield();
      while (!other_ended) yield();
    });
  });
}

// One green thread at a time, joined before the next is spawned.
double spawn_and_join(const RowArguments& arguments) {
  return in_worker([&arguments] {
    return bench::per_operation(arguments.count, [](std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) spawn([] {}).join();
    });
  });
}

// A thousand at a time, then all of them joined.
double spawn_and_join_thousand(const RowArguments& arguments) {
  return in_worker([&arguments] {
    std::vector<JoinHandle<void>> together;
    together.reserve(bench::kJoinedTogether);
    return bench::per_operation(arguments.count, [&together](std::size_t count) {
      for (std::size_t i = 0; i < count; i += bench::kJoinedTogether) {
        for (std::size_t j = 0; j < bench::kJoinedTogether; ++j) together.push_back(spawn([] {}));
        for (JoinHandle<void>& one : together) one.join();
        together.clear();
      }
    });
  });
}

// There and back over two channels that hold nothing.
double channel_round_trips(const RowArguments& arguments) {
  return in_worker([&arguments] {
    return bench::per_operation(arguments.count, [](std::size_t count) {
      const Channel<int> there;
      const Channel<int> back;
      auto other = spawn([there, back] {
        for (const int value : there) back.send(value);
      });
      for (std::size_t i = 0; i < count; ++i) {
        there.send(static_cast<int>(i));
        back.receive();
      }
      there.close();
      other.join();
    });
  });
}

// Each holds the mutex while it yields, so that the others find it locked and have to wait.
double mutex_contended(const RowArguments& arguments) {
  return in_worker([&arguments] {
    return bench::per_operation(arguments.count, [](std::size_t count) {
      Mutex mutex;
      std::vector<JoinHandle<void>> all;
      for (std::size_t i = 0; i < bench::kMutexThreads; ++i) {
        all.push_back(spawn([&mutex, count] {
          for (std::size_t j = 0; j < count / bench::kMutexThreads; ++j) {
            const std::lock_guard<Mutex> guard(mutex);
            yield();
          }
        }));
      }
      for (JoinHandle<void>& one : all) one.join();
    });
  });
}

// A worker on each of two OS threads, and a green thread on each of them. Neither worker can see
// that the other one will wake it, so they are told not to look for deadlocks.
double wake_other_worker(const RowArguments& arguments, clockid_t clock) {
  const RunOptions options{.on_deadlock = RunOptions::OnDeadlock::wait};
  const Channel<int> there;
  const Channel<int> back;
  std::thread other([&] {
    bench::pin_this_thread(arguments.second_core);
    const auto answer = [&there, &back] {
      for (const int value : there) back.send(value);
    };
    run(answer, options);
  });
  double spent = 0;
  const auto ask = [&] {
    const auto round_trips = [&there, &back](std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        there.send(static_cast<int>(i));
        back.receive();
      }
    };
    spent = bench::per_operation(arguments.count, round_trips, clock);
  };
  run(ask, options);
  there.close();
  other.join();
  return spent;
}

double wake_other_worker_elapsed(const RowArguments& arguments) {
  return wake_other_worker(arguments, CLOCK_MONOTONIC);
}

double wake_other_worker_processor(const RowArguments& arguments) {
  return wake_other_worker(arguments, CLOCK_PROCESS_CPUTIME_ID);
}

double parked_bytes(const RowArguments& arguments) {
  return in_worker([&arguments] {
    const Channel<int> gate;
    const std::size_t before = bench::resident_bytes();
    for (std::size_t i = 0; i < arguments.count; ++i) {
      spawn([&gate] { gate.receive(); });
    }
    while (gvt::current_scheduler()->parked() < arguments.count) yield();
    const std::size_t after = bench::resident_bytes();
    gate.close();
    yield();
    return static_cast<double>(after - before) / static_cast<double>(arguments.count);
  });
}

// ---- Timers

struct CountingTimer : gvt::Timer {
  explicit CountingTimer(std::size_t& counter)
      : gvt::Timer(&CountingTimer::expired), fired(&counter) {}
  static void expired(gvt::Timer& self) { ++*static_cast<CountingTimer&>(self).fired; }

  std::size_t* fired;
};

std::deque<CountingTimer> timers_that_count(std::size_t count, std::size_t& fired) {
  std::deque<CountingTimer> timers;
  for (std::size_t i = 0; i < count; ++i) timers.emplace_back(fired);
  return timers;
}

// Timers that exist already are all set, then all cleared.
double timers_set_and_cancelled(const RowArguments& arguments) {
  using namespace std::chrono_literals;
  std::size_t fired = 0;
  auto timers = timers_that_count(arguments.count, fired);
  const auto after = bench::delays(arguments.count, 1s, 60s);
  gvt::TimerWheel wheel({0});
  const double begin = bench::clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (std::size_t i = 0; i < timers.size(); ++i) wheel.set(timers[i], {after[i].count()});
  for (CountingTimer& timer : timers) wheel.clear(timer);
  const double spent = bench::clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
  if (fired != 0) std::abort();
  return spent / static_cast<double>(arguments.count);
}

// Timers that exist already are all set, then all fire within a second, which passes in steps of a
// millisecond as fast as the wheel turns.
double timers_expired(const RowArguments& arguments) {
  using namespace std::chrono_literals;
  std::size_t fired = 0;
  auto timers = timers_that_count(arguments.count, fired);
  const auto after = bench::delays(arguments.count, 1s, 2s);
  gvt::TimerWheel wheel({0});
  const double begin = bench::clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (std::size_t i = 0; i < timers.size(); ++i) wheel.set(timers[i], {after[i].count()});
  for (auto now = 0ms; now <= 2001ms; ++now) wheel.advance({std::chrono::nanoseconds(now).count()});
  const double spent = bench::clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
  if (fired != timers.size()) std::abort();
  return spent / static_cast<double>(arguments.count);
}

constexpr bench::NamedRow kRows[] = {
    {"switch", switch_stacks},
    {"yield", yield_to_each_other},
    {"spawn_join", spawn_and_join},
    {"spawn_join_1000", spawn_and_join_thousand},
    {"channel_pingpong", channel_round_trips},
    {"mutex_contended", mutex_contended},
    {"wake_other_worker", wake_other_worker_elapsed},
    {"wake_other_worker_cpu", wake_other_worker_processor},
    {"parked_bytes", parked_bytes},
    {"timers_1m", timers_set_and_cancelled},
    {"timers_1m_expired", timers_expired},
};

}  // namespace

int main(int count, char** words) { return bench::print_row(kRows, count, words); }
