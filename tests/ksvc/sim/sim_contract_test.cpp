// A program that breaks the contract of its back end is stopped, with the seed; and so is one that
// waits for ever.
#include <gtest/gtest.h>

#include "ksvc/core/poison.hpp"
#include "ksvc/notify/sim_notifier.hpp"
#include "sim_rig.hpp"

namespace weft::ksvc {
namespace {

class SimContractDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "fast"); }

  void turn() {
    rig_.backend->submit_and_wait(0, kNoDeadline);
    rig_.backend->drain(rig_);
  }
  SimBackend& backend() { return *rig_.backend; }

  SimRig rig_{4'242};
  SimRig::Pair pair_ = rig_.connect();
};

TEST_F(SimContractDeathTest, wait_for_what_never_comes_names_the_seed_and_what_is_in_flight) {
  char memory[16];
  backend().submit(ReceiveInto{pair_.fd, memory, sizeof memory}, 1);
  EXPECT_DEATH(backend().submit_and_wait(1, kNoDeadline),
               "can never happen, with 1 operations in flight:\n.*receive into on descriptor"
               "(.|\n)*seed 4242");
}

TEST_F(SimContractDeathTest, report_says_how_to_run_it_again) {
  SimRig rig(3, {.replay = "program --seed 3"});
  EXPECT_DEATH(rig.backend->submit_and_wait(1, kNoDeadline), "replay: program --seed 3");
}

TEST_F(SimContractDeathTest, memory_of_a_send_that_changes_is_seen) {
  std::string memory(16, 's');
  backend().submit(Send{pair_.fd, memory.data(), 16}, 1);
  memory[3] = 'x';
  EXPECT_DEATH(turn(), "was to be sent was changed before the end of its send\n");
}

TEST_F(SimContractDeathTest,
       memory_of_a_zero_copy_send_is_the_kernels_until_the_second_completion) {
  std::string memory(16, 's');
  backend().submit(SendZeroCopy{pair_.fd, memory.data(), 16}, 1);
  EXPECT_TRUE(rig_.await(1).more);
  memory[3] = 'x';
  EXPECT_DEATH(rig_.await(1, 2), "changed before the end of its send zero copy");
}

TEST_F(SimContractDeathTest, memory_of_send_now_that_changes_before_the_turn_is_seen) {
  std::string memory(16, 's');
  backend().submit(SendNow{pair_.fd, memory.data(), 16}, 1);
  memory[3] = 'x';
  EXPECT_DEATH(turn(), "changed before the end of its send now");
}

TEST_F(SimContractDeathTest, memory_of_send_now_that_changes_before_it_is_settled_is_seen) {
  std::string memory(16, 's');
  backend().submit(SendNow{pair_.fd, memory.data(), 16}, 1);
  backend().submit_and_wait(0, kNoDeadline);
  memory[3] = 'x';
  EXPECT_DEATH(backend().drain(rig_), "a SendNow was changed before it was settled");
  memory[3] = 's';
  turn();
  memory[3] = 'x';
  turn();
}

TEST_F(SimContractDeathTest, second_send_now_before_the_first_is_settled_is_seen) {
  backend().submit(SendNow{pair_.fd, "one", 3}, 1);
  EXPECT_DEATH(backend().submit(SendNow{pair_.fd, "two", 3}, 1), "before the first was settled");
  turn();
  backend().submit(SendNow{pair_.fd, "two", 3}, 1);
}

TEST_F(SimContractDeathTest, memory_of_a_receive_is_not_to_be_touched) {
  char memory[16] = {};
  backend().submit(ReceiveInto{pair_.fd, memory, sizeof memory}, 1);
  turn();
  const auto touch = [&] {
    memory[2] = 'x';
    pair_.peer->send("data");
    rig_.await(1);
  };
  EXPECT_DEATH(touch(), kPoisonsMemory ? "use-after-poison"
                                       : "written to before the end of its receive into");
  pair_.peer->send("data");
  EXPECT_EQ(rig_.await(1).result, 4);
  EXPECT_EQ(std::string(memory, 6), std::string("data\0\0", 6));
}

TEST_F(SimContractDeathTest, descriptor_is_closed_once) {
  backend().submit(Close{pair_.fd}, 0);
  EXPECT_DEATH(backend().submit(Close{pair_.fd}, 0), "used after its close, for a close");
}

TEST_F(SimContractDeathTest, descriptor_is_not_used_after_its_close) {
  backend().submit(Close{pair_.fd}, 0);
  EXPECT_DEATH(backend().submit(Receive{pair_.fd}, 1), "used after its close, for a receive");
  turn();
  EXPECT_DEATH(backend().submit(Send{pair_.fd, "late", 4}, 1), "used after its close, for a send");
}

TEST_F(SimContractDeathTest, descriptor_is_idle_when_it_is_closed) {
  backend().submit(Receive{pair_.fd}, 1);
  turn();
  EXPECT_DEATH(backend().submit(Close{pair_.fd}, 0), "closed with operations in flight");
  backend().submit(Cancel{pair_.fd, 1}, 0);
  rig_.await(1);
  backend().submit(Close{pair_.fd}, 0);
  turn();
}

TEST_F(SimContractDeathTest, lease_comes_back_once) {
  pair_.peer->send("data");
  backend().submit(Receive{pair_.fd}, 1);
  BufferLease lease = rig_.await(1).lease;
  EXPECT_DEATH(backend().check_nothing_left(), "(operations are in flight|blocks are lent)");
  BufferLease copy = lease;
  backend().buffers().release(lease);
  EXPECT_DEATH(backend().buffers().release(copy), "broken promise");
}

TEST_F(SimContractDeathTest, what_is_kept_or_in_flight_at_the_end_is_told) {
  BufferLease kept = backend().buffers().borrow();
  EXPECT_DEATH(backend().check_nothing_left(), "1 detached or borrowed leases are not released");
  backend().buffers().release(kept);
  backend().check_nothing_left();
  backend().submit(Receive{pair_.fd}, 1);
  EXPECT_DEATH(backend().check_nothing_left(), "1 operations are in flight");
}

TEST_F(SimContractDeathTest, released_memory_holds_nothing_any_more) {
  pair_.peer->send("data");
  backend().submit(Receive{pair_.fd}, 1);
  BufferLease lease = rig_.await(1).lease;
  const char* stale = lease.data;
  backend().buffers().release(lease);
  if (kPoisonsMemory) GTEST_SKIP() << "whoever reads it is stopped at once";
  EXPECT_NE(*stale, 'd');
}

TEST(SimNotifier, wakes_a_waiting_loop_once_for_any_number_of_calls) {
  SimRig rig;
  SimNotifier notifier;
  notifier.watch(*rig.backend, 9);
  rig.world.after(std::chrono::milliseconds(1), [&] {
    notifier.wake();
    notifier.wake();
  });
  EXPECT_TRUE(rig.await(9).more);
  notifier.acknowledge();
  rig.turn(std::chrono::milliseconds(1));
  EXPECT_EQ(rig.seen.size(), 1U);
  notifier.wake();
  rig.await(9, 2);
}

TEST(SimNotifier, wake_that_comes_before_the_watch_is_found_by_it) {
  SimRig rig;
  SimNotifier notifier;
  notifier.wake();
  notifier.watch(*rig.backend, 9);
  rig.await(9);
}

}  // namespace
}  // namespace weft::ksvc
