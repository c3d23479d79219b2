// The contract of CompletionSink, asked of every implementation.
#include "ksvc/core/completion_sink.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "ksvc/sink/completion_ring_reader.hpp"
#include "ksvc/sink/direct_wake_sink.hpp"
#include "ksvc/sink/ring_completion_sink.hpp"

namespace weft::ksvc {
namespace {

constexpr unsigned kIds = 4;

struct Arrived {
  unsigned id;
  Completion completion;
};

struct DirectHarness {
  struct Waiter : CompletionTarget {
    Waiter() : CompletionTarget(&Waiter::completed) {}
    static void completed(CompletionTarget& target, unsigned, const Completion& completion) {
      auto& self = static_cast<Waiter&>(target);
      self.all->push_back({self.id, completion});
    }
    std::vector<Arrived>* all = nullptr;
    unsigned id = 0;
  };

  DirectHarness() {
    for (unsigned i = 0; i < kIds; ++i) {
      waiters[i].all = &arrived;
      waiters[i].id = i;
    }
  }
  CorrelationId corr_id(unsigned id) const { return waiters[id].corr_id(); }
  std::vector<Arrived> collect() { return std::exchange(arrived, {}); }

  DirectWakeSink sink;
  std::array<Waiter, kIds> waiters;
  std::vector<Arrived> arrived;
};

struct RingHarness {
  CorrelationId corr_id(unsigned id) const { return id; }
  std::vector<Arrived> collect() {
    std::vector<Arrived> arrived;
    reader.read([&](const CompletionRecord& record) {
      arrived.push_back({static_cast<unsigned>(record.corr_id), record.completion()});
    });
    return arrived;
  }

  RingCompletionSink sink{CompletionRing::create(64).value()};
  CompletionRingReader<> reader{sink.ring()};
};

template <class Harness>
class CompletionSinkTest : public testing::Test {
 protected:
  Harness harness;
};

struct SinkNames {
  template <class Harness>
  static std::string GetName(int) {
    return std::is_same_v<Harness, DirectHarness> ? "direct_wake" : "ring";
  }
};

using EverySink = testing::Types<DirectHarness, RingHarness>;
TYPED_TEST_SUITE(CompletionSinkTest, EverySink, SinkNames);

TYPED_TEST(CompletionSinkTest, each_completion_arrives_once_in_order_after_a_flush) {
  auto& harness = this->harness;
  std::int32_t sent = 0;
  for (int batch = 0; batch < 10; ++batch) {
    const std::int32_t first = sent;
    for (int i = 0; i < 20; ++i, ++sent) {
      harness.sink.complete({harness.corr_id(static_cast<unsigned>(sent) % kIds), sent, false, {}});
    }
    flush_completions(harness.sink);
    const std::vector<Arrived> arrived = harness.collect();
    ASSERT_EQ(arrived.size(), 20U);
    for (std::size_t i = 0; i < arrived.size(); ++i) {
      const std::int32_t expected = first + static_cast<std::int32_t>(i);
      EXPECT_EQ(arrived[i].completion.result, expected);
      EXPECT_EQ(arrived[i].id, static_cast<unsigned>(expected) % kIds);
    }
    EXPECT_TRUE(harness.collect().empty());
  }
}

TYPED_TEST(CompletionSinkTest, every_field_of_a_completion_and_its_lease_arrives) {
  auto& harness = this->harness;
  char memory[8];
  harness.sink.complete({harness.corr_id(1), -104, true, {memory, 7, 0xFFFE, 0xABCD}});
  harness.sink.complete({harness.corr_id(2), INT32_MAX, false, {}});
  harness.sink.complete({harness.corr_id(3), INT32_MIN, false, {}});
  flush_completions(harness.sink);
  const std::vector<Arrived> arrived = harness.collect();
  ASSERT_EQ(arrived.size(), 3U);
  const Completion& first = arrived[0].completion;
  EXPECT_EQ(arrived[0].id, 1U);
  EXPECT_EQ(first.result, -104);
  EXPECT_TRUE(first.more);
  ASSERT_TRUE(first.lease);
  EXPECT_EQ(first.lease.data, memory);
  EXPECT_EQ(first.lease.size, 7U);
  EXPECT_EQ(first.lease.block, 0xFFFE);
  EXPECT_EQ(first.lease.generation, 0xABCD);
  EXPECT_EQ(arrived[1].completion.result, INT32_MAX);
  EXPECT_FALSE(arrived[1].completion.more);
  EXPECT_FALSE(arrived[1].completion.lease) << "nothing of the one before";
  EXPECT_EQ(arrived[2].completion.result, INT32_MIN);
}

TYPED_TEST(CompletionSinkTest, flush_of_nothing_brings_nothing) {
  flush_completions(this->harness.sink);
  flush_completions(this->harness.sink);
  EXPECT_TRUE(this->harness.collect().empty());
}

}  // namespace
}  // namespace weft::ksvc
