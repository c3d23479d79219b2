// Several workers in one weft::run(): who runs where, and that all of it ends.
#include "gvt/worker_group.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "on_every_backend.hpp"
#include "weft/blocking.hpp"
#include "weft/channel.hpp"
#include "weft/local.hpp"
#include "weft/scope.hpp"
#include "weft/sync.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

// Asked of the kernel: pthread_self() is declared to be the same throughout a function, which it is
// not in one that moves.
pid_t os_thread() { return ::gettid(); }

class ThreadsSeen {
 public:
  void here() {
    const std::lock_guard lock(mutex_);
    ids_.insert(os_thread());
  }
  std::size_t count() const { return ids_.size(); }

 private:
  std::mutex mutex_;
  std::set<pid_t> ids_;
};

struct Way {
  RunOptions::Backend backend;
  RunOptions::Topology topology;
};

class SeveralWorkers : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (GetParam().backend == RunOptions::Backend::io_uring) {
      const auto made = ksvc::BasicIoUring::create({});
      if (!made) GTEST_SKIP() << "io_uring is refused here: " << made.error().message();
    }
  }
  void run_here(unsigned workers, std::function<void()> main) {
    run(std::move(main), {.backend = GetParam().backend,
                          .workers = workers,
                          .topology = GetParam().topology,
                          .stall_after = milliseconds(0)});
  }
};

std::string way_name(const testing::TestParamInfo<Way>& info) {
  const bool shared = info.param.topology == RunOptions::Topology::one_reactor;
  return std::string(info.param.backend == RunOptions::Backend::epoll ? "epoll" : "io_uring") +
         (shared ? "_shared" : "");
}

INSTANTIATE_TEST_SUITE_P(
    EveryWay, SeveralWorkers,
    testing::Values(Way{RunOptions::Backend::io_uring, RunOptions::Topology::reactor_per_worker},
                    Way{RunOptions::Backend::io_uring, RunOptions::Topology::one_reactor},
                    Way{RunOptions::Backend::epoll, RunOptions::Topology::reactor_per_worker},
                    Way{RunOptions::Backend::epoll, RunOptions::Topology::one_reactor}),
    way_name);

// Long enough for another worker to wake up and find what is left to do.
void work_a_little() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(300);
  while (std::chrono::steady_clock::now() < end) {
  }
}

constexpr SpawnOptions kAnywhere{.placement = Placement::any};

// Runs until two OS threads have been seen, however busy the machine is.
TEST_P(SeveralWorkers, movable_green_threads_are_taken_by_a_worker_that_has_nothing_to_do) {
  ThreadsSeen seen;
  run_here(2, [&] {
    while (seen.count() < 2) {
      scope([&](Scope& all) {
        for (int i = 0; i < 100; ++i) {
          all.spawn(kAnywhere, [&seen] {
            seen.here();
            work_a_little();
          });
        }
        // Sleeping, this worker leaves the rest to the other.
        sleep(milliseconds(1));
      });
    }
  });
  EXPECT_EQ(seen.count(), 2U);
}

TEST_P(SeveralWorkers, one_that_has_waited_may_go_on_elsewhere_with_all_that_is_its_own) {
  GreenLocal<int> own;
  std::atomic<bool> moved{false};
  run_here(2, [&] {
    while (!moved) {
      Channel<int> turns;
      scope([&](Scope& all) {
        for (int i = 0; i < 20; ++i) {
          all.spawn(kAnywhere, [&, i] {
            *own = i;
            const auto begun_on = os_thread();
            try {
              throw std::runtime_error(std::to_string(i));
            } catch (const std::exception& caught) {
              turns.receive();
              EXPECT_EQ(caught.what(), std::to_string(i));
              EXPECT_NE(std::current_exception(), nullptr);
            }
            EXPECT_EQ(*own, i);
            work_a_little();
            if (os_thread() != begun_on) moved = true;
          });
        }
        sleep(milliseconds(1));
        turns.close();
        sleep(milliseconds(1));
      });
    }
  });
  EXPECT_TRUE(moved);
}

TEST_P(SeveralWorkers, pinned_ones_never_move) {
  run_here(3, [] {
    const auto here = os_thread();
    scope([&](Scope& all) {
      for (int i = 0; i < 50; ++i) {
        all.spawn([here] {
          for (int turn = 0; turn < 5; ++turn) {
            turn % 2 == 0 ? yield() : sleep(milliseconds(1));
            blocking([] {});
            EXPECT_EQ(os_thread(), here);
          }
        });
      }
    });
  });
}

TEST_P(SeveralWorkers, joins_locks_and_channels_work_between_them) {
  int sum = 0;
  run_here(3, [&] {
    Mutex mutex;
    Channel<int> numbers(16);
    scope([&](Scope& all) {
      all.spawn(kAnywhere, [&] {
        for (int i = 1; i <= 1000; ++i) numbers.send(i);
        numbers.close();
      });
      for (int i = 0; i < 8; ++i) {
        all.spawn(kAnywhere, [&] {
          while (const auto number = numbers.receive()) {
            const std::lock_guard lock(mutex);
            sum += spawn(kAnywhere, [n = *number] { return n; }).join();
          }
        });
      }
    });
  });
  EXPECT_EQ(sum, 500'500);
}

TEST_P(SeveralWorkers, run_returns_when_what_was_taken_elsewhere_has_ended_too) {
  std::atomic<int> ended{0};
  run_here(4, [&] {
    for (int i = 0; i < 200; ++i) {
      spawn(kAnywhere, [&] {
        sleep(milliseconds(2));
        ++ended;
      });
    }
  });
  EXPECT_EQ(ended, 200);
}

TEST_P(SeveralWorkers, idle_workers_do_not_keep_a_run_from_its_end) {
  for (int i = 0; i < 20; ++i) run_here(4, [] {});
}

TEST(WorkerGroup, when_one_worker_cannot_be_made_none_runs_and_all_know_why) {
  gvt::WorkerGroup group(3);
  int first = 0;
  int second = 0;
  std::thread one([&] { first = group.start_together(0); });
  std::thread two([&] { second = group.start_together(EMFILE); });
  group.do_without(1, EMFILE);
  one.join();
  two.join();
  EXPECT_EQ(first, EMFILE);
  EXPECT_EQ(second, EMFILE);
}

}  // namespace
}  // namespace weft
