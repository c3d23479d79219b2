// The contract of IoBackend's links: what starts when, what is cut, and what is told of it.
#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

template <class Backend>
class IoBackendChainTest : public BackendTest<Backend> {
 protected:
  std::vector<CorrelationId> order() {
    std::vector<CorrelationId> ids;
    for (const Completion& completion : this->seen()) ids.push_back(completion.corr_id);
    return ids;
  }
  using Ids = std::vector<CorrelationId>;
};
TYPED_TEST_SUITE(IoBackendChainTest, LinkingBackends, BackendNames);

TYPED_TEST(IoBackendChainTest, linked_operation_waits_for_the_one_before_it) {
  auto first = this->make_pair();
  auto second = this->make_pair();
  char memory[16];
  this->backend().submit(Linked{ReceiveInto{first.ours.get(), memory, sizeof memory}}, 1);
  this->backend().submit(Send{second.ours.get(), "answer", 6}, 2);
  this->turn();
  this->turn();
  EXPECT_TRUE(this->seen().empty());
  EXPECT_EQ(second.peer.reads_what_is_there(), "");
  first.peer.writes("question");
  EXPECT_EQ(this->await_final(2).result, 6);
  EXPECT_EQ(this->order(), (typename TestFixture::Ids{1, 2}));
  EXPECT_EQ(this->seen().front().result, 8);
  EXPECT_EQ(second.peer.reads_exactly(6), "answer");
}

TYPED_TEST(IoBackendChainTest, long_chain_of_sends_arrives_in_order_through_a_narrow_socket) {
  auto pair = this->make_pair(16 * 1024);
  constexpr std::uint32_t kPart = 40'000;
  constexpr CorrelationId kParts = 12;
  const std::string sent = patterned(kPart * kParts);
  for (CorrelationId id = 1; id < kParts; ++id) {
    this->backend().submit(Linked{Send{pair.ours.get(), sent.data() + (id - 1) * kPart, kPart}},
                           id);
  }
  this->backend().submit(Send{pair.ours.get(), sent.data() + (kParts - 1) * kPart, kPart}, kParts);
  std::string got;
  const TimePoint give_up = this->soon();
  while (got.size() < sent.size() && this->now() < give_up) {
    this->turn();
    got += pair.peer.reads_what_is_there();
  }
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size() << " bytes";
  EXPECT_EQ(this->await_final(kParts).result, static_cast<std::int32_t>(kPart));
  ASSERT_EQ(this->seen().size(), kParts);
  for (CorrelationId id = 1; id <= kParts; ++id) EXPECT_EQ(this->seen()[id - 1].corr_id, id);
}

TYPED_TEST(IoBackendChainTest, failure_cuts_the_rest_in_order) {
  char byte = 'x';
  this->backend().submit(Linked{Nop{}}, 1);
  this->backend().submit(Linked{Send{-1, &byte, 1}}, 2);
  this->backend().submit(Linked{Nop{}}, 3);
  this->backend().submit(Nop{}, 4);
  this->await_final(4);
  ASSERT_EQ(this->order(), (typename TestFixture::Ids{1, 2, 3, 4}));
  EXPECT_EQ(this->seen()[0].result, 0);
  EXPECT_EQ(this->seen()[1].result, -EBADF);
  EXPECT_EQ(this->seen()[2].result, -ECANCELED);
  EXPECT_EQ(this->seen()[3].result, -ECANCELED);
}

TYPED_TEST(IoBackendChainTest, short_count_is_a_failure_for_the_rest) {
  auto file = this->own(this->network().make_file("short"));
  char memory[16];
  this->backend().submit(Linked{ReadAt{file.get(), memory, sizeof memory, 0}}, 1);
  this->backend().submit(Nop{}, 2);
  EXPECT_EQ(this->await_final(2).result, -ECANCELED);
  EXPECT_EQ(this->await_final(1).result, 5);
}

TYPED_TEST(IoBackendChainTest, operation_behind_the_end_of_a_chain_is_not_part_of_it) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(Linked{ReceiveInto{pair.ours.get(), memory, sizeof memory}}, 1);
  this->backend().submit(Nop{}, 2);
  this->backend().submit(Nop{}, 3);
  EXPECT_EQ(this->await_final(3).result, 0);
  EXPECT_EQ(this->order(), (typename TestFixture::Ids{3}));
  pair.peer.writes("now");
  EXPECT_EQ(this->await_final(2).result, 0);
}

TYPED_TEST(IoBackendChainTest, chains_wait_for_nothing_but_themselves) {
  auto first = this->make_pair();
  auto second = this->make_pair();
  char memory[2][16];
  this->backend().submit(Linked{ReceiveInto{first.ours.get(), memory[0], 16}}, 1);
  this->backend().submit(Nop{}, 2);
  this->backend().submit(Linked{ReceiveInto{second.ours.get(), memory[1], 16}}, 3);
  this->backend().submit(Nop{}, 4);
  this->turn();
  second.peer.writes("second");
  EXPECT_EQ(this->await_final(4).result, 0);
  EXPECT_EQ(this->order(), (typename TestFixture::Ids{3, 4}));
  first.peer.writes("first");
  EXPECT_EQ(this->await_final(2).result, 0);
}

TYPED_TEST(IoBackendChainTest, shutdown_behind_a_send_waits_until_all_is_sent) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = patterned(256 * 1024);
  this->backend().submit(
      Linked{Send{pair.ours.get(), sent.data(), static_cast<std::uint32_t>(sent.size())}}, 1);
  this->backend().submit(Shutdown{pair.ours.get(), SHUT_WR}, 2);
  std::string got;
  const TimePoint give_up = this->soon();
  while (this->completions_of(2).empty() && this->now() < give_up) {
    this->turn();
    got += pair.peer.reads_what_is_there();
  }
  EXPECT_EQ(this->await_final(1).result, static_cast<std::int32_t>(sent.size()));
  EXPECT_EQ(this->await_final(2).result, 0);
  got += pair.peer.reads_exactly(sent.size() - got.size() + 1);
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size() << " bytes, then the end";
}

TYPED_TEST(IoBackendChainTest, close_behind_a_send_closes_when_all_is_sent) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = patterned(256 * 1024);
  this->backend().submit(
      Linked{Send{pair.ours.get(), sent.data(), static_cast<std::uint32_t>(sent.size())}}, 1);
  this->backend().submit(Close{pair.ours.release()}, 2);
  std::string got;
  const TimePoint give_up = this->soon();
  while (got.size() < sent.size() && this->now() < give_up) {
    this->turn();
    got += pair.peer.reads_what_is_there();
  }
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size() << " bytes";
  // The peer may see the end before a reactor on another thread has brought the completion here.
  EXPECT_EQ(this->await_final(1).result, static_cast<std::int32_t>(sent.size()));
  EXPECT_EQ(pair.peer.reads_exactly(1), "");
  EXPECT_EQ(this->order(), (typename TestFixture::Ids{1})) << "a close has no completion";
}

TYPED_TEST(IoBackendChainTest, close_that_is_cut_does_not_close) {
  auto pair = this->make_pair();
  char byte = 'x';
  this->backend().submit(Linked{Send{-1, &byte, 1}}, 1);
  this->backend().submit(Close{pair.ours.get()}, 2);
  EXPECT_EQ(this->await_final(1).result, -EBADF);
  this->turn();
  EXPECT_TRUE(this->completions_of(2).empty()) << "a close has no completion";
  this->backend().submit(Send{pair.ours.get(), "still here", 10}, 3);
  EXPECT_EQ(this->await_final(3).result, 10);
  EXPECT_EQ(pair.peer.reads_exactly(10), "still here");
}

TYPED_TEST(IoBackendChainTest, cancelling_what_runs_cuts_the_rest) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(Linked{ReceiveInto{pair.ours.get(), memory, sizeof memory}}, 1);
  this->backend().submit(Linked{Nop{}}, 2);
  this->backend().submit(Nop{}, 3);
  this->turn();
  this->backend().submit(Cancel{pair.ours.get(), 1}, 4);
  EXPECT_EQ(this->await_final(3).result, -ECANCELED);
  EXPECT_EQ(this->await_final(2).result, -ECANCELED);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
  EXPECT_EQ(this->await_final(4).result, 0);
  EXPECT_EQ(this->seen().size(), 4U);
}

TYPED_TEST(IoBackendChainTest, cancel_does_not_find_what_has_not_started) {
  auto pair = this->make_pair();
  char memory[2][16];
  this->backend().submit(Linked{ReceiveInto{pair.ours.get(), memory[0], 16}}, 1);
  this->backend().submit(ReceiveInto{pair.ours.get(), memory[1], 16}, 2);
  this->turn();
  this->backend().submit(Cancel{pair.ours.get(), 2}, 3);
  EXPECT_EQ(this->await_final(3).result, -ENOENT);
  pair.peer.writes("one");
  EXPECT_EQ(this->await_final(1).result, 3);
  pair.peer.writes("another");
  EXPECT_EQ(this->await_final(2).result, 7);
}

TYPED_TEST(IoBackendChainTest, corr_id_zero_in_a_chain_is_never_delivered) {
  auto pair = this->make_pair();
  this->backend().submit(Linked{Send{pair.ours.get(), "one", 3}}, 0);
  this->backend().submit(Linked{Send{pair.ours.get(), "two", 3}}, 0);
  this->backend().submit(Nop{}, 1);
  EXPECT_EQ(this->await_final(1).result, 0);
  EXPECT_EQ(pair.peer.reads_exactly(6), "onetwo");
  EXPECT_EQ(this->seen().size(), 1U);
}

TYPED_TEST(IoBackendChainTest, send_now_may_begin_a_chain) {
  auto pair = this->make_pair(16 * 1024);
  this->backend().submit(Linked{SendNow{pair.ours.get(), "whole", 5}}, 1);
  this->backend().submit(Nop{}, 2);
  EXPECT_EQ(this->await_final(2).result, 0);
  EXPECT_EQ(pair.peer.reads_exactly(5), "whole");
  EXPECT_EQ(this->order(), (typename TestFixture::Ids{2}));

  const std::string sent = this->fill(pair.ours.get());
  this->backend().submit(Linked{SendNow{pair.ours.get(), "x", 1}}, 3);
  this->backend().submit(Nop{}, 4);
  EXPECT_EQ(this->await_final(4).result, -ECANCELED);
  EXPECT_EQ(this->await_final(3).result, -EAGAIN);
}

TYPED_TEST(IoBackendChainTest, multishot_receive_may_end_a_chain) {
  auto pair = this->make_pair();
  this->backend().submit(Linked{Send{pair.ours.get(), "hello", 5}}, 1);
  this->backend().submit(Receive{pair.ours.get()}, 2);
  for (std::size_t times = 1; times <= 3; ++times) {
    pair.peer.writes("again");
    EXPECT_TRUE(this->await(2, times).more);
  }
  EXPECT_EQ(this->collect_bytes(), "againagainagain");
}

// Rings that are smaller than the chains: no chain may be torn where the queue is full.
TYPED_TEST(IoBackendChainTest, chains_stay_whole_in_a_tiny_queue) {
  this->remake({.submission_entries = 8, .completion_entries = 16});
  char byte = 'x';
  constexpr CorrelationId kChains = 60;
  for (CorrelationId chain = 0; chain < kChains; ++chain) {
    this->backend().submit(Linked{Nop{}}, chain * 10 + 1);
    this->backend().submit(Linked{Send{-1, &byte, 1}}, chain * 10 + 2);
    this->backend().submit(Linked{Nop{}}, chain * 10 + 3);
    this->backend().submit(Nop{}, chain * 10 + 4);
    if (chain % 3 == 0) this->backend().submit(Nop{}, chain * 10 + 5);
  }
  constexpr std::size_t kAll = kChains * 4 + (kChains + 2) / 3;
  EXPECT_TRUE(this->turn_until([&] { return this->seen().size() >= kAll; }));
  EXPECT_EQ(this->seen().size(), kAll);
  for (const Completion& completion : this->seen()) {
    const std::int32_t expected[] = {0, 0, -EBADF, -ECANCELED, -ECANCELED, 0};
    EXPECT_EQ(completion.result, expected[completion.corr_id % 10]) << completion.corr_id;
  }
}

}  // namespace
}  // namespace weft::ksvc
