// The contract of IoBackend's deadlines: what is late is cancelled, never early, and what is done
// in time is told of once.
#include <array>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

template <class Backend>
class IoBackendDeadlineTest : public BackendTest<Backend> {
 protected:
  // Past for every clock, and after its start.
  static constexpr TimePoint kLongAgo{1};
};
TYPED_TEST_SUITE(IoBackendDeadlineTest, LinkingBackends, BackendNames);

TYPED_TEST(IoBackendDeadlineTest,
           what_has_not_completed_by_its_deadline_is_cancelled_and_not_before) {
  auto pair = this->make_pair();
  auto server = this->make_server();
  char memory[16];
  const TimePoint deadline = this->now() + milliseconds(5);
  this->backend().submit(Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory}, deadline}, 1);
  this->backend().submit(Timed{Accept{server.fd.get()}, deadline}, 2);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
  EXPECT_GE(this->now(), deadline);
  EXPECT_EQ(this->await_final(2).result, -ECANCELED);
  EXPECT_EQ(this->seen().size(), 2U);

  pair.peer.writes("later");
  this->backend().submit(ReceiveInto{pair.ours.get(), memory, sizeof memory}, 3);
  EXPECT_EQ(this->await_final(3).result, 5) << "the descriptor is as good as before";
}

TYPED_TEST(IoBackendDeadlineTest, what_completes_in_time_is_told_of_once) {
  auto pair = this->make_pair();
  char memory[16];
  const TimePoint deadline = this->now() + milliseconds(5);
  this->backend().submit(Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory}, deadline}, 1);
  this->turn();
  pair.peer.writes("in time");
  const Completion completion = this->await_final(1);
  // A machine that stood still for so long makes it late after all.
  EXPECT_TRUE(completion.result == 7 || completion.result == -ECANCELED);
  this->backend().submit(Receive{pair.ours.get()}, 2);
  while (this->now() < deadline + milliseconds(2)) {
    this->backend().submit_and_wait(1, deadline + milliseconds(2));
    this->turn();
  }
  EXPECT_EQ(this->completions_of(1).size(), 1U);
  for (const Completion& later : this->completions_of(2)) EXPECT_TRUE(later.more);
}

TYPED_TEST(IoBackendDeadlineTest, what_can_be_done_at_once_is_done_even_when_it_is_late) {
  auto pair = this->make_pair();
  pair.peer.writes("here");
  char memory[16];
  this->backend().submit(Timed{Nop{}, this->kLongAgo}, 1);
  EXPECT_EQ(this->await_final(1).result, 0);
  this->backend().submit(Timed{Send{pair.ours.get(), "hello", 5}, this->kLongAgo}, 2);
  EXPECT_EQ(this->await_final(2).result, 5);
  this->backend().submit(Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory}, this->kLongAgo},
                         3);
  EXPECT_EQ(this->await_final(3).result, 4);
  this->backend().submit(Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory}, this->kLongAgo},
                         4);
  EXPECT_EQ(this->await_final(4).result, -ECANCELED);
}

TYPED_TEST(IoBackendDeadlineTest, late_send_tells_what_went_out) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = patterned(4 << 20);
  this->backend().submit(
      Timed{Send{pair.ours.get(), sent.data(), static_cast<std::uint32_t>(sent.size())},
            this->now() + milliseconds(3)},
      1);
  const std::int32_t result = this->await_final(1).result;
  ASSERT_GT(result, 0);
  ASSERT_LT(result, static_cast<std::int32_t>(sent.size()));
  pair.ours.reset();
  const auto count = static_cast<std::size_t>(result);
  EXPECT_TRUE(pair.peer.reads_exactly(count) == sent.substr(0, count));
  EXPECT_EQ(pair.peer.reads_exactly(1), "");
}

TYPED_TEST(IoBackendDeadlineTest, no_deadline_never_comes) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory}, kNoDeadline},
                         1);
  this->turn();
  this->turn();
  EXPECT_TRUE(this->seen().empty());
  pair.peer.writes("at last");
  EXPECT_EQ(this->await_final(1).result, 7);
}

TYPED_TEST(IoBackendDeadlineTest, timed_operation_can_be_cancelled_before_its_deadline) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory}, this->soon()},
                         1);
  this->turn();
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
  EXPECT_EQ(this->await_final(2).result, 0);
}

TYPED_TEST(IoBackendDeadlineTest, late_link_cuts_its_chain) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(Linked{Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory},
                                      this->now() + milliseconds(3)}},
                         1);
  this->backend().submit(Linked{Nop{}}, 2);
  this->backend().submit(Nop{}, 3);
  EXPECT_EQ(this->await_final(3).result, -ECANCELED);
  ASSERT_EQ(this->seen().size(), 3U);
  for (CorrelationId id = 1; id <= 3; ++id) {
    EXPECT_EQ(this->seen()[id - 1].corr_id, id);
    EXPECT_EQ(this->seen()[id - 1].result, -ECANCELED);
  }
}

TYPED_TEST(IoBackendDeadlineTest, timed_link_that_is_in_time_lets_the_chain_go_on) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(
      Linked{Timed{ReceiveInto{pair.ours.get(), memory, sizeof memory}, this->soon()}}, 1);
  this->backend().submit(Linked{Timed{Send{pair.ours.get(), "answer", 6}, this->soon()}}, 2);
  this->backend().submit(Nop{}, 3);
  this->turn();
  pair.peer.writes("question");
  EXPECT_EQ(this->await_final(3).result, 0);
  EXPECT_EQ(this->await_final(1).result, 8);
  EXPECT_EQ(this->await_final(2).result, 6);
  EXPECT_EQ(pair.peer.reads_exactly(6), "answer");
}

// Deadlines in no order, data at about the same time: one completion each, and no byte is lost.
TYPED_TEST(IoBackendDeadlineTest, race_of_deadline_and_data_has_one_winner) {
  constexpr std::size_t kPairs = 60;
  std::vector<SocketPair<typename TestFixture::Net>> pairs;
  std::vector<std::array<char, 16>> memory(kPairs);
  for (std::size_t i = 0; i < kPairs; ++i) pairs.push_back(this->make_pair());
  const TimePoint start = this->now();
  std::vector<TimePoint> deadlines;
  for (std::size_t i = 0; i < kPairs; ++i) {
    deadlines.push_back(start + microseconds(1'000 + (i * 37 % kPairs) * 100));
    this->backend().submit(
        Timed{ReceiveInto{pairs[i].ours.get(), memory[i].data(), 16}, deadlines[i]}, i + 1);
  }
  for (std::size_t i = 0; i < kPairs; ++i) {
    this->turn();
    pairs[i].peer.writes("data");
    for (const Completion& completion : this->seen()) {
      if (completion.result == -ECANCELED) {
        EXPECT_GE(this->now(), deadlines[completion.corr_id - 1]);
      }
    }
  }
  EXPECT_TRUE(this->turn_until([&] { return this->seen().size() >= kPairs; }));
  const std::vector<Completion> results = std::exchange(this->seen(), {});
  ASSERT_EQ(results.size(), kPairs);
  for (const Completion& completion : results) {
    if (completion.result == 4) continue;
    EXPECT_EQ(completion.result, -ECANCELED);
    const CorrelationId again = completion.corr_id + 1'000;
    const std::size_t i = completion.corr_id - 1;
    this->backend().submit(ReceiveInto{pairs[i].ours.get(), memory[i].data(), 16}, again);
    EXPECT_EQ(this->await_final(again).result, 4);
  }
}

TYPED_TEST(IoBackendDeadlineTest, connect_that_nobody_answers_ends_at_its_deadline) {
  if (!TestFixture::Net::kIsTheSystems) GTEST_SKIP() << "needs packets to be dropped";
  auto server = this->make_server();
  this->backend().submit(RefuseConnections{server.fd.get()}, 0);
  this->turn();
  auto client = this->make_socket();
  this->backend().submit(Timed{server.connect_from(client), this->now() + milliseconds(5)}, 1);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
}

}  // namespace
}  // namespace weft::ksvc
