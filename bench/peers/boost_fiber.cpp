// The rows of bench/gvt.py in Boost.Fiber, and the bare switch in Boost.Context below it, with the
// settings that are fastest: stacks from a pool, and a started fiber entered at once where that
// saves a way through the scheduler.
//
//     boost_fiber ROW COUNT FIRST_CORE SECOND_CORE   prints one figure
//     boost_fiber version

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <boost/fiber/all.hpp>
#include <boost/version.hpp>
#include <cstring>
#include <thread>
#include <utility>

#include "gvt_rows.hpp"

namespace {

using bench::RowArguments;
using boost::fibers::fiber;
using boost::fibers::launch;

template <class Stacks, class Function>
fiber start(launch how, Stacks& stacks, Function function) {
  return fiber(how, std::allocator_arg, stacks, std::move(function));
}

double switch_stacks(const RowArguments& arguments) {
  boost::context::fiber other(std::allocator_arg, boost::context::fixedsize_stack(),
                              [](boost::context::fiber&& back) {
                                for (;;) back = std::move(back).resume();
                                return std::move(back);
                              });
  const double round_trip = bench::per_operation(arguments.count / 2, [&other](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) other = std::move(other).resume();
  });
  return round_trip / 2;
}

// Two fibers that yield to each other.
double yield(const RowArguments& arguments) {
  boost::fibers::pooled_fixedsize_stack stacks;
  return bench::per_operation(arguments.count, [&stacks](std::size_t count) {
    auto yields = [count] {
      for (std::size_t i = 0; i < count / 2; ++i) boost::this_fiber::yield();
    };
    fiber one = start(launch::post, stacks, yields);
    fiber other = start(launch::post, stacks, yields);
    one.join();
    other.join();
  });
}

// One fiber at a time, entered at once, which is faster than to queue it.
double spawn_join(const RowArguments& arguments) {
  boost::fibers::pooled_fixedsize_stack stacks;
  return bench::per_operation(arguments.count, [&stacks](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) start(launch::dispatch, stacks, [] {}).join();
  });
}

// A thousand at a time, queued, then all of them joined.
double spawn_join_thousand(const RowArguments& arguments) {
  boost::fibers::pooled_fixedsize_stack stacks;
  std::vector<fiber> together;
  together.reserve(bench::kJoinedTogether);
  return bench::per_operation(arguments.count, [&](std::size_t count) {
    for (std::size_t i = 0; i < count; i += bench::kJoinedTogether) {
      for (std::size_t j = 0; j < bench::kJoinedTogether; ++j) {
        together.push_back(start(launch::post, stacks, [] {}));
      }
      for (fiber& one : together) one.join();
      together.clear();
    }
  });
}

double channel_pingpong(const RowArguments& arguments) {
  boost::fibers::pooled_fixedsize_stack stacks;
  return bench::per_operation(arguments.count, [&stacks](std::size_t count) {
    boost::fibers::unbuffered_channel<int> there;
    boost::fibers::unbuffered_channel<int> back;
    fiber other = start(launch::post, stacks, [&there, &back] {
      int value = 0;
      while (there.pop(value) == boost::fibers::channel_op_status::success) back.push(value);
    });
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      there.push(static_cast<int>(i));
      back.pop(value);
    }
    there.close();
    other.join();
  });
}

// Each holds the mutex while it yields, so that the others find it locked and have to wait.
double mutex_contended(const RowArguments& arguments) {
  boost::fibers::pooled_fixedsize_stack stacks;
  return bench::per_operation(arguments.count, [&stacks](std::size_t count) {
    boost::fibers::mutex mutex;
    std::vector<fiber> all;
    for (std::size_t i = 0; i < bench::kMutexThreads; ++i) {
      all.push_back(start(launch::post, stacks, [&mutex, count] {
        for (std::size_t j = 0; j < count / bench::kMutexThreads; ++j) {
          mutex.lock();
          boost::this_fiber::yield();
          mutex.unlock();
        }
      }));
    }
    for (fiber& one : all) one.join();
  });
}

// A fiber on each of two OS threads.
double wake_other_worker(const RowArguments& arguments, clockid_t clock) {
  boost::fibers::unbuffered_channel<int> there;
  boost::fibers::unbuffered_channel<int> back;
  std::thread other([&] {
    bench::pin_this_thread(arguments.second_core);
    int value = 0;
    while (there.pop(value) == boost::fibers::channel_op_status::success) back.push(value);
  });
  const auto round_trips = [&there, &back](std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      there.push(static_cast<int>(i));
      back.pop(value);
    }
  };
  const double spent = bench::per_operation(arguments.count, round_trips, clock);
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

// Stacks from malloc(): with those of the pool it is some 2 KiB more each.
double parked_bytes(const RowArguments& arguments) {
  boost::fibers::fixedsize_stack stacks;
  boost::fibers::mutex mutex;
  boost::fibers::condition_variable gate;
  bool open = false;
  std::vector<fiber> all;
  all.reserve(arguments.count);
  std::memset(static_cast<void*>(all.data()), 1, arguments.count * sizeof(fiber));
  const std::size_t before = bench::resident_bytes();
  for (std::size_t i = 0; i < arguments.count; ++i) {
    all.push_back(start(launch::post, stacks, [&] {
      std::unique_lock<boost::fibers::mutex> lock(mutex);
      gate.wait(lock, [&open] { return open; });
    }));
  }
  boost::this_fiber::yield();
  const std::size_t after = bench::resident_bytes();
  open = true;
  gate.notify_all();
  for (fiber& one : all) one.join();
  return static_cast<double>(after - before) / static_cast<double>(arguments.count);
}

constexpr bench::NamedRow kRows[] = {
    {"switch", switch_stacks},
    {"yield", yield},
    {"spawn_join", spawn_join},
    {"spawn_join_1000", spawn_join_thousand},
    {"channel_pingpong", channel_pingpong},
    {"mutex_contended", mutex_contended},
    {"wake_other_worker", wake_other_worker_elapsed},
    {"wake_other_worker_cpu", wake_other_worker_processor},
    {"parked_bytes", parked_bytes},
};

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "version") == 0) {
    std::puts(BOOST_LIB_VERSION);
    return 0;
  }
  return bench::print_row(kRows, count, words);
}
