// The contract of Notifier, asked of every implementation.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "ksvc/notify/event_fd_notifier.hpp"

namespace weft::ksvc {
namespace {

constexpr int kHangGuardMs = 20'000;

template <class Notifier>
class NotifierTest : public testing::Test {
 protected:
  bool readable(int timeout_ms = 0) const {
    pollfd entry{notifier.fd(), POLLIN, 0};
    return ::poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLIN) != 0;
  }

  Notifier notifier;
};

struct NotifierNames {
  template <class Notifier>
  static std::string GetName(int) {
    return "event_fd";
  }
};

using EveryNotifier = testing::Types<EventFdNotifier>;
TYPED_TEST_SUITE(NotifierTest, EveryNotifier, NotifierNames);

TYPED_TEST(NotifierTest, is_silent_until_the_first_wake) {
  EXPECT_FALSE(this->readable());
  this->notifier.acknowledge();
  EXPECT_FALSE(this->readable());
}

TYPED_TEST(NotifierTest, wakes_coalesce_into_one) {
  for (int i = 0; i < 1000; ++i) this->notifier.wake();
  EXPECT_TRUE(this->readable());
  this->notifier.acknowledge();
  EXPECT_FALSE(this->readable());
}

TYPED_TEST(NotifierTest, wake_after_the_acknowledgement_is_seen_again) {
  this->notifier.wake();
  this->notifier.acknowledge();
  this->notifier.wake();
  EXPECT_TRUE(this->readable());
}

TYPED_TEST(NotifierTest, wake_from_another_thread_ends_a_wait) {
  std::thread waker([this] { this->notifier.wake(); });
  EXPECT_TRUE(this->readable(kHangGuardMs));
  waker.join();
}

TYPED_TEST(NotifierTest, wake_keeps_errno_for_the_sake_of_signal_handlers) {
  errno = 4242;
  this->notifier.wake();
  EXPECT_EQ(errno, 4242);
}

TYPED_TEST(NotifierTest, descriptor_is_not_inherited) {
  EXPECT_NE(::fcntl(this->notifier.fd(), F_GETFD) & FD_CLOEXEC, 0);
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

}  // namespace
}  // namespace weft::ksvc
