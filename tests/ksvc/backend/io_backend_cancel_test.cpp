// The contract of Cancel, kind by kind, and of cancels that come late or race.
#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

bool is_not_found(std::int32_t result) { return result == -ENOENT || result == -EALREADY; }

template <class Backend>
class IoBackendCancelTest : public BackendTest<Backend> {
 protected:
  static constexpr CorrelationId kTarget = 1;
  static constexpr CorrelationId kCancel = 2;

  // Submits `op` and lets it wait, cancels it, and wants it to end with -ECANCELED.
  template <class Op>
  void expect_cancelled(const char* kind, const Op& op) {
    SCOPED_TRACE(kind);
    this->backend().submit(op, kTarget);
    this->turn();
    this->turn();
    ASSERT_TRUE(this->seen().empty());
    this->backend().submit(Cancel{op.fd, kTarget}, kCancel);
    const Completion completion = this->await_final(kTarget);
    EXPECT_EQ(completion.result, -ECANCELED);
    EXPECT_FALSE(completion.more);
    EXPECT_FALSE(completion.lease);
    EXPECT_EQ(this->await_final(kCancel).result, 0);
    this->turn();
    EXPECT_EQ(this->seen().size(), 2U);
    this->seen().clear();
  }
};
TYPED_TEST_SUITE(IoBackendCancelTest, EveryBackend, BackendNames);

TYPED_TEST(IoBackendCancelTest, every_kind_of_operation_that_waits_can_be_cancelled) {
  auto server = this->make_server();
  auto pair = this->make_pair(16 * 1024);
  auto event = this->make_event();
  char memory[16];
  this->expect_cancelled("accept", Accept{server.fd.get()});
  this->expect_cancelled("multishot accept", Accept{server.fd.get(), true});
  this->expect_cancelled("receive", Receive{pair.ours.get()});
  this->expect_cancelled("receive into", ReceiveInto{pair.ours.get(), memory, sizeof memory});
  this->expect_cancelled("poll", PollReadable{event.get()});
  this->fill(pair.ours.get());
  this->expect_cancelled("send", Send{pair.ours.get(), "more", 4});
  EXPECT_EQ(this->backend().buffers().lent(), 0U);
}

TYPED_TEST(IoBackendCancelTest, connect_that_nobody_answers_can_be_cancelled) {
  if (!TestFixture::Net::kIsTheSystems) GTEST_SKIP() << "needs packets to be dropped";
  auto server = this->make_server();
  this->backend().submit(RefuseConnections{server.fd.get()}, 0);
  this->turn();
  auto client = this->make_socket();
  this->expect_cancelled("connect", server.connect_from(client));
}

TYPED_TEST(IoBackendCancelTest, cancel_behind_its_target_in_one_turn_reaches_it) {
  auto pair = this->make_pair();
  char memory[16];
  for (CorrelationId round = 0; round < 50; ++round) {
    const CorrelationId id = round * 2 + 1;
    this->backend().submit(ReceiveInto{pair.ours.get(), memory, sizeof memory}, id);
    this->backend().submit(Cancel{pair.ours.get(), id}, id + 1);
    EXPECT_EQ(this->await_final(id).result, -ECANCELED);
    EXPECT_EQ(this->await_final(id + 1).result, 0);
  }
}

TYPED_TEST(IoBackendCancelTest, cancel_that_comes_late_finds_nothing) {
  auto pair = this->make_pair();
  char memory[16];
  pair.peer.writes("first");
  this->backend().submit(ReceiveInto{pair.ours.get(), memory, sizeof memory}, 1);
  EXPECT_EQ(this->await_final(1).result, 5);
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  EXPECT_TRUE(is_not_found(this->await_final(2).result));
  EXPECT_EQ(this->completions_of(1).size(), 1U);
}

TYPED_TEST(IoBackendCancelTest, second_cancel_ends_nothing_a_second_time) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->turn();
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  this->backend().submit(Cancel{pair.ours.get(), 1}, 3);
  EXPECT_EQ(this->await_final(2).result, 0);
  const std::int32_t second = this->await_final(3).result;
  EXPECT_TRUE(second == 0 || is_not_found(second)) << second << ": it may still be about to end";
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
  this->backend().submit(Cancel{pair.ours.get(), 1}, 4);
  EXPECT_TRUE(is_not_found(this->await_final(4).result));
  EXPECT_EQ(this->completions_of(1).size(), 1U);
}

TYPED_TEST(IoBackendCancelTest, cancel_that_races_with_data_loses_no_byte) {
  for (int round = 0; round < 40; ++round) {
    auto pair = this->make_pair();
    this->seen().clear();
    char memory[16] = {};
    this->backend().submit(ReceiveInto{pair.ours.get(), memory, sizeof memory}, 1);
    this->turn();
    if (round % 2 == 0) pair.peer.writes("data");
    this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
    if (round % 2 == 1) pair.peer.writes("data");
    const std::int32_t result = this->await_final(1).result;
    const std::int32_t cancelled = this->await_final(2).result;
    if (result == 4) {
      EXPECT_EQ(std::string(memory, 4), "data");
      EXPECT_TRUE(cancelled == 0 || is_not_found(cancelled)) << cancelled;
    } else {
      EXPECT_EQ(result, -ECANCELED);
      EXPECT_EQ(cancelled, 0);
      this->backend().submit(ReceiveInto{pair.ours.get(), memory, sizeof memory}, 3);
      EXPECT_EQ(this->await_final(3).result, 4);
    }
    this->backend().submit(Close{pair.ours.release()}, 0);
    this->turn();
  }
}

TYPED_TEST(IoBackendCancelTest, cancelled_multishot_receive_keeps_what_it_has_told) {
  for (int round = 0; round < 20; ++round) {
    auto pair = this->make_pair();
    const std::string sent = patterned(10'000 + static_cast<std::size_t>(round));
    this->backend().submit(Receive{pair.ours.get()}, 1);
    this->turn();
    pair.peer.writes(sent);
    this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
    const std::int32_t result = this->await_final(1).result;
    EXPECT_EQ(result, -ECANCELED);
    this->await_final(2);
    std::string got = this->collect_bytes();
    this->backend().submit(Receive{pair.ours.get()}, 3);
    EXPECT_TRUE(this->turn_until([&] {
      for (const Completion& completion : this->seen()) EXPECT_TRUE(completion.more);
      got += this->collect_bytes();
      return got.size() >= sent.size();
    }));
    EXPECT_TRUE(got == sent);
    this->backend().submit(Cancel{pair.ours.get(), 3}, 4);
    this->await_final(3);
    this->await_final(4);
    this->backend().submit(Close{pair.ours.release()}, 0);
    this->turn();
    this->seen().clear();
  }
}

TYPED_TEST(IoBackendCancelTest, cancel_of_one_direction_leaves_the_other_alone) {
  auto pair = this->make_pair(16 * 1024);
  this->fill(pair.ours.get());
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->backend().submit(Send{pair.ours.get(), "more", 4}, 2);
  this->turn();
  this->backend().submit(Cancel{pair.ours.get(), 2}, 3);
  EXPECT_EQ(this->await_final(2).result, -ECANCELED);
  pair.peer.writes("reply");
  EXPECT_TRUE(this->await(1).more);
  EXPECT_EQ(this->collect_bytes(), "reply");
}

TYPED_TEST(IoBackendCancelTest, id_of_a_cancelled_operation_may_be_used_again_at_once) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->turn();
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
  this->seen().clear();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  pair.peer.writes("again");
  EXPECT_EQ(this->await(1).result, 5);
  this->collect_bytes();
}

}  // namespace
}  // namespace weft::ksvc
