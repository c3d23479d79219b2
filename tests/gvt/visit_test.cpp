// Visits: the OS thread's own stack and the loop take turns, over every back end.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gvt/worker.hpp"
#include "gvt/worker_tasks.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"

namespace weft::gvt {
namespace {

// Where a local variable of the caller's is, to the stack.
[[gnu::noinline]] const char* here() {
  return static_cast<const char*>(__builtin_frame_address(0));
}
bool is_near(const char* one, const char* other) {
  constexpr std::ptrdiff_t kFar = 16 * 1024;
  return one - other < kFar && other - one < kFar;
}

template <class Backend>
class VisitTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Worker<Backend>::create({});
    if (!made) GTEST_SKIP() << Backend::name() << " is refused here: " << made.error().message();
    worker = std::move(made).value();
  }

  void add(std::function<void()> body) {
    tasks_.push_back(std::make_unique<Task>(std::move(body)));
    worker->make_ready(*tasks_.back());
  }
  void park_for(std::chrono::milliseconds time) {
    struct WakeUp : Timer {
      explicit WakeUp(Worker<Backend>& owner)
          : Timer([](Timer& timer) {
              auto& self = static_cast<WakeUp&>(timer);
              self.worker.make_ready(self.sleeper);
            }),
            worker(owner),
            sleeper(owner.running()) {}
      Worker<Backend>& worker;
      GreenThread& sleeper;
    } wake_up(*worker);
    worker->timers().set(wake_up, worker->now() + time);
    worker->park();
  }

  std::unique_ptr<Worker<Backend>> worker;

 private:
  std::vector<std::unique_ptr<Task>> tasks_;
};

using EveryBackend = testing::Types<ksvc::BasicIoUring, ksvc::Epoll>;
TYPED_TEST_SUITE(VisitTest, EveryBackend, BackendNames);

TYPED_TEST(VisitTest, visitor_goes_on_where_it_was_and_the_os_thread_runs_on_its_own_stack) {
  std::string order;
  const char* loop_stack = nullptr;
  this->add([&] {
    loop_stack = here();
    order += "a";
    this->worker->visit_os_thread();
    EXPECT_TRUE(is_near(loop_stack, here()));
    order += "b";
    this->worker->visit_os_thread();
    order += "c";
    this->worker->stop();
  });
  this->worker->begin();
  EXPECT_TRUE(this->worker->resume());
  order += "1";
  EXPECT_FALSE(is_near(loop_stack, here()));
  EXPECT_EQ(current_scheduler(), this->worker.get());
  EXPECT_EQ(current_io(), &this->worker->io());
  EXPECT_TRUE(this->worker->resume());
  order += "2";
  EXPECT_FALSE(this->worker->resume());
  this->worker->end();
  EXPECT_EQ(order, "a1b2c");
  EXPECT_EQ(current_scheduler(), nullptr);
  EXPECT_EQ(current_io(), nullptr);
}

TYPED_TEST(VisitTest, what_is_parked_goes_on_between_visits) {
  int woken = 0;
  bool over = false;
  for (int i = 0; i < 3; ++i) {
    this->add([&] {
      while (!over) {
        this->park_for(std::chrono::milliseconds(1));
        ++woken;
      }
    });
  }
  // One that visits from a stack that has parked before.
  this->add([&] {
    for (int visit = 0; visit < 20; ++visit) {
      this->park_for(std::chrono::milliseconds(2));
      this->worker->visit_os_thread();
    }
    over = true;
    this->worker->stop();
  });
  int visits = 0;
  int woken_before = 0;
  this->worker->begin();
  while (this->worker->resume()) {
    ++visits;
    EXPECT_GT(woken, woken_before);
    woken_before = woken;
  }
  this->worker->end();
  EXPECT_EQ(visits, 20);
}

TYPED_TEST(VisitTest, what_the_os_thread_makes_ready_runs_on_the_loop) {
  bool ran = false;
  this->add([&] {
    this->worker->visit_os_thread();
    this->add([&] { this->worker->stop(); });
  });
  this->worker->begin();
  EXPECT_TRUE(this->worker->resume());
  this->add([&] {
    ran = true;
    this->worker->yield();
  });
  EXPECT_FALSE(ran);
  EXPECT_FALSE(this->worker->resume());
  this->worker->end();
  EXPECT_TRUE(ran);
}

TYPED_TEST(VisitTest, woken_from_another_thread_while_the_os_thread_is_visited) {
  Task posted([&] { this->worker->stop(); });
  this->add([&] { this->worker->visit_os_thread(); });
  this->worker->begin();
  EXPECT_TRUE(this->worker->resume());
  std::thread([&] { this->worker->post(posted); }).join();
  EXPECT_FALSE(this->worker->resume());
  this->worker->end();
}

TYPED_TEST(VisitTest, exceptions_and_errno_are_each_stacks_own) {
  this->add([&] {
    try {
      throw std::runtime_error("the loop's");
    } catch (const std::runtime_error& error) {
      errno = EDOM;
      this->worker->visit_os_thread();
      EXPECT_EQ(errno, EDOM);
      EXPECT_STREQ(error.what(), "the loop's");
      // Still the one that is being handled here.
      try {
        std::rethrow_exception(std::current_exception());
      } catch (const std::runtime_error& same) {
        EXPECT_STREQ(same.what(), "the loop's");
      }
    }
    this->worker->stop();
  });
  this->worker->begin();
  errno = ERANGE;
  EXPECT_TRUE(this->worker->resume());
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(std::current_exception(), nullptr);
  try {
    throw std::logic_error("the OS thread's");
  } catch (const std::logic_error& error) {
    errno = EBADF;
    EXPECT_FALSE(this->worker->resume());
    EXPECT_EQ(errno, EBADF);
    EXPECT_STREQ(error.what(), "the OS thread's");
  }
  this->worker->end();
}

TYPED_TEST(VisitTest, worker_that_is_stopped_during_a_visit_ends_at_the_next_step) {
  this->add([&] { this->worker->visit_os_thread(); });
  this->worker->begin();
  EXPECT_TRUE(this->worker->resume());
  this->worker->stop();
  EXPECT_FALSE(this->worker->resume());
  this->worker->end();
}

TYPED_TEST(VisitTest, run_is_not_kept_by_visits) {
  int visits = 0;
  this->add([&] {
    for (; visits < 3; ++visits) this->worker->visit_os_thread();
    this->worker->stop();
  });
  this->worker->run();
  EXPECT_EQ(visits, 3);
}

TYPED_TEST(VisitTest, parking_during_a_visit_ends_the_process) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        this->add([&] { this->worker->visit_os_thread(); });
        this->worker->begin();
        this->worker->resume();
        this->worker->park();
      },
      "nothing parks while a NoPark stands");
}

TYPED_TEST(VisitTest, many_visits_and_parks_mixed) {
  constexpr int kThreads = 50;
  constexpr int kRounds = 100;
  int done = 0;
  int visits = 0;
  for (int i = 0; i < kThreads; ++i) {
    this->add([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        if ((round + i) % 3 == 0) this->worker->visit_os_thread();
        this->worker->yield();
      }
      if (++done == kThreads) this->worker->stop();
    });
  }
  this->worker->begin();
  while (this->worker->resume()) ++visits;
  this->worker->end();
  EXPECT_EQ(done, kThreads);
  EXPECT_GE(visits, kThreads * kRounds / 3);
}

}  // namespace
}  // namespace weft::gvt
