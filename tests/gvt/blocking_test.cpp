// blocking() and system_call(): what would hold up a worker does not.
#include "weft/blocking.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "gvt/sanitizer.hpp"
#include "gvt/services.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "on_every_backend.hpp"
#include "weft/cancel.hpp"
#include "weft/scope.hpp"
#include "weft/system_call.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

class Blocking : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, Blocking, every_backend(), backend_name);

TEST_P(Blocking, runs_on_another_os_thread_and_comes_back_to_its_own) {
  run_here([] {
    const auto here = std::this_thread::get_id();
    EXPECT_NE(blocking([] { return std::this_thread::get_id(); }), here);
    EXPECT_EQ(std::this_thread::get_id(), here);
  });
}

TEST_P(Blocking, others_run_meanwhile) {
  run_here([] {
    std::atomic<bool> released{false};
    const auto other = spawn([&] { released = true; });
    blocking([&] {
      while (!released) std::this_thread::yield();
    });
    EXPECT_TRUE(released);
  });
}

TEST_P(Blocking, what_the_function_throws_is_thrown_to_the_caller) {
  run_here([] {
    EXPECT_THROW(blocking([]() -> int { throw std::runtime_error("no"); }), std::runtime_error);
    EXPECT_EQ(blocking([] { return std::string(100, 'x'); }).size(), 100U);
  });
}

TEST_P(Blocking, inside_blocking_it_runs_in_place) {
  run_here([] {
    EXPECT_TRUE(blocking([] {
      const auto here = std::this_thread::get_id();
      return blocking([here] { return std::this_thread::get_id() == here; });
    }));
  });
}

TEST_P(Blocking, more_than_the_pool_and_its_queue_hold_are_all_run_once) {
  run_here([] {
    // More than the 4,096 that may queue. Thread sanitizers take minutes to follow so many stacks.
    constexpr int kCallers = gvt::sanitizer::kEnabled ? 1'000 : 6'000;
    int ran = 0;
    scope([&](Scope& all) {
      for (int i = 0; i < kCallers; ++i) {
        all.spawn([&ran] { ran += blocking([] { return 1; }); });
      }
    });
    EXPECT_EQ(ran, kCallers);
  });
}

TEST_P(Blocking, one_who_is_cancelled_before_does_not_begin) {
  run_here([] {
    bool began = false;
    CancelSource source;
    source.cancel();
    const auto result = with_cancel(source.token(), [&] { blocking([&] { began = true; }); });
    EXPECT_EQ(result.error().code, ErrorCode::cancelled);
    EXPECT_FALSE(began);
  });
}

TEST_P(Blocking, one_who_is_cancelled_meanwhile_goes_on_when_the_function_has_ended) {
  run_here([] {
    bool ended = false;
    const auto result = with_timeout(milliseconds(1), [&] {
      blocking([&] {
        std::this_thread::sleep_for(milliseconds(20));
        ended = true;
      });
      EXPECT_TRUE(ended);
      sleep(milliseconds(1));
    });
    EXPECT_EQ(result.error().code, ErrorCode::timed_out);
  });
}

// One thread and a queue of one: whoever comes third stands in line.
TEST(Services, who_finds_the_queue_full_is_let_in_by_who_ends) {
  constexpr int kJobs = 500;
  struct Counted : gvt::Services::Job {
    Counted() : Job(&Counted::count) {}
    static void count(Job& job) noexcept { ++*static_cast<Counted&>(job).counter; }
    std::atomic<int>* counter = nullptr;
  };
  std::atomic<int> ran{0};
  std::vector<Counted> jobs(kJobs);
  {
    gvt::Services services(ksvc::KernelFeatures{}, {.most_threads = 1, .queue_capacity = 1});
    for (Counted& job : jobs) {
      job.counter = &ran;
      services.submit(job);
    }
    while (ran < kJobs) std::this_thread::yield();
  }
  EXPECT_EQ(ran, kJobs);
}

TEST(OutsideAWorker, blocking_and_system_calls_are_done_in_place) {
  const auto here = std::this_thread::get_id();
  EXPECT_EQ(blocking([] { return std::this_thread::get_id(); }), here);
  EXPECT_EQ(*system_call(SYS_gettid), ::gettid());
  EXPECT_EQ(system_call(SYS_close, -1).error().os_errno, EBADF);
  EXPECT_EQ(system_call(SYS_exit, 0).error().os_errno, EPERM);
}

class SystemCalls : public OnEveryBackend {};
INSTANTIATE_TEST_SUITE_P(EveryBackend, SystemCalls, every_backend(), backend_name);

TEST_P(SystemCalls, a_file_is_written_synced_and_read) {
  run_here([] {
    const auto fd = system_call(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600);
    if (!fd) GTEST_SKIP() << "no O_TMPFILE in /tmp: " << fd.error().message();
    const int file = static_cast<int>(fd.value_or(-1));
    char text[8] = {};
    EXPECT_EQ(*system_call(SYS_pwrite64, file, "hello", 5, 0), 5);
    EXPECT_EQ(*system_call(SYS_fsync, file), 0);
    EXPECT_EQ(*system_call(SYS_pread64, file, text, sizeof text, 1), 4);
    EXPECT_STREQ(text, "ello");
    EXPECT_EQ(*system_call(SYS_close, file), 0);
    EXPECT_EQ(system_call(SYS_fsync, file).error().os_errno, EBADF);
  });
}

TEST_P(SystemCalls, what_is_about_the_calling_thread_is_asked_there) {
  run_here([] { EXPECT_EQ(*system_call(SYS_gettid), ::gettid()); });
}

TEST_P(SystemCalls, one_that_would_end_or_copy_the_process_is_refused) {
  run_here([] {
    EXPECT_EQ(system_call(SYS_exit_group, 7).error().os_errno, EPERM);
    EXPECT_EQ(system_call(SYS_clone, 0, nullptr, nullptr, nullptr, 0).error().os_errno, EPERM);
  });
}

TEST_P(SystemCalls, a_cancelled_caller_makes_none) {
  run_here([] {
    CancelSource source;
    source.cancel();
    const auto result = with_cancel(source.token(), [] { return system_call(SYS_fsync, -1); });
    EXPECT_EQ(result.error().code, ErrorCode::cancelled);
  });
}

}  // namespace
}  // namespace weft
