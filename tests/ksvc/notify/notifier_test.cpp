// The contract of Notifier, asked of every implementation on each back end that can watch it.
#include "ksvc/core/notifier.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "ksvc/notify/watched.hpp"

namespace weft::ksvc {
namespace {

using testing::kHangGuard;

// A back end without futexes, or without a ring, cannot even be compiled with these.
static_assert(WatchedBy<EventFdNotifier, Epoll> && WatchedBy<EventFdNotifier, BasicIoUring>);
static_assert(WatchedBy<FutexNotifier, BasicIoUring> && !WatchedBy<FutexNotifier, Epoll>);
static_assert(WatchedBy<RingMessageNotifier, BasicIoUring>);
static_assert(!WatchedBy<RingMessageNotifier, Epoll>);

template <class W>
class NotifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto missing = testing::Watcher<W>::missing()) GTEST_SKIP() << *missing;
    notifier = std::make_unique<typename W::Notifier>();
    watcher = std::make_unique<testing::Watcher<W>>(*notifier);
  }

  std::unique_ptr<typename W::Notifier> notifier;
  std::unique_ptr<testing::Watcher<W>> watcher;
};

TYPED_TEST_SUITE(NotifierTest, testing::EveryWatched, testing::WatchedNames);

TYPED_TEST(NotifierTest, is_silent_until_the_first_wake) {
  this->watcher->watch();
  EXPECT_EQ(this->watcher->look(), 0);
  this->notifier->acknowledge();
  EXPECT_EQ(this->watcher->look(), 0);
}

TYPED_TEST(NotifierTest, wake_after_the_watch_completes_it) {
  this->watcher->watch();
  EXPECT_EQ(this->watcher->look(), 0);
  this->notifier->wake();
  EXPECT_EQ(this->watcher->wait(), 1);
  EXPECT_EQ(this->watcher->look(), 0);
}

TYPED_TEST(NotifierTest, wake_before_the_watch_completes_it_too) {
  this->notifier->wake();
  this->watcher->watch();
  EXPECT_EQ(this->watcher->wait(), 1);
  EXPECT_EQ(this->watcher->look(), 0);
}

TYPED_TEST(NotifierTest, wake_that_was_acknowledged_before_the_watch_is_over) {
  this->notifier->wake();
  this->notifier->acknowledge();
  this->watcher->watch();
  EXPECT_EQ(this->watcher->look(), 0);
}

TYPED_TEST(NotifierTest, wakes_coalesce_into_one) {
  this->watcher->watch();
  EXPECT_EQ(this->watcher->look(), 0);
  for (int i = 0; i < 1000; ++i) this->notifier->wake();
  EXPECT_EQ(this->watcher->wait(), 1);
  EXPECT_EQ(this->watcher->look(), 0);
}

TYPED_TEST(NotifierTest, wake_after_the_acknowledgement_is_seen_again) {
  this->watcher->watch();
  for (int i = 0; i < 100; ++i) {
    this->notifier->wake();
    ASSERT_EQ(this->watcher->wait(), 1) << i;
  }
}

TYPED_TEST(NotifierTest, wake_from_another_thread_ends_a_wait) {
  this->watcher->watch();
  for (int i = 0; i < 20; ++i) {
    std::thread waker([this] { this->notifier->wake(); });
    EXPECT_EQ(this->watcher->wait(), 1);
    waker.join();
  }
}

TYPED_TEST(NotifierTest, wake_keeps_errno_for_the_sake_of_signal_handlers) {
  for (const bool watched : {false, true}) {
    if (watched) this->watcher->watch();
    errno = 4242;
    this->notifier->wake();
    EXPECT_EQ(errno, 4242);
    this->notifier->acknowledge();
  }
}

std::atomic<void (*)()> on_signal{nullptr};

TYPED_TEST(NotifierTest, signal_handler_may_wake) {
  using Notifier = typename TypeParam::Notifier;
  static std::atomic<Notifier*> to_wake{nullptr};
  to_wake = this->notifier.get();
  on_signal = [] { to_wake.load()->wake(); };
  struct sigaction action{};
  struct sigaction kept{};
  action.sa_handler = [](int) { on_signal.load()(); };
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &kept), 0);
  this->watcher->watch();
  EXPECT_EQ(this->watcher->look(), 0);
  for (int i = 0; i < 10; ++i) {
    ::raise(SIGUSR1);
    EXPECT_EQ(this->watcher->wait(), 1);
  }
  ASSERT_EQ(::sigaction(SIGUSR1, &kept, nullptr), 0);
}

// Each waker has its own counter and wakes after each step; the owner must come to see the last
// step of each, however the wakes were put together.
TYPED_TEST(NotifierTest, what_was_written_before_any_wake_is_seen_after_it) {
  constexpr int kWakers = 3;
  constexpr int kSteps = 3'000;
  struct alignas(64) Counter {
    std::atomic<int> steps{0};
  };
  std::vector<Counter> counters(kWakers);
  this->watcher->watch();
  std::vector<std::thread> wakers;
  for (Counter& counter : counters) {
    wakers.emplace_back([&counter, this] {
      for (int i = 0; i < kSteps; ++i) {
        counter.steps.fetch_add(1, std::memory_order_relaxed);
        this->notifier->wake();
        if (i % 16 == 0) std::this_thread::yield();
      }
    });
  }
  int seen = 0;
  while (seen < kWakers * kSteps) {
    const int woken = this->watcher->wait();
    EXPECT_GE(woken, 1) << "a wake was lost after " << seen << " steps";
    if (woken == 0) break;
    seen = 0;
    for (const Counter& counter : counters) seen += counter.steps.load(std::memory_order_relaxed);
  }
  for (std::thread& waker : wakers) waker.join();
  EXPECT_EQ(seen, kWakers * kSteps);
}

TEST(EventFdNotifier, wake_never_blocks_even_when_the_counter_is_full) {
  EventFdNotifier notifier;
  const std::uint64_t top = UINT64_MAX - 1;
  ASSERT_EQ(::write(notifier.fd(), &top, sizeof top), static_cast<ssize_t>(sizeof top));
  notifier.wake();
  notifier.acknowledge();
  pollfd entry{notifier.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0);
}

TEST(EventFdNotifier, descriptor_is_not_inherited) {
  EventFdNotifier notifier;
  EXPECT_NE(::fcntl(notifier.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(FutexNotifier, loop_without_a_back_end_waits_for_it_by_itself) {
  FutexNotifier notifier;
  EXPECT_FALSE(notifier.wait(std::chrono::nanoseconds(1)));
  notifier.wake();
  EXPECT_TRUE(notifier.wait());
  notifier.acknowledge();
  EXPECT_FALSE(notifier.wait(std::chrono::nanoseconds(1)));
  for (int i = 0; i < 100; ++i) {
    std::thread waker([&] { notifier.wake(); });
    while (!notifier.wait(kHangGuard)) {
    }
    notifier.acknowledge();
    waker.join();
  }
}

TEST(RingMessageNotifier, takes_the_call_where_the_kernel_has_it_and_else_a_ring_of_its_own) {
  const bool by_call = RingMessageNotifier::supported(MessageSender::kernel_call);
  if (!by_call && !RingMessageNotifier::supported(MessageSender::own_ring)) {
    EXPECT_THROW(RingMessageNotifier(), std::system_error);
    GTEST_SKIP() << "this kernel sends no messages to rings";
  }
  RingMessageNotifier notifier;
  EXPECT_EQ(notifier.sender(), by_call ? MessageSender::kernel_call : MessageSender::own_ring);
}

}  // namespace
}  // namespace weft::ksvc
