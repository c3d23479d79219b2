// Every fault alone, whenever it can strike: it is seen, and nothing else goes wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "sim_rig.hpp"

namespace weft::ksvc {
namespace {

using std::chrono::milliseconds;

std::vector<CorrelationId> ids(const std::vector<Completion>& seen) {
  std::vector<CorrelationId> order;
  for (const Completion& one : seen) order.push_back(one.corr_id);
  return order;
}

TEST(SimFaults, reorder_swaps_operations_but_no_results_of_one) {
  SimRig rig(with(&SimFaults::reorder, 500));
  auto pair = rig.connect();
  for (CorrelationId id = 10; id < 60; ++id) rig.backend->submit(Nop{}, id);
  rig.backend->submit(Receive{pair.fd}, 1);
  std::string expected;
  for (int i = 0; i < 30'000; ++i) expected += std::to_string(i % 10);
  pair.peer->send(expected);
  std::string got;
  while (got.size() < expected.size()) {
    rig.turn();
    for (Completion& one : rig.seen) {
      if (!one.lease) continue;
      got.append(one.lease.data, one.lease.size);
      rig.backend->buffers().release(one.lease);
    }
  }
  EXPECT_EQ(got, expected);
  for (CorrelationId id = 10; id < 60; ++id) rig.await(id);
  auto order = ids(rig.seen);
  std::erase(order, 1U);
  EXPECT_EQ(order.size(), 50U);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST(SimFaults, error_ends_what_it_strikes_and_marks_the_connection) {
  SimRig rig(with(&SimFaults::error));
  auto pair = rig.connect();
  rig.backend->submit(Send{pair.fd, "hello", 5}, 1);
  EXPECT_LT(rig.await(1).result, 0);
  EXPECT_TRUE(pair.peer->faulted());
}

TEST(SimFaults, any_error_can_be_asked_for) {
  SimRig rig;
  auto pair = rig.connect();
  rig.world.fail_next<Send>(EHOSTUNREACH);
  rig.world.fail_next<Accept>(ENFILE);
  rig.backend->submit(Send{pair.fd, "hello", 5}, 1);
  rig.backend->submit(Send{pair.fd, "hello", 5}, 2);
  rig.backend->submit(Accept{rig.world.make_listener(), true}, 3);
  EXPECT_EQ(rig.await(1).result, -EHOSTUNREACH);
  EXPECT_EQ(rig.await(2).result, 5);
  EXPECT_EQ(rig.await(3).result, -ENFILE);
}

TEST(SimFaults, early_end_disarms_with_a_good_result) {
  SimRig rig(with(&SimFaults::early_end));
  auto pair = rig.connect();
  rig.backend->submit(Receive{pair.fd}, 1);
  pair.peer->send("data");
  const Completion completion = rig.await(1);
  EXPECT_GT(completion.result, 0);
  EXPECT_FALSE(completion.more);
  rig.take_bytes();

  const int event = rig.world.make_event();
  rig.backend->submit(PollReadable{event}, 2);
  rig.world.signal(event);
  EXPECT_FALSE(rig.await(2).more);

  const int listener = rig.world.make_listener();
  rig.backend->submit(Accept{listener, true}, 3);
  SimPeer client(rig.world, rig.world.port_of(listener));
  const Completion accepted = rig.await(3);
  EXPECT_GE(accepted.result, 0);
  EXPECT_FALSE(accepted.more);
}

TEST(SimFaults, spurious_wake_returns_with_nothing) {
  SimRig rig(with(&SimFaults::spurious_wake));
  const TimePoint deadline = rig.world.now() + std::chrono::seconds(5);
  rig.backend->submit_and_wait(1, deadline);
  EXPECT_LT(rig.world.now(), deadline);
  EXPECT_EQ(rig.backend->drain(rig), 0U);
}

TEST(SimFaults, interruption_ends_a_wait_early) {
  SimRig rig(with(&SimFaults::interrupt));
  const TimePoint deadline = rig.world.now() + std::chrono::seconds(5);
  rig.backend->submit_and_wait(1, deadline);
  EXPECT_LT(rig.world.now(), deadline);
}

TEST(SimFaults, partial_drain_leaves_the_rest_and_is_not_settled) {
  SimRig rig(with(&SimFaults::partial_drain));
  for (CorrelationId id = 1; id <= 50; ++id) rig.backend->submit(Nop{}, id);
  rig.backend->submit_and_wait(50, kNoDeadline);
  EXPECT_LT(rig.backend->drain(rig), 50U);
  EXPECT_FALSE(rig.backend->settled());
  rig.await(50);
  EXPECT_EQ(rig.seen.size(), 50U);
  EXPECT_TRUE(rig.backend->settled());
}

TEST(SimFaults, busy_kernel_takes_the_rest_later_and_is_not_settled_before) {
  SimRig rig(with(&SimFaults::busy));
  for (CorrelationId id = 1; id <= 50; ++id) rig.backend->submit(Nop{}, id);
  rig.backend->submit_and_wait(0, kNoDeadline);
  rig.backend->drain(rig);
  EXPECT_LT(rig.seen.size(), 50U);
  EXPECT_FALSE(rig.backend->settled());
  rig.await(50);
  EXPECT_TRUE(rig.backend->settled());
}

TEST(SimFaults, late_cancel_finds_its_target_gone) {
  bool found = false;
  bool gone = false;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimRig rig(seed, {.faults = with(&SimFaults::late_cancel)});
    auto pair = rig.connect();
    char memory[16];
    rig.backend->submit(ReceiveInto{pair.fd, memory, sizeof memory}, 1);
    rig.backend->submit(Cancel{pair.fd, 1}, 2);
    rig.world.after(std::chrono::microseconds(200), [&] { pair.peer->send("late"); });
    const std::int32_t cancelled = rig.await(2).result;
    const std::int32_t result = rig.await(1).result;
    (cancelled == 0 ? found : gone) = true;
    if (cancelled == 0) {
      EXPECT_EQ(result, -ECANCELED);
    } else {
      EXPECT_EQ(cancelled, -ENOENT);
      EXPECT_GT(result, 0);
    }
  }
  EXPECT_TRUE(found);
  EXPECT_TRUE(gone);
}

TEST(SimFaults, cancel_may_find_its_target_under_way) {
  SimRig rig(with(&SimFaults::already));
  auto pair = rig.connect();
  rig.backend->submit(Receive{pair.fd}, 1);
  rig.backend->submit(Cancel{pair.fd, 1}, 2);
  EXPECT_EQ(rig.await(2).result, -EALREADY);
  EXPECT_EQ(rig.await(1).result, -ECANCELED);
}

TEST(SimFaults, late_notice_keeps_the_memory_of_a_zero_copy_send) {
  SimRig rig(with(&SimFaults::late_notice));
  auto pair = rig.connect();
  rig.backend->submit(SendZeroCopy{pair.fd, "hello", 5}, 1);
  const Completion sent = rig.await(1);
  EXPECT_EQ(sent.result, 5);
  EXPECT_TRUE(sent.more);
  const TimePoint before = rig.world.now();
  EXPECT_FALSE(rig.await(1, 2).more);
  EXPECT_GT(rig.world.now() - before, 5 * rig.world.options().latency);
}

TEST(SimFaults, short_read_takes_less_than_there_is) {
  SimRig rig(with(&SimFaults::short_read));
  const int file = rig.world.make_file(std::string(1'000, 'f'));
  std::string memory(1'000, '.');
  rig.backend->submit(ReadAt{file, memory.data(), 1'000, 0}, 1);
  const std::int32_t read = rig.await(1).result;
  EXPECT_GT(read, 0);
  EXPECT_LT(read, 1'000);
  EXPECT_EQ(memory.find('.'), static_cast<std::size_t>(read)) << "the rest is as it was";
}

TEST(SimFaults, short_write_sends_some_now_and_all_in_the_end) {
  SimRig rig(with(&SimFaults::short_write));
  auto pair = rig.connect();
  const std::string bytes(1'000, 'b');
  rig.backend->submit(SendNow{pair.fd, bytes.data(), 1'000}, 1);
  const std::int32_t sent = rig.await(1).result;
  EXPECT_GT(sent, 0);
  EXPECT_LT(sent, 1'000);
  rig.backend->submit(Send{pair.fd, bytes.data(), 1'000}, 2);
  EXPECT_EQ(rig.await(2).result, 1'000);
}

TEST(SimFaults, send_now_is_refused_although_there_is_room) {
  SimRig rig(with(&SimFaults::again));
  auto pair = rig.connect();
  rig.backend->submit(SendNow{pair.fd, "hello", 5}, 1);
  EXPECT_EQ(rig.await(1).result, -EAGAIN);
}

TEST(SimFaults, turn_is_not_settled_before_it_is_told_of_a_refused_send_now) {
  SimFaults faults = with(&SimFaults::again);
  faults.reorder = 1000;
  SimRig rig(faults);
  auto pair = rig.connect();
  rig.backend->submit(SendNow{pair.fd, "hello", 5}, 1);
  rig.backend->submit_and_wait(0, kNoDeadline);
  rig.backend->drain(rig);
  EXPECT_TRUE(rig.seen.empty());
  EXPECT_FALSE(rig.backend->settled());
  EXPECT_EQ(rig.await(1).result, -EAGAIN);
  EXPECT_TRUE(rig.backend->settled());
}

TEST(SimFaults, no_buffers_although_blocks_are_free) {
  SimRig rig(with(&SimFaults::no_buffers));
  auto pair = rig.connect();
  pair.peer->send("data");
  rig.backend->submit(Receive{pair.fd}, 1);
  EXPECT_EQ(rig.await(1).result, -ENOBUFS);
  EXPECT_GT(rig.backend->buffers().available(), 0U);
}

TEST(SimFaults, delay_lets_segments_take_long) {
  SimRig rig(with(&SimFaults::delay));
  auto pair = rig.connect();
  const TimePoint before = rig.world.now();
  pair.peer->send("data");
  rig.backend->submit(Receive{pair.fd}, 1);
  rig.await(1);
  EXPECT_GT(rig.world.now() - before, milliseconds(1));
  rig.take_bytes();
}

TEST(SimFaults, reset_is_seen_at_both_ends) {
  SimRig rig(with(&SimFaults::reset));
  auto pair = rig.connect();
  bool ended = false;
  pair.peer->on_bytes = [](std::string_view) {};
  pair.peer->on_end = [&](int os_errno) { ended = os_errno == ECONNRESET; };
  rig.backend->submit(Receive{pair.fd}, 1);
  rig.backend->submit(SendNow{pair.fd, "hello", 5}, 2);
  EXPECT_EQ(rig.await(1).result, -ECONNRESET);
  rig.world.run_until(rig.world.now() + milliseconds(1));
  EXPECT_TRUE(ended);
}

TEST(SimFaults, accept_error_ends_an_accept_and_is_one_of_those_that_may_be) {
  SimRig rig(with(&SimFaults::accept_error));
  const int listener = rig.world.make_listener();
  SimPeer client(rig.world, rig.world.port_of(listener));
  rig.backend->submit(Accept{listener, true}, 1);
  const Completion completion = rig.await(1);
  EXPECT_FALSE(completion.more);
  EXPECT_TRUE(completion.result == -EMFILE || completion.result == -ENFILE ||
              completion.result == -ENOMEM || completion.result == -ECONNABORTED)
      << completion.result;
}

TEST(SimFaults, full_completion_queue_holds_back_and_disarms) {
  SimRig rig(1, {}, {.completion_entries = 4});
  auto pair = rig.connect();
  for (CorrelationId id = 1; id <= 6; ++id) rig.backend->submit(Nop{}, id);
  pair.peer->send("data");
  rig.backend->submit(Receive{pair.fd}, 7);
  rig.world.run_until(rig.world.now() + milliseconds(1));
  rig.backend->submit_and_wait(0, kNoDeadline);
  EXPECT_EQ(rig.backend->drain(rig), 4U);
  EXPECT_FALSE(rig.backend->settled());
  const Completion received = rig.await(7);
  EXPECT_GT(received.result, 0);
  EXPECT_FALSE(received.more);
  EXPECT_EQ(rig.seen.size(), 7U);
  rig.take_bytes();
}

// Each alone, all the time where a program can still go on: every byte arrives all the same.
TEST(SimFaults, echo_survives_every_fault_alone) {
  constexpr unsigned SimFaults::* kAll[] = {
      &SimFaults::reorder,     &SimFaults::early_end,  &SimFaults::late_cancel,
      &SimFaults::late_notice, &SimFaults::short_read, &SimFaults::short_write,
      &SimFaults::again,       &SimFaults::already,    &SimFaults::interrupt,
      &SimFaults::busy,        &SimFaults::delay,      &SimFaults::spurious_wake};
  for (const auto fault : kAll) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      EXPECT_EQ(run_echo(seed, {.faults = with(fault, 900)}, 3).unfaulted_losses, 0U);
    }
  }
  constexpr unsigned SimFaults::* kSome[] = {&SimFaults::error, &SimFaults::no_buffers,
                                             &SimFaults::partial_drain, &SimFaults::reset,
                                             &SimFaults::accept_error};
  for (const auto fault : kSome) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      EXPECT_EQ(run_echo(seed, {.faults = with(fault, 300)}, 3).unfaulted_losses, 0U);
    }
  }
}

}  // namespace
}  // namespace weft::ksvc
