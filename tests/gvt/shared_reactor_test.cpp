// Workers on a shared reactor: the same loop, the same parking, another back end.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gvt/worker.hpp"
#include "gvt/worker_tasks.hpp"
#include "ksvc/instance/named_instances.hpp"
#include "ksvc/instance/shared_reactor_traits.hpp"

namespace weft::gvt {
namespace {

template <class Set>
class SharedReactorWorkerTest : public testing::Test {
 protected:
  using Backend = typename Set::Backend;
  using SharedWorker = WorkerOf<ksvc::SharedReactorTraits<Set>>;
  static_assert(
      std::same_as<typename SharedWorker::BackendType, ksvc::SharedReactorBackend<Backend>>);

  void SetUp() override {
    auto started = ksvc::SharedReactor<Backend>::start();
    if (!started) GTEST_SKIP() << Backend::name() << ": " << started.error().message();
    reactor_ = std::move(started).value();
  }
  std::unique_ptr<SharedWorker> make_worker() {
    auto end = reactor_->make_backend();
    EXPECT_TRUE(end);
    return SharedWorker::assemble({}, std::move(end).value(), ksvc::MonotonicClock());
  }
  // Runs body(worker, number) as the first task of as many workers, each on its own thread.
  void on_workers(int count, const std::function<void(SharedWorker&, int)>& body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        const auto worker = make_worker();
        Task task([&] { body(*worker, i); });
        worker->make_ready(task);
        worker->run();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  std::shared_ptr<ksvc::SharedReactor<Backend>> reactor_;
};

struct Names {
  template <class Set>
  static std::string GetName(int) {
    return Set::Backend::name();
  }
};
using EverySet = testing::Types<ksvc::RuntimeTraits, ksvc::RuntimeEpollTraits>;
TYPED_TEST_SUITE(SharedReactorWorkerTest, EverySet, Names);

// Worker 0 asks worker 1, over a connection, again and again; both park for each word.
TYPED_TEST(SharedReactorWorkerTest, green_threads_of_two_workers_talk_over_a_connection) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  constexpr int kRounds = 200;
  this->on_workers(2, [&](auto& worker, int number) {
    const int fd = fds[number];
    char byte = 0;
    for (int round = 0; round < kRounds; ++round) {
      if (number == 0) {
        EXPECT_EQ(submit_and_park(worker.io(), ksvc::Send{fd, "?", 1}), 1);
      }
      EXPECT_EQ(submit_and_park(worker.io(), ksvc::ReceiveInto{fd, &byte, 1}), 1);
      EXPECT_EQ(byte, number == 0 ? '!' : '?');
      if (number == 1) {
        EXPECT_EQ(submit_and_park(worker.io(), ksvc::Send{fd, "!", 1}), 1);
      }
    }
    worker.stop();
  });
  ::close(fds[0]);
  ::close(fds[1]);
}

TYPED_TEST(SharedReactorWorkerTest, sleeping_worker_is_woken_by_every_single_post) {
  constexpr int kRounds = 500;
  const auto worker = this->make_worker();
  std::atomic<int> answered{0};
  Task ping([&] {
    answered.fetch_add(1);
    answered.notify_one();
  });
  Task end([&] { worker->stop(); });
  std::thread poster([&] {
    for (int round = 0; round < kRounds; ++round) {
      worker->post(ping);
      answered.wait(round);
    }
    worker->post(end);
  });
  worker->run();
  poster.join();
  EXPECT_EQ(answered.load(), kRounds);
}

TYPED_TEST(SharedReactorWorkerTest, operation_past_its_deadline_ends_without_a_trace) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  this->on_workers(1, [&](auto& worker, int) {
    char memory[8] = {};
    const TimePoint deadline = worker.now() + std::chrono::milliseconds(5);
    EXPECT_LT(submit_and_park(worker.io(), ksvc::ReceiveInto{fds[0], memory, 8}, deadline), 0);
    EXPECT_GE(worker.now(), deadline);
    EXPECT_EQ(::write(fds[1], "later", 5), 5);
    EXPECT_EQ(submit_and_park(worker.io(), ksvc::ReceiveInto{fds[0], memory, 8}), 5);
    EXPECT_EQ(std::string(memory), "later");
    worker.stop();
  });
  ::close(fds[0]);
  ::close(fds[1]);
}

}  // namespace
}  // namespace weft::gvt
