// The contract of IoBackend's sends: whole or told how much, in order, and never a signal.
#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

template <class Backend>
class IoBackendSendTest : public BackendTest<Backend> {
 protected:
  // One SendNow, and what it told: nothing is all of it.
  std::int32_t send_now(int fd, const char* data, std::size_t size) {
    static constexpr CorrelationId kId = 77;
    this->backend().submit(SendNow{fd, data, static_cast<std::uint32_t>(size)}, kId);
    EXPECT_TRUE(this->turn_until_settled());
    const auto told = this->completions_of(kId);
    EXPECT_LE(told.size(), 1U);
    this->seen().clear();
    if (told.empty()) return static_cast<std::int32_t>(size);
    EXPECT_FALSE(told.front().more);
    EXPECT_NE(told.front().result, static_cast<std::int32_t>(size));
    return told.front().result;
  }
};
TYPED_TEST_SUITE(IoBackendSendTest, EveryBackend, BackendNames);

TYPED_TEST(IoBackendSendTest, long_send_to_a_slow_reader_completes_whole) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = patterned(300'000);
  std::string got;
  this->backend().submit(
      Send{pair.ours.get(), sent.data(), static_cast<std::uint32_t>(sent.size())}, 1);
  const TimePoint give_up = this->soon();
  while (got.size() < sent.size() && this->now() < give_up) {
    if (got.size() < sent.size() / 2) {
      ASSERT_TRUE(this->seen().empty()) << "complete before the reader has half of it";
    }
    this->turn();
    got += pair.peer.reads_what_is_there();
  }
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size() << " bytes";
  EXPECT_EQ(this->await_final(1).result, static_cast<std::int32_t>(sent.size()));
  EXPECT_EQ(this->seen().size(), 1U);
}

TYPED_TEST(IoBackendSendTest, sends_after_each_other_arrive_in_order) {
  auto pair = this->make_pair();
  std::string expected;
  for (CorrelationId id = 1; id <= 50; ++id) {
    const std::string part = "part " + std::to_string(id) + ";";
    this->backend().submit(
        Send{pair.ours.get(), part.data(), static_cast<std::uint32_t>(part.size())}, id);
    EXPECT_EQ(this->await_final(id).result, static_cast<std::int32_t>(part.size()));
    expected += part;
  }
  EXPECT_EQ(pair.peer.reads_exactly(expected.size()), expected);
}

TYPED_TEST(IoBackendSendTest, send_while_a_receive_is_armed_disturbs_neither) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->backend().submit(Send{pair.ours.get(), "question", 8}, 2);
  EXPECT_EQ(this->await_final(2).result, 8);
  EXPECT_EQ(pair.peer.reads_exactly(8), "question");
  pair.peer.writes("answer");
  EXPECT_EQ(this->await(1).result, 6);
  EXPECT_EQ(this->collect_bytes(), "answer");
}

TYPED_TEST(IoBackendSendTest, send_now_is_silent_when_every_byte_went_out) {
  auto pair = this->make_pair();
  this->backend().submit(SendNow{pair.ours.get(), "hello", 5}, 1);
  EXPECT_TRUE(this->turn_until_settled());
  EXPECT_EQ(pair.peer.reads_exactly(5), "hello");
  this->turn();
  EXPECT_TRUE(this->seen().empty());
}

TYPED_TEST(IoBackendSendTest, memory_of_send_now_is_free_once_settled) {
  auto pair = this->make_pair();
  std::string expected;
  std::string memory;
  for (int i = 0; i < 100; ++i) {
    memory.assign("line " + std::to_string(i) + "\n");
    expected += memory;
    this->backend().submit(
        SendNow{pair.ours.get(), memory.data(), static_cast<std::uint32_t>(memory.size())}, 1);
    ASSERT_TRUE(this->turn_until_settled());
    memory.assign(memory.size(), '#');
  }
  EXPECT_EQ(pair.peer.reads_exactly(expected.size()), expected);
  EXPECT_TRUE(this->seen().empty());
}

TYPED_TEST(IoBackendSendTest, send_now_into_a_full_socket_tells_how_much_went_out) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = this->fill(pair.ours.get());
  EXPECT_GT(sent.size(), 0U);
  EXPECT_EQ(this->send_now(pair.ours.get(), "x", 1), -EAGAIN);
  pair.ours.reset();
  EXPECT_TRUE(pair.peer.reads_exactly(sent.size()) == sent);
  EXPECT_EQ(pair.peer.reads_exactly(1), "") << "more arrived than was told";
}

TYPED_TEST(IoBackendSendTest, rest_of_a_send_now_goes_out_as_a_send) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = patterned(300'000);
  const std::int32_t first = this->send_now(pair.ours.get(), sent.data(), sent.size());
  ASSERT_GT(first, 0);
  ASSERT_LT(first, static_cast<std::int32_t>(sent.size()));
  const auto rest = static_cast<std::uint32_t>(sent.size()) - static_cast<std::uint32_t>(first);
  this->backend().submit(Send{pair.ours.get(), sent.data() + first, rest}, 1);
  std::string got;
  const TimePoint give_up = this->soon();
  while (got.size() < sent.size() && this->now() < give_up) {
    this->turn();
    got += pair.peer.reads_what_is_there();
  }
  EXPECT_TRUE(got == sent);
  EXPECT_EQ(this->await_final(1).result, static_cast<std::int32_t>(rest));
}

TYPED_TEST(IoBackendSendTest, cancelled_send_tells_what_was_sent) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = patterned(4 << 20);
  this->backend().submit(
      Send{pair.ours.get(), sent.data(), static_cast<std::uint32_t>(sent.size())}, 1);
  this->turn();
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  const std::int32_t result = this->await_final(1).result;
  EXPECT_EQ(this->await_final(2).result, 0);
  ASSERT_GT(result, 0);
  ASSERT_LT(result, static_cast<std::int32_t>(sent.size()));
  pair.ours.reset();
  const auto count = static_cast<std::size_t>(result);
  EXPECT_TRUE(pair.peer.reads_exactly(count) == sent.substr(0, count));
  EXPECT_EQ(pair.peer.reads_exactly(1), "");
}

TYPED_TEST(IoBackendSendTest, blocked_send_into_a_full_socket_can_be_cancelled) {
  auto pair = this->make_pair(16 * 1024);
  this->fill(pair.ours.get());
  this->backend().submit(Send{pair.ours.get(), "more", 4}, 1);
  this->turn();
  EXPECT_TRUE(this->seen().empty());
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
}

TYPED_TEST(IoBackendSendTest, reset_peer_is_an_error_and_no_signal) {
  auto now = this->make_pair();
  now.peer.resets();
  const std::int32_t told = this->send_now(now.ours.get(), "hello", 5);
  EXPECT_TRUE(told == -ECONNRESET || told == -EPIPE) << told;
  EXPECT_EQ(this->send_now(now.ours.get(), "hello", 5), -EPIPE);

  auto waiting = this->make_pair(16 * 1024);
  this->fill(waiting.ours.get());
  this->backend().submit(Send{waiting.ours.get(), "more", 4}, 1);
  this->turn();
  waiting.peer.resets();
  const std::int32_t failed = this->await_final(1).result;
  EXPECT_TRUE(failed == -ECONNRESET || failed == -EPIPE) << failed;
}

TYPED_TEST(IoBackendSendTest, close_right_behind_a_send_now_loses_no_byte) {
  auto pair = this->make_pair();
  this->backend().submit(SendNow{pair.ours.get(), "goodbye", 7}, 1);
  this->backend().submit(Close{pair.ours.release()}, 0);
  EXPECT_TRUE(this->turn_until_settled());
  EXPECT_EQ(pair.peer.reads_exactly(8), "goodbye");
}

}  // namespace
}  // namespace weft::ksvc
