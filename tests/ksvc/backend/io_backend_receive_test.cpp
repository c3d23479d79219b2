// The contract of IoBackend's receives: leases, ends, shortage of blocks, memory of the caller.
#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

template <class Backend>
class IoBackendReceiveTest : public BackendTest<Backend> {
 protected:
  // Receives through `fd`, giving leases back and arming again, until `size` bytes have come.
  std::string receive_all(int fd, CorrelationId id, std::size_t size) {
    std::string bytes;
    this->backend().submit(Receive{fd}, id);
    const bool came = this->turn_until([&] {
      const bool ended = !this->seen().empty() && !this->seen().back().more;
      bytes += this->collect_bytes();
      if (ended && bytes.size() < size) this->backend().submit(Receive{fd}, id);
      return bytes.size() >= size;
    });
    EXPECT_TRUE(came);
    return bytes;
  }
};
TYPED_TEST_SUITE(IoBackendReceiveTest, EveryBackend, BackendNames);

TYPED_TEST(IoBackendReceiveTest, bytes_come_in_leases_while_the_receive_stays_armed) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  for (std::size_t i = 1; i <= 3; ++i) {
    pair.peer.writes("message");
    const Completion completion = this->await(1, i);
    EXPECT_TRUE(completion.more);
    EXPECT_EQ(completion.result, 7);
    ASSERT_TRUE(completion.lease);
    EXPECT_EQ(std::string(completion.lease.data, completion.lease.size), "message");
  }
  EXPECT_EQ(this->backend().buffers().lent(), 3U);
  this->collect_bytes();
  EXPECT_EQ(this->backend().buffers().lent(), 0U);
}

TYPED_TEST(IoBackendReceiveTest, many_blocks_arrive_in_order_and_no_block_is_overfull) {
  auto pair = this->make_pair();
  const std::string sent = patterned(40 * 4096 + 123);
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->turn();
  pair.peer.writes(sent);
  std::string got;
  EXPECT_TRUE(this->turn_until([&] {
    for (const Completion& completion : this->seen()) {
      EXPECT_TRUE(completion.more);
      EXPECT_LE(completion.lease.size, this->backend().buffers().block_bytes());
    }
    got += this->collect_bytes();
    return got.size() >= sent.size();
  }));
  EXPECT_EQ(got, sent);
}

TYPED_TEST(IoBackendReceiveTest, wait_for_many_blocks_of_one_connection_is_not_cut_short) {
  auto pair = this->make_pair();
  pair.peer.writes(patterned(60 * 4096));
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->backend().submit_and_wait(60, this->soon());
  Recorder recorder;
  EXPECT_GE(this->backend().drain(recorder), 60U);
  for (Completion& completion : recorder.seen) {
    this->backend().buffers().release(completion.lease);
  }
}

TYPED_TEST(IoBackendReceiveTest, end_of_stream_is_a_final_zero_without_a_lease) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->turn();
  pair.peer.finishes();
  const Completion completion = this->await_final(1);
  EXPECT_EQ(completion.result, 0);
  EXPECT_FALSE(completion.lease);
  EXPECT_EQ(this->backend().buffers().lent(), 0U);

  this->backend().submit(Receive{pair.ours.get()}, 2);
  EXPECT_EQ(this->await_final(2).result, 0) << "the end is told again to who asks again";
}

TYPED_TEST(IoBackendReceiveTest, data_and_end_that_arrive_together_both_come) {
  for (const bool armed_before : {false, true}) {
    auto pair = this->make_pair();
    const CorrelationId id = armed_before ? 2 : 1;
    if (armed_before) {
      this->backend().submit(Receive{pair.ours.get()}, id);
      this->turn();
    }
    pair.peer.writes("last words");
    pair.peer.finishes();
    if (!armed_before) this->backend().submit(Receive{pair.ours.get()}, id);
    EXPECT_EQ(this->await_final(id).result, 0);
    EXPECT_EQ(this->collect_bytes(), "last words");
    this->backend().submit(Close{pair.ours.release()}, 0);
    this->turn();
  }
}

TYPED_TEST(IoBackendReceiveTest, end_that_follows_drained_data_comes) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  pair.peer.writes("first");
  this->await(1);
  EXPECT_EQ(this->collect_bytes(), "first");
  pair.peer.finishes();
  EXPECT_EQ(this->await_final(1).result, 0);
}

TYPED_TEST(IoBackendReceiveTest, reset_ends_a_receive_with_econnreset) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->turn();
  pair.peer.resets();
  const Completion completion = this->await_final(1);
  EXPECT_EQ(completion.result, -ECONNRESET);
  EXPECT_EQ(this->backend().buffers().lent(), 0U);
}

TYPED_TEST(IoBackendReceiveTest, all_blocks_lent_is_enobufs_and_arming_again_loses_no_byte) {
  this->remake({.buffers = {.blocks = 4, .block_bytes = 256}});
  auto pair = this->make_pair();
  const std::string sent = patterned(20 * 256 + 17);
  pair.peer.writes(sent);
  std::string got;
  int shortages = 0;
  for (CorrelationId id = 1; got.size() < sent.size(); ++id) {
    ASSERT_LT(id, 40U);
    this->backend().submit(Receive{pair.ours.get()}, id);
    ASSERT_TRUE(this->turn_until([&] {
      std::size_t held = got.size();
      for (const Completion& completion : this->seen()) held += completion.lease.size;
      return held >= sent.size() || (!this->seen().empty() && !this->seen().back().more);
    }));
    if (!this->seen().back().more) {
      EXPECT_EQ(this->seen().back().result, -ENOBUFS);
      EXPECT_FALSE(this->seen().back().lease);
      EXPECT_EQ(this->backend().buffers().lent(), 4U);
      ++shortages;
    }
    got += this->collect_bytes();
    EXPECT_EQ(this->backend().buffers().lent(), 0U);
  }
  EXPECT_GE(shortages, 4);
  EXPECT_EQ(got, sent);
}

TYPED_TEST(IoBackendReceiveTest, shortage_of_one_connection_passes_when_another_gives_back) {
  this->remake({.buffers = {.blocks = 2, .block_bytes = 256}});
  auto hoarder = this->make_pair();
  auto other = this->make_pair();
  hoarder.peer.writes(patterned(512));
  this->backend().submit(Receive{hoarder.ours.get()}, 1);
  this->turn_until([&] { return this->backend().buffers().lent() == 2; });
  other.peer.writes("waiting");
  this->backend().submit(Receive{other.ours.get()}, 2);
  EXPECT_EQ(this->await_final(2).result, -ENOBUFS);
  EXPECT_EQ(this->collect_bytes(), patterned(512));
  EXPECT_EQ(this->receive_all(other.ours.get(), 3, 7), "waiting");
}

TYPED_TEST(IoBackendReceiveTest, detached_leases_keep_their_bytes_and_starve_nobody) {
  this->remake({.buffers = {.blocks = 2, .block_bytes = 64}});
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  std::vector<BufferLease> kept;
  for (std::size_t i = 0; i < 600; ++i) {
    pair.peer.writes("number " + std::to_string(i));
    ASSERT_TRUE(this->await(1).more) << i;
    BufferLease lease = this->seen().back().lease;
    this->seen().clear();
    this->backend().buffers().detach(lease);
    EXPECT_EQ(this->backend().buffers().lent(), 0U);
    kept.push_back(lease);
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(std::string(kept[i].data, kept[i].size), "number " + std::to_string(i));
    this->backend().buffers().release(kept[i]);
    EXPECT_FALSE(kept[i]);
  }
}

TYPED_TEST(IoBackendReceiveTest, lease_that_is_given_back_twice_stops_the_process) {
  GTEST_FLAG_SET(death_test_style, "fast");
  auto pair = this->make_pair();
  pair.peer.writes("once");
  this->backend().submit(Receive{pair.ours.get()}, 1);
  BufferLease lease = this->await(1).lease;
  ASSERT_TRUE(lease);
  BufferLease copy = lease;
  this->backend().buffers().release(lease);
  EXPECT_DEATH(this->backend().buffers().release(copy), "broken promise");
}

TYPED_TEST(IoBackendReceiveTest, blocks_that_are_lent_again_and_again_stay_whole) {
  this->remake({.buffers = {.blocks = 2, .block_bytes = 64}});
  auto pair = this->make_pair();
  const std::string sent = patterned(64 * 500);
  pair.peer.writes(sent);
  EXPECT_EQ(this->receive_all(pair.ours.get(), 1, sent.size()), sent);
  EXPECT_EQ(this->backend().buffers().lent(), 0U);
}

TYPED_TEST(IoBackendReceiveTest, receive_into_fills_the_memory_of_the_caller_once) {
  auto pair = this->make_pair();
  char memory[8] = {};
  this->backend().submit(ReceiveInto{pair.ours.get(), memory, 4}, 1);
  this->turn();
  pair.peer.writes("abcdef");
  const Completion completion = this->await_final(1);
  EXPECT_EQ(completion.result, 4);
  EXPECT_FALSE(completion.lease);
  EXPECT_EQ(std::string(memory, 8), std::string("abcd\0\0\0\0", 8));

  this->backend().submit(ReceiveInto{pair.ours.get(), memory, 8}, 2);
  EXPECT_EQ(this->await_final(2).result, 2);
  EXPECT_EQ(std::string(memory, 4), "efcd");

  pair.peer.reset();
  this->backend().submit(ReceiveInto{pair.ours.get(), memory, 8}, 3);
  EXPECT_EQ(this->await_final(3).result, 0);
}

}  // namespace
}  // namespace weft::ksvc
