#include "ksvc/instance/named_instances.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "ksvc/instance/instance_thread.hpp"
#include "ksvc/sink/completion_ring_reader.hpp"

namespace weft::ksvc {
namespace {

// A file of `bytes` that is removed at once and stays open.
int open_file_with(const std::string& bytes) {
  std::string path = testing::TempDir() + "/named_instances_XXXXXX";
  const int fd = ::mkstemp(path.data());
  ::unlink(path.c_str());
  EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

Entry lending_read(int fd, CorrelationId corr_id) {
  return {SYS_pread64, {static_cast<std::uint64_t>(fd)}, corr_id, true};
}

TEST(DefaultInstance, gives_its_results_to_the_reader_of_its_ring) {
  auto started = start_thread(
      InstanceBuilder<DefaultTraits>().page<MmapSharedPage>({.path = testing::TempDir()}));
  if (!started) GTEST_SKIP() << started.error().message();
  auto& instance = (*started)->instance();
  CompletionRingReader<> reader(instance.sink().ring());
  auto port = instance.port();
  const int fd = open_file_with("through the ring");
  constexpr unsigned kCalls = 100;
  for (unsigned id = 1; id <= kCalls; ++id) {
    ASSERT_EQ(port.submit(lending_read(fd, id)).state, AnswerState::queued);
  }
  unsigned seen = 0;
  while (seen < kCalls) {
    ASSERT_TRUE(reader.wait(std::chrono::seconds(20)) || reader.wait(std::chrono::seconds(20)));
    seen += reader.read([&](const CompletionRecord& record) {
      EXPECT_EQ(record.result, 16);
      BufferLease lease = record.completion().lease;
      EXPECT_EQ(std::string_view(lease.data, lease.size), "through the ring");
      instance.release(lease);
    });
  }
  EXPECT_EQ(seen, kCalls);
  ::close(fd);
}

struct Result : CompletionTarget {
  Result() : CompletionTarget(&Result::completed) {}
  static void completed(CompletionTarget& target, unsigned, const Completion& completion) {
    auto& self = static_cast<Result&>(target);
    self.completion = completion;
    self.done.store(true, std::memory_order_release);
    self.done.notify_one();
  }
  const Completion& wait() {
    done.wait(false, std::memory_order_acquire);
    return completion;
  }
  std::atomic<bool> done{false};
  Completion completion;
};

template <class Traits>
void expect_direct_wakes() {
  auto started = start_thread(
      InstanceBuilder<Traits>().template page<CachedSharedPage>({.path = testing::TempDir()}));
  if (!started) GTEST_SKIP() << started.error().message();
  auto& instance = (*started)->instance();
  {
    auto port = instance.port();
    const int fd = open_file_with("straight to who waits");
    for (int round = 0; round < 10; ++round) {
      Result result;
      ASSERT_EQ(port.submit(lending_read(fd, result.corr_id())).state, AnswerState::queued);
      Completion got = result.wait();
      ASSERT_EQ(got.result, 21);
      EXPECT_EQ(std::string_view(got.lease.data, got.lease.size), "straight to who waits");
      instance.release(got.lease);
    }
    ::close(fd);
  }
}

TEST(ServerInstance, wakes_who_waits_for_the_result) {
  if (!probe_kernel_features().futex_wait) {
    const auto refused = start_thread(
        InstanceBuilder<ServerTraits>().page<CachedSharedPage>({.path = testing::TempDir()}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().os_errno, EOPNOTSUPP);
    GTEST_SKIP() << "rings have no futexes here";
  }
  expect_direct_wakes<ServerTraits>();
}
TEST(RuntimeInstance, wakes_who_waits_for_the_result) { expect_direct_wakes<RuntimeTraits>(); }
TEST(RuntimeInstance, on_epoll_wakes_who_waits_for_the_result) {
  expect_direct_wakes<RuntimeEpollTraits>();
}

}  // namespace
}  // namespace weft::ksvc
