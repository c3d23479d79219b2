// The contract of Instance, asked of one set of traits after another.
#include "ksvc/instance/instance.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <ctime>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/clock/monotonic_clock.hpp"
#include "ksvc/instance/instance_thread.hpp"
#include "ksvc/notify/event_fd_notifier.hpp"
#include "ksvc/page/cached_shared_page.hpp"
#include "ksvc/page/mmap_shared_page.hpp"
#include "ksvc/pool/fixed_pool.hpp"
#include "ksvc/pool/inline_worker.hpp"
#include "ksvc/pool/lazy_pool.hpp"
#include "ksvc/router/probe_router.hpp"
#include "ksvc/sink/completion_ring_reader.hpp"
#include "ksvc/sink/ring_completion_sink.hpp"

namespace weft::ksvc {
namespace {

// Lets a test on another thread wait for what the dispatcher completes. Copies share what they saw,
// so that a test can look at it when the instance is gone.
class WaitingSink {
 public:
  void complete(const Completion& completion) noexcept {
    const std::lock_guard lock(shared_->mutex);
    shared_->seen[completion.corr_id].push_back(completion);
    ++shared_->count;
    shared_->changed.notify_all();
  }

  // Waits until `count` results have come in all.
  bool await(std::size_t count) {
    std::unique_lock lock(shared_->mutex);
    return shared_->changed.wait_for(lock, std::chrono::seconds(20),
                                     [&] { return shared_->count >= count; });
  }
  Completion take(CorrelationId corr_id) {
    std::unique_lock lock(shared_->mutex);
    auto& results = shared_->seen[corr_id];
    const bool came =
        shared_->changed.wait_for(lock, std::chrono::seconds(20), [&] { return !results.empty(); });
    EXPECT_TRUE(came) << "no result for call " << corr_id;
    if (!came) return {};
    const Completion result = results.front();
    results.erase(results.begin());
    return result;
  }
  std::size_t results_of(CorrelationId corr_id) {
    const std::lock_guard lock(shared_->mutex);
    return shared_->seen[corr_id].size();
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<CorrelationId, std::vector<Completion>> seen;
    std::size_t count = 0;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

template <class T>
std::uint64_t argument([[maybe_unused]] T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<std::uintptr_t>(value);
  } else {
    return static_cast<std::uint64_t>(value);
  }
}

template <class... Arguments>
Entry call(CorrelationId corr_id, long nr, Arguments... arguments) {
  return {nr, {argument(arguments)...}, corr_id};
}

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  void write(std::string_view bytes) const {
    EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void end() { ::close(std::exchange(ends[1], -1)); }
  int ends[2] = {-1, -1};
};

using RingTraits = Traits<ProbeRouter, BasicIoUring, FixedPool, EventFdNotifier, WaitingSink,
                          ProvidedBufferRing, CachedSharedPage, MonotonicClock>;
using EpollTraits = Traits<ProbeRouter, Epoll, LazyPool, EventFdNotifier, WaitingSink, HeapBuffers,
                           MmapSharedPage, MonotonicClock>;
using InlineTraits = Traits<ProbeRouter, Epoll, InlineWorker, EventFdNotifier, WaitingSink,
                            HeapBuffers, CachedSharedPage, MonotonicClock>;

template <class TestedTraits>
class InstanceTest : public testing::Test {
 protected:
  InstanceBuilder<TestedTraits> builder() const {
    return InstanceBuilder<TestedTraits>().template page<typename TestedTraits::Page>(
        {.path = testing::TempDir()});
  }
  void SetUp() override { start(builder()); }
  void start(InstanceBuilder<TestedTraits> from) {
    thread_.reset();
    auto started = start_thread(std::move(from));
    if (!started) GTEST_SKIP() << "refused here: " << started.error().message();
    thread_ = std::move(started).value();
  }
  InstanceOf<TestedTraits>& instance() { return thread_->instance(); }
  WaitingSink& sink() { return instance().sink(); }
  void end() { thread_.reset(); }

  // Whether a call that waits is one that the dispatcher can end.
  static constexpr bool cancels = Submits<typename TestedTraits::Backend, SystemCall>;
  // Whether a call that waits holds up the dispatcher.
  static constexpr bool blocks = std::same_as<typename TestedTraits::Pool, InlineWorker>;

 private:
  std::unique_ptr<InstanceThread<TestedTraits>> thread_;
};

using EveryTraits = testing::Types<RingTraits, EpollTraits, InlineTraits>;
struct TraitsNames {
  template <class T>
  static std::string GetName(int) {
    return std::string(T::Backend::name()) + "_" + T::Pool::name();
  }
};
TYPED_TEST_SUITE(InstanceTest, EveryTraits, TraitsNames);

TYPED_TEST(InstanceTest, a_call_reaches_the_kernel_and_its_result_the_sink) {
  auto port = this->instance().port();
  Pipe pipe;
  pipe.write("hello");
  char bytes[16] = {};
  const auto answer = port.submit(call(7, SYS_read, pipe.ends[0], bytes, sizeof bytes));
  EXPECT_EQ(answer.state, AnswerState::queued);
  EXPECT_EQ(this->sink().take(7).result, 5);
  EXPECT_EQ(std::string_view(bytes, 5), "hello");
}

TYPED_TEST(InstanceTest, a_failure_is_a_result) {
  auto port = this->instance().port();
  char byte = 0;
  port.submit(call(1, SYS_read, -1, &byte, 1));
  EXPECT_EQ(this->sink().take(1).result, -EBADF);
  port.submit(call(2, SYS_openat, AT_FDCWD, "/nowhere/at/all", O_RDONLY, 0));
  EXPECT_EQ(this->sink().take(2).result, -ENOENT);
}

TYPED_TEST(InstanceTest, a_call_that_no_ring_can_do_is_done_by_the_pool) {
  auto port = this->instance().port();
  ASSERT_EQ(this->instance().router().tier(SYS_getrandom), Tier::pool);
  std::uint64_t bits = 0;
  port.submit(call(3, SYS_getrandom, &bits, sizeof bits, 0));
  EXPECT_EQ(this->sink().take(3).result, static_cast<int>(sizeof bits));
}

TYPED_TEST(InstanceTest, facts_are_answered_at_once) {
  auto port = this->instance().port();
  const auto pid = port.submit(call(1, SYS_getpid));
  EXPECT_EQ(pid.state, AnswerState::answered);
  EXPECT_EQ(pid.result, ::getpid());
  EXPECT_EQ(port.submit(call(1, SYS_geteuid)).result, ::geteuid());
  for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID}) {
    timespec before{};
    timespec asked{};
    timespec after{};
    ::clock_gettime(clock, &before);
    const auto time = port.submit(call(1, SYS_clock_gettime, clock, &asked));
    ::clock_gettime(clock, &after);
    EXPECT_EQ(time.state, AnswerState::answered);
    EXPECT_EQ(time.result, 0);
    const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
    EXPECT_LE(ns(before), ns(asked));
    EXPECT_LE(ns(asked), ns(after));
  }
  EXPECT_EQ(this->sink().results_of(1), 0U);
}

TYPED_TEST(InstanceTest, a_result_of_64_bits_is_whole) {
  auto port = this->instance().port();
  const int fd = static_cast<int>(::syscall(SYS_memfd_create, "sparse", 1U));
  const auto answer = port.submit(call(1, SYS_lseek, fd, std::uint64_t{5} << 40, SEEK_SET));
  EXPECT_EQ(answer.state, AnswerState::answered);
  EXPECT_EQ(answer.result, std::int64_t{5} << 40);
  ::close(fd);
}

TYPED_TEST(InstanceTest, a_limit_is_right_after_changing_it) {
  auto port = this->instance().port();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit lower{old.rlim_cur - 1, old.rlim_max};
  EXPECT_EQ(port.submit(call(1, SYS_prlimit64, 0, RLIMIT_NOFILE, &lower, nullptr)).result, 0);
  EXPECT_EQ(port.page().fact(Fact::open_files_soft), old.rlim_cur - 1);
  EXPECT_EQ(port.submit(call(1, SYS_prlimit64, 0, RLIMIT_NOFILE, &old, nullptr)).result, 0);
}

TYPED_TEST(InstanceTest, a_call_about_the_thread_is_made_by_that_thread) {
  auto port = this->instance().port();
  const auto answer = port.submit(call(1, SYS_gettid));
  EXPECT_EQ(answer.state, AnswerState::answered);
  EXPECT_EQ(answer.result, ::gettid());
}

TYPED_TEST(InstanceTest, a_call_that_would_fork_or_end_the_process_is_refused) {
  auto port = this->instance().port();
  for (const long nr : {SYS_exit_group, SYS_clone, SYS_rt_sigreturn}) {
    EXPECT_EQ(port.submit(call(1, nr)).state, AnswerState::refused) << nr;
  }
}

TYPED_TEST(InstanceTest, a_lent_buffer_comes_with_the_result_and_goes_back) {
  auto port = this->instance().port();
  Pipe pipe;
  pipe.write("lent");
  for (int round = 0; round < 3; ++round) {
    Entry entry = call(5, SYS_read, pipe.ends[0]);
    entry.lend_buffer = true;
    port.submit(entry);
    Completion got = this->sink().take(5);
    ASSERT_EQ(got.result, 4);
    ASSERT_TRUE(got.lease);
    EXPECT_EQ(std::string_view(got.lease.data, got.lease.size), "lent");
    this->instance().release(got.lease);
    pipe.write("lent");
  }
  // The end of the stream fills nothing, so there is nothing to give back.
  Pipe ended;
  ended.end();
  Entry entry = call(6, SYS_read, ended.ends[0]);
  entry.lend_buffer = true;
  port.submit(entry);
  const Completion got = this->sink().take(6);
  EXPECT_EQ(got.result, 0);
  EXPECT_FALSE(got.lease);
  Entry wrong = call(8, SYS_getrandom);
  wrong.lend_buffer = true;
  port.submit(wrong);
  EXPECT_EQ(this->sink().take(8).result, -EINVAL);
}

TYPED_TEST(InstanceTest, a_lease_holds_no_more_than_its_block) {
  auto port = this->instance().port();
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
  const std::vector<char> datagram(2 * this->instance().buffers().block_bytes(), 'x');
  const auto size = static_cast<ssize_t>(datagram.size());
  ASSERT_EQ(::send(ends[0], datagram.data(), datagram.size(), 0), size);
  Entry entry = call(1, SYS_recvfrom, ends[1], 0, 0, MSG_TRUNC);
  entry.lend_buffer = true;
  port.submit(entry);
  Completion got = this->sink().take(1);
  EXPECT_EQ(got.result, size);
  ASSERT_TRUE(got.lease);
  EXPECT_EQ(got.lease.size, this->instance().buffers().block_bytes());
  this->instance().release(got.lease);
  ::close(ends[0]);
  ::close(ends[1]);
}

TYPED_TEST(InstanceTest, a_stopped_pool_cancels_what_it_would_have_done) {
  auto port = this->instance().port();
  this->instance().pool().stop();
  std::uint64_t bits = 0;
  port.submit(call(1, SYS_getrandom, &bits, sizeof bits, 0));
  EXPECT_EQ(this->sink().take(1).result, -ECANCELED);
}

TYPED_TEST(InstanceTest, more_calls_than_slots_from_several_threads_all_end_once) {
  this->end();
  this->start(this->builder().in_flight(4).queued(8));
  constexpr int kThreads = 3;
  constexpr int kEach = 300;
  std::vector<std::thread> threads;
  std::vector<std::uint64_t> targets(kThreads * kEach);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      auto port = this->instance().port();
      for (int i = 0; i < kEach; ++i) {
        const auto number = static_cast<std::size_t>(thread * kEach + i);
        // Ring and pool in turns.
        const Entry entry = i % 2 == 0 ? call(number + 1, SYS_getrandom, &targets[number], 8, 0)
                                       : call(number + 1, SYS_read, -1, &targets[number], 8);
        while (port.submit(entry).state == AnswerState::full) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(this->sink().await(kThreads * kEach));
  for (std::size_t number = 0; number < targets.size(); ++number) {
    EXPECT_EQ(this->sink().results_of(number + 1), 1U);
    const bool failing = number % kEach % 2 == 1;
    EXPECT_EQ(this->sink().take(number + 1).result, failing ? -EBADF : 8);
  }
}

TYPED_TEST(InstanceTest, stopping_ends_every_call_that_was_taken) {
  auto port = this->instance().port();
  Pipe pipe;
  if (TestFixture::blocks) pipe.end();
  char bytes[4][4] = {};
  for (CorrelationId id = 1; id <= 4; ++id) {
    port.submit(call(id, SYS_read, pipe.ends[0], bytes[id - 1], 4));
  }
  // What waits on a pool thread ends only by itself.
  if (!TestFixture::cancels && !TestFixture::blocks) pipe.end();
  WaitingSink sink = this->sink();
  this->end();
  ASSERT_TRUE(sink.await(4));
  for (CorrelationId id = 1; id <= 4; ++id) {
    const int result = sink.take(id).result;
    EXPECT_TRUE(result == -ECANCELED || (result == 0 && !TestFixture::cancels)) << result;
  }
}

TYPED_TEST(InstanceTest, an_instance_that_was_stopped_stays_as_long_as_its_thread_object) {
  {
    auto port = this->instance().port();
    std::uint64_t bits = 0;
    port.submit(call(1, SYS_getrandom, &bits, sizeof bits, 0));
    this->sink().take(1);
  }
  for (int again = 0; again < 1000; ++again) this->instance().stop();
  EXPECT_EQ(this->sink().results_of(1), 0U);
  this->end();
}

TYPED_TEST(InstanceTest, the_page_counts_what_goes_on) {
  auto port = this->instance().port();
  std::uint64_t bits = 0;
  for (CorrelationId id = 1; id <= 10; ++id) {
    port.submit(call(id, SYS_getrandom, &bits, sizeof bits, 0));
    this->sink().take(id);
  }
  // Published at the end of a turn, so the last turn may be missing.
  port.submit(call(11, SYS_getrandom, &bits, sizeof bits, 0));
  this->sink().take(11);
  const CounterValues counters = port.page().counters(0);
  EXPECT_GE(counters[Counter::submitted], 10U);
  EXPECT_GE(counters[Counter::completions], 9U);
  EXPECT_GE(counters[Counter::batches], 1U);
}

// Runs `check` in a forked child and passes on whether it was true there.
template <class Check>
bool holds_in_child(const Check& check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TYPED_TEST(InstanceTest, in_a_forked_child_calls_are_made_in_place) {
  auto port = this->instance().port();
  Pipe pipe;
  pipe.write("child");
  EXPECT_TRUE(holds_in_child([&] {
    char bytes[8] = {};
    const auto pid = port.submit(call(1, SYS_getpid));
    const auto read = port.submit(call(2, SYS_read, pipe.ends[0], bytes, sizeof bytes));
    return pid.result == ::getpid() && read.state == AnswerState::answered && read.result == 5 &&
           std::string_view(bytes, 5) == "child";
  }));
  // The parent goes on as before.
  EXPECT_EQ(port.submit(call(3, SYS_getpid)).result, ::getpid());
  pipe.write("parent");
  char bytes[8] = {};
  port.submit(call(4, SYS_read, pipe.ends[0], bytes, sizeof bytes));
  EXPECT_EQ(this->sink().take(4).result, 6);
}

TYPED_TEST(InstanceTest, in_a_forked_child_nothing_is_lent) {
  auto port = this->instance().port();
  Pipe pipe;
  pipe.write("not taken");
  EXPECT_TRUE(holds_in_child([&] {
    char bytes[16] = {};
    Entry entry = call(1, SYS_read, pipe.ends[0], bytes, sizeof bytes);
    entry.lend_buffer = true;
    const auto answer = port.submit(entry);
    return answer.state == AnswerState::answered && answer.result == -EOPNOTSUPP && bytes[0] == 0;
  }));
}

TYPED_TEST(InstanceTest, who_we_are_is_right_after_changing_it) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  auto port = this->instance().port();
  EXPECT_EQ(port.page().fact(Fact::euid), 0U);
  constexpr uid_t kNobody = 65534;
  EXPECT_TRUE(holds_in_child([&] {
    const auto answer = port.submit(call(1, SYS_setresuid, kNobody, kNobody, kNobody));
    return answer.state == AnswerState::answered && answer.result == 0 &&
           port.page().fact(Fact::euid) == kNobody && port.page().identity().uid == kNobody;
  }));
  EXPECT_EQ(port.page().fact(Fact::euid), 0U);
}

// A notifier for which the process has no descriptor left.
class NoNotifier : public EventFdNotifier {
 public:
  NoNotifier() { throw std::system_error(EMFILE, std::generic_category(), "eventfd"); }
};

TEST(InstanceCreate, what_a_part_throws_is_an_error) {
  auto refused = start_thread(InstanceBuilder<EpollTraits>()
                                  .page<MmapSharedPage>({.path = testing::TempDir()})
                                  .notifier<NoNotifier>());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os_errno, EMFILE);
}

TEST(InstanceCreate, a_reader_that_is_gone_makes_the_queue_full_and_one_that_comes_back_gets_all) {
  using ReadTraits = EpollTraits::WithSink<RingCompletionSink>;
  auto thread = start_thread(InstanceBuilder<ReadTraits>()
                                 .page<MmapSharedPage>({.path = testing::TempDir()})
                                 .sink<RingCompletionSink>(RingSinkOptions{.capacity = 4})
                                 .pool<InlineWorker>()
                                 .in_flight(4)
                                 .queued(4));
  ASSERT_TRUE(thread);
  auto& instance = (*thread)->instance();
  auto port = instance.port();
  // What the ring, its waiting list, one turn and the queue hold, and a few more.
  constexpr CorrelationId kMost = 1000;
  CorrelationId accepted = 0;
  const auto submit = [&] { return port.submit(call(accepted + 1, SYS_getrandom, nullptr, 0, 0)); };
  int refusals = 0;
  while (accepted < kMost && refusals < 1000) {
    if (submit().state == AnswerState::queued) {
      ++accepted;
      refusals = 0;
    } else {
      ++refusals;
      std::this_thread::yield();
    }
  }
  EXPECT_LT(accepted, kMost);
  CompletionRingReader<> reader(instance.sink().ring());
  CorrelationId read = 0;
  while (read < accepted) {
    reader.wait(std::chrono::seconds(20));
    ASSERT_GT(
        reader.read([&](const CompletionRecord& record) { EXPECT_EQ(record.corr_id, ++read); }),
        0U);
  }
}

// Holds its thread until it is let go.
struct Holder : PoolTask {
  Holder() noexcept : PoolTask(&Holder::hold) {}
  static void hold(PoolTask& task) noexcept {
    auto& self = static_cast<Holder&>(task);
    self.held.store(true);
    self.held.notify_one();
    self.let_go.wait(false);
  }
  std::atomic<bool> held{false};
  std::atomic<bool> let_go{false};
};

TEST(InstanceCreate, a_pool_that_others_fill_is_asked_again) {
  auto thread =
      start_thread(InstanceBuilder<EpollTraits>()
                       .page<MmapSharedPage>({.path = testing::TempDir()})
                       .pool<FixedPool>(FixedPoolOptions{.threads = 1, .queue_capacity = 1}));
  ASSERT_TRUE(thread);
  auto& instance = (*thread)->instance();
  Holder running;
  Holder queued;
  ASSERT_EQ(instance.pool().submit(running), PoolAnswer::accepted);
  running.held.wait(false);
  ASSERT_EQ(instance.pool().submit(queued), PoolAnswer::accepted);
  auto port = instance.port();
  std::uint64_t bits = 0;
  port.submit(call(1, SYS_getrandom, &bits, sizeof bits, 0));
  // The call has been offered to the full pool once a later one is done without it.
  port.submit({.nr = SYS_getrandom, .corr_id = 2, .lend_buffer = true});
  EXPECT_EQ(instance.sink().take(2).result, -EINVAL);
  for (Holder* holder : {&running, &queued}) {
    holder->let_go.store(true);
    holder->let_go.notify_one();
  }
  EXPECT_EQ(instance.sink().take(1).result, static_cast<int>(sizeof bits));
}

// Has blocks to lend, but no memory for more.
class NoMemory : public HeapBuffers {
 public:
  using HeapBuffers::HeapBuffers;
  BufferLease borrow() { throw std::bad_alloc(); }
};

TEST(InstanceCreate, memory_that_cannot_be_lent_is_a_result) {
  using ScarceTraits = EpollTraits::WithBuffers<NoMemory>;
  auto thread = start_thread(
      InstanceBuilder<ScarceTraits>().page<MmapSharedPage>({.path = testing::TempDir()}));
  ASSERT_TRUE(thread);
  auto& instance = (*thread)->instance();
  auto port = instance.port();
  Entry entry = call(1, SYS_read, -1);
  entry.lend_buffer = true;
  port.submit(entry);
  EXPECT_EQ(instance.sink().take(1).result, -ENOMEM);
}

}  // namespace
}  // namespace weft::ksvc
