#include "ksvc/sink/ring_completion_sink.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "ksvc/sink/completion_ring_reader.hpp"

namespace weft::ksvc {
namespace {

struct CountWakes {
  void operator()(const std::atomic<std::uint32_t>&) const noexcept { ++*count; }
  int* count;
};
using CountedSink = BasicRingCompletionSink<CountWakes>;
using CountedReader = CompletionRingReader<CountWakes>;

// A small ring whose ends count how often each wakes the other.
class CountedRing : public testing::Test {
 protected:
  static constexpr std::uint32_t kCapacity = 4;

  void complete(int count) {
    for (int i = 0; i < count; ++i) sink.complete({sent++, 0, false, {}});
  }
  std::vector<CorrelationId> read(unsigned at_most = UINT32_MAX) {
    std::vector<CorrelationId> ids;
    reader.read([&](const CompletionRecord& record) { ids.push_back(record.corr_id); }, at_most);
    return ids;
  }

  int reader_woken = 0;
  int maker_woken = 0;
  CorrelationId sent = 0;
  CountedSink sink{CompletionRing::create(kCapacity).value(), CountWakes{&reader_woken}};
  CountedReader reader{sink.ring(), CountWakes{&maker_woken}};
};

using Ids = std::vector<CorrelationId>;

TEST_F(CountedRing, nothing_is_seen_before_the_flush) {
  complete(3);
  EXPECT_EQ(read(), Ids{});
  sink.flush();
  EXPECT_EQ(read(), (Ids{0, 1, 2}));
}

TEST_F(CountedRing, reader_that_is_awake_is_not_woken) {
  complete(3);
  sink.flush();
  EXPECT_EQ(reader_woken, 0);
}

TEST_F(CountedRing, sleeping_reader_is_woken_once_per_batch) {
  ASSERT_TRUE(reader.may_sleep());
  complete(3);
  EXPECT_EQ(reader_woken, 0) << "before the batch is whole";
  sink.flush();
  complete(1);
  sink.flush();
  EXPECT_EQ(reader_woken, 1) << "it was told already and has not slept since";
  EXPECT_EQ(sink.wakes(), 1U);
  EXPECT_EQ(read(), (Ids{0, 1, 2, 3}));
  ASSERT_TRUE(reader.may_sleep());
  complete(1);
  sink.flush();
  EXPECT_EQ(reader_woken, 2);
}

TEST_F(CountedRing, sleeping_reader_is_not_woken_for_nothing_new) {
  ASSERT_TRUE(reader.may_sleep());
  reader.awake();
  complete(1);
  sink.flush();
  EXPECT_EQ(reader_woken, 0);
}

TEST_F(CountedRing, reader_with_something_to_read_may_not_sleep) {
  complete(1);
  sink.flush();
  EXPECT_FALSE(reader.may_sleep());
  complete(1);
  sink.flush();
  EXPECT_EQ(reader_woken, 0);
}

TEST_F(CountedRing, what_a_full_ring_does_not_take_waits_and_keeps_its_place) {
  complete(10);
  EXPECT_EQ(sink.waiting(), 6U);
  EXPECT_EQ(sink.overflowed(), 6U);
  sink.flush();
  EXPECT_EQ(read(), (Ids{0, 1, 2, 3}));
  complete(1);
  EXPECT_EQ(sink.waiting(), 7U) << "there is room now, but others were first";
  sink.flush();
  EXPECT_EQ(read(), (Ids{4, 5, 6, 7}));
  sink.flush();
  EXPECT_EQ(read(), (Ids{8, 9, 10}));
  EXPECT_EQ(sink.waiting(), 0U);
  complete(2);
  sink.flush();
  EXPECT_EQ(read(), (Ids{11, 12}));
}

TEST_F(CountedRing, reader_wakes_a_maker_that_waits_for_room_once) {
  complete(10);
  sink.flush();
  EXPECT_EQ(read(1), Ids{0});
  EXPECT_EQ(maker_woken, 1);
  EXPECT_EQ(read(1), Ids{1});
  EXPECT_EQ(maker_woken, 1) << "it was told already and has not asked again";
  sink.flush();
  EXPECT_EQ(sink.waiting(), 4U);
  EXPECT_EQ(read(), (Ids{2, 3, 4, 5}));
  EXPECT_EQ(maker_woken, 2);
}

TEST_F(CountedRing, maker_that_does_not_wait_is_not_woken) {
  complete(4);
  sink.flush();
  EXPECT_EQ(read(), (Ids{0, 1, 2, 3}));
  EXPECT_EQ(maker_woken, 0);
}

// As a worker's notifier, of which the ends know nothing but that it wakes.
struct FakeNotifier {
  void wake() noexcept { ++wakes; }
  int wakes = 0;
};

TEST(RingCompletionSink, ends_that_live_in_loops_are_woken_by_their_notifiers) {
  FakeNotifier readers;
  FakeNotifier makers;
  using Wake = WakeByNotifier<FakeNotifier>;
  BasicRingCompletionSink<Wake> sink(CompletionRing::create(2).value(), Wake{&readers});
  CompletionRingReader<Wake> reader(sink.ring(), Wake{&makers});
  ASSERT_TRUE(reader.may_sleep());
  for (CorrelationId i = 0; i < 3; ++i) sink.complete({i, 0, false, {}});
  sink.flush();
  EXPECT_EQ(readers.wakes, 1);
  EXPECT_EQ(reader.read([](const CompletionRecord&) {}), 2U);
  EXPECT_EQ(makers.wakes, 1) << "one completion still waits for room";
  sink.flush();
  EXPECT_EQ(reader.read([](const CompletionRecord&) {}), 1U);
}

// Every sequence of so many completions, flushes and reads, beside what must come of it.
TEST(RingCompletionSink, every_short_sequence_loses_nothing_and_keeps_the_order) {
  constexpr unsigned kSteps = 8;
  unsigned sequences = 1;
  for (unsigned i = 0; i < kSteps; ++i) sequences *= 3;
  int woken = 0;
  for (unsigned sequence = 0; sequence < sequences; ++sequence) {
    CountedSink sink(CompletionRing::create(2).value(), CountWakes{&woken});
    CountedReader reader(sink.ring(), CountWakes{&woken});
    CorrelationId sent = 0;
    CorrelationId got = 0;
    const auto take = [&](const CompletionRecord& record) { ASSERT_EQ(record.corr_id, got++); };
    unsigned rest = sequence;
    for (unsigned step = 0; step < kSteps; ++step, rest /= 3) {
      if (rest % 3 == 0) sink.complete({sent++, 0, false, {}});
      if (rest % 3 == 1) sink.flush();
      if (rest % 3 == 2) reader.read(take);
    }
    for (unsigned i = 0; i <= kSteps; ++i) {
      sink.flush();
      reader.read(take);
    }
    ASSERT_EQ(got, sent) << "in sequence " << sequence;
  }
}

// Both ends sleep whenever they can; a wake that is lost stops the test.
void pass_between_threads(std::uint32_t capacity, CorrelationId count) {
  RingCompletionSink sink(CompletionRing::create(capacity).value());
  std::thread reading([&] {
    CompletionRingReader reader(sink.ring());
    CorrelationId next = 0;
    while (next < count) {
      reader.read([&](const CompletionRecord& record) {
        EXPECT_EQ(record.corr_id, next);
        EXPECT_EQ(record.result, static_cast<std::int32_t>(next % 1000));
        ++next;
      });
      if (next < count) reader.wait();
    }
  });
  for (CorrelationId i = 0; i < count;) {
    for (CorrelationId batch = i % 7; i < count && batch < 8; ++batch, ++i) {
      sink.complete({i, static_cast<std::int32_t>(i % 1000), false, {}});
    }
    sink.flush();
    while (sink.waiting() > 0) {
      SharedFutex::wait(sink.ring().header().maker_waits_for_room, 1,
                        std::chrono::nanoseconds::max());
      sink.flush();
    }
  }
  reading.join();
}

TEST(RingCompletionSink, threads_that_sleep_on_both_ends_lose_no_wake) {
  pass_between_threads(4, 5'000);
  pass_between_threads(64, 20'000);
}

TEST(SlowRingCompletionSink, threads_that_sleep_on_both_ends_lose_no_wake_for_long) {
  pass_between_threads(1, 20'000);
  pass_between_threads(4, 100'000);
  pass_between_threads(1024, 2'000'000);
}

// In a process of its own, with nothing of the maker's but the descriptor.
[[noreturn]] void read_in_another_process(int fd, CorrelationId count) {
  auto ring = CompletionRing::open(fd);
  if (!ring) ::_exit(2);
  CompletionRingReader reader(*ring);
  CorrelationId next = 0;
  bool in_order = true;
  while (next < count && in_order) {
    reader.read([&](const CompletionRecord& record) { in_order &= record.corr_id == next++; });
    if (next < count) reader.wait();
  }
  ::_exit(in_order ? 0 : 3);
}

TEST(RingCompletionSink, another_process_reads_what_was_completed) {
  constexpr CorrelationId kCount = 2'000;
  auto sink = RingCompletionSink::create({.capacity = 16});
  ASSERT_TRUE(sink);
  const int fd = (*sink)->ring().fd();
  if (fd < 0) GTEST_SKIP() << "memory files are refused here";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) read_in_another_process(fd, kCount);
  for (CorrelationId i = 0; i < kCount; ++i) {
    (*sink)->complete({i, 0, false, {}});
    (*sink)->flush();
  }
  int status = 0;
  pid_t ended = 0;
  // Looks at the child now and then, since one that failed makes no room.
  while ((*sink)->waiting() > 0 && (ended = ::waitpid(child, &status, WNOHANG)) == 0) {
    SharedFutex::wait((*sink)->ring().header().maker_waits_for_room, 1,
                      std::chrono::milliseconds(10));
    (*sink)->flush();
  }
  if (ended == 0) ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(CompletionRing, what_is_no_ring_is_not_opened) {
  EXPECT_EQ(CompletionRing::open(-1).error().os_errno, EBADF);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_FALSE(CompletionRing::open(ends[0]).ok());
  ::close(ends[0]);
  ::close(ends[1]);

  auto ring = CompletionRing::create(4);
  ASSERT_TRUE(ring);
  if (ring->fd() < 0) GTEST_SKIP() << "memory files are refused here";
  EXPECT_TRUE(CompletionRing::open(ring->fd()).ok());
  ring->header().version = 2;
  EXPECT_EQ(CompletionRing::open(ring->fd()).error().os_errno, EINVAL) << "another version's";
  ring->header().version = CompletionRingHeader::kVersion;
  ring->header().capacity = 1U << 20;
  EXPECT_EQ(CompletionRing::open(ring->fd()).error().os_errno, EINVAL) << "larger than its file";
  ring->header().capacity = 3;
  EXPECT_EQ(CompletionRing::open(ring->fd()).error().os_errno, EINVAL);
}

TEST(CompletionRing, file_cannot_be_shrunk_under_its_readers) {
  auto ring = CompletionRing::create(4);
  ASSERT_TRUE(ring);
  if (ring->fd() < 0) GTEST_SKIP() << "memory files are refused here";
  EXPECT_NE(::ftruncate(ring->fd(), 0), 0);
}

}  // namespace
}  // namespace weft::ksvc
