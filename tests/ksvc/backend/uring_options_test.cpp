// What single options of the io_uring back ends promise beyond the common contract: slots of the
// ring's own table, single accepts, sends that cannot do without a copy, chains and the ring's own
// entries, forked children.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <string>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"
#include "ksvc/router/kernel_features.hpp"

namespace weft::ksvc {
namespace {

using SingleAcceptIoUring = CompositeIoUring<UringOptions{.multishot_accept = false}>;
using ZeroCopyIoUring = CompositeIoUring<UringOptions{.zero_copy_send = true}>;

TEST(UringNameTest, name_tells_the_options) {
  EXPECT_STREQ(BasicIoUring::name(), "io_uring");
  EXPECT_STREQ(SqpollIoUring::name(), "io_uring+sqpoll");
  EXPECT_STREQ(SingleAcceptIoUring::name(), "io_uring+single_accept");
  EXPECT_STREQ((CompositeIoUring<UringOptions{.sqpoll = true, .fixed_files = true}>::name()),
               "io_uring+sqpoll+fixed_files");
}

// Takes connections into slots.
class UringSlotTest : public BackendTest<FixedFileIoUring> {
 protected:
  int accept(int listener, CorrelationId id) {
    backend().submit(Accept{listener}, id);
    return await_final(id).result;
  }
};

TEST_F(UringSlotTest, full_table_ends_the_accept_and_a_closed_slot_is_used_again) {
  remake({.direct_descriptors = 2});
  auto server = make_server();
  PeerList clients;
  for (int i = 0; i < 3; ++i) clients.push_back(server.connect_client());
  backend().submit(Accept{server.fd.get(), true}, 1);
  EXPECT_EQ(await_final(1).result, -ENFILE);
  const auto taken = completions_of(1);
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(clients[2].reads_exactly(1), "") << "the kernel has no place for it and closes it";
  backend().submit(Close{taken[0].result}, 0);
  clients.push_back(server.connect_client());
  EXPECT_EQ(accept(server.fd.get(), 2), taken[0].result);
}

TEST_F(UringSlotTest, wished_table_is_no_larger_than_the_process_may_open_files) {
  remake({.direct_descriptors = 1U << 30});
  auto server = make_server();
  auto client = server.connect_client();
  EXPECT_TRUE(made_by_backend(accept(server.fd.get(), 1)));
}

TEST_F(UringSlotTest, reset_of_a_slot_reaches_the_peer) {
  KernelFeatures features = probe_kernel_features();
  if (!features.futex_wait) GTEST_SKIP() << "the command is as new as the futex operations (6.7)";
  auto server = make_server();
  auto client = server.connect_client();
  const int fd = accept(server.fd.get(), 1);
  backend().submit(Close{fd, true}, 0);
  turn();
  int why = 0;
  EXPECT_EQ(client.reads_exactly(1, &why), "");
  EXPECT_EQ(why, ECONNRESET);
}

// A thread of the kernel's looks the slot up and shuts down what it finds there, so the slot must
// still hold the connection by then.
TEST_F(UringSlotTest, close_right_after_a_shutdown_waits_for_it) {
  auto server = make_server();
  for (CorrelationId round = 0; round < 20; ++round) {
    const CorrelationId id = 10 * (round + 1);
    auto client = server.connect_client();
    const int fd = accept(server.fd.get(), id);
    const bool resets = round % 2 == 1;
    backend().submit(Shutdown{fd, SHUT_RD}, id + 1);
    backend().submit(Close{fd, resets}, 0);
    EXPECT_EQ(await_final(id + 1).result, 0);
    turn();
    EXPECT_EQ(client.reads_exactly(1), "");
  }
}

TEST_F(UringSlotTest, slots_take_part_in_chains_and_deadlines) {
  auto server = make_server();
  auto client = server.connect_client();
  const int fd = accept(server.fd.get(), 1);
  std::array<char, 8> memory{};
  backend().submit(Timed{ReceiveInto{fd, memory.data(), memory.size()}, now()}, 2);
  EXPECT_EQ(await_final(2).result, -ECANCELED);
  backend().submit(Linked{Send{fd, "one", 3}}, 3);
  backend().submit(Linked{SendZeroCopy{fd, "two", 3}}, 4);
  backend().submit(Linked{Shutdown{fd, SHUT_WR}}, 5);
  backend().submit(Close{fd}, 0);
  EXPECT_EQ(await_final(5).result, 0);
  EXPECT_EQ(client.reads_exactly(100), "onetwo");
}

TEST_F(UringSlotTest, reset_in_a_chain_is_one_only_when_the_chain_comes_to_it) {
  const bool resets = probe_kernel_features().futex_wait;  // the command is as new (6.7)
  auto server = make_server();
  for (const bool cut : {true, false}) {
    auto client = server.connect_client();
    const int fd = accept(server.fd.get(), 1);
    std::array<char, 8> memory{};
    const TimePoint deadline = cut ? now() : kNoDeadline;
    if (!cut) client.writes("go on");
    backend().submit(Linked{Timed{ReceiveInto{fd, memory.data(), 5}, deadline}}, 2);
    backend().submit(Close{fd, true}, 0);
    EXPECT_EQ(await_final(2).result, cut ? -ECANCELED : 5);
    turn();
    if (cut) backend().submit(Close{fd}, 0);
    turn();
    int why = 0;
    EXPECT_EQ(client.reads_exactly(1, &why), "");
    EXPECT_EQ(why, !cut && resets ? ECONNRESET : 0);
    seen().clear();
  }
}

TEST_F(UringSlotTest, accept_without_waiting_takes_no_slot_in_a_chain_either) {
  auto server = make_server();
  auto client = server.connect_client();
  backend().submit(Linked{Nop{}}, 1);
  backend().submit(Accept{server.fd.get(), false, false}, 2);
  const int fd = await_final(2).result;
  if (fd == -EINVAL) GTEST_SKIP() << "this kernel's accept can only wait (before 6.10)";
  ASSERT_GE(fd, 0);
  EXPECT_FALSE(made_by_backend(fd));
  EXPECT_GE(::fcntl(fd, F_GETFD), 0);
  backend().submit(Close{fd}, 0);
  turn();
}

class UringSingleAcceptTest : public BackendTest<SingleAcceptIoUring> {};

TEST_F(UringSingleAcceptTest, cancel_that_comes_too_late_for_one_connection_ends_the_accept) {
  auto server = make_server();
  for (CorrelationId id = 1; id <= 60; id += 3) {
    backend().submit(Accept{server.fd.get(), true}, id);
    turn();
    auto client = server.connect_client();
    // The connection is in the queue of completions, or just about to be.
    if (id % 2 == 0) backend().submit_and_wait(1, soon());
    backend().submit(Cancel{server.fd.get(), id}, id + 1);
    EXPECT_EQ(await_final(id).result, -ECANCELED);
    await_final(id + 1);
    auto late = server.connect_client();
    turn();
    for (const Completion& one : completions_of(id)) {
      if (one.result >= 0) backend().submit(Close{one.result}, 0);
    }
    // Nobody takes this one for the cancelled accept.
    backend().submit(Accept{server.fd.get()}, id + 2);
    const int taken = await_final(id + 2).result;
    EXPECT_GE(taken, 0);
    backend().submit(Close{taken}, 0);
    while (true) {
      backend().submit(Accept{server.fd.get(), false, false}, 1000 + id);
      const int rest = await_final(1000 + id).result;
      seen().clear();
      if (rest < 0) break;
      backend().submit(Close{rest}, 0);
    }
    const int flags = ::fcntl(server.fd.get(), F_GETFL);
    ASSERT_EQ(::fcntl(server.fd.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
  }
}

TEST_F(UringSingleAcceptTest, accept_goes_on_while_a_chain_is_put_together) {
  auto server = make_server();
  backend().submit(Accept{server.fd.get(), true}, 1);
  turn();
  auto pair = make_pair();
  backend().submit(Linked{Send{pair.ours.get(), "first", 5}}, 2);
  auto client = server.connect_client();
  await(1, 1);
  auto other_client = server.connect_client();
  await(1, 2);
  EXPECT_TRUE(completions_of(2).empty()) << "the chain's end is yet to come";
  backend().submit(Send{pair.ours.get(), "second", 6}, 3);
  EXPECT_EQ(await_final(3).result, 6);
  EXPECT_EQ(pair.peer.reads_exactly(11), "firstsecond");
  for (const Completion& taken : completions_of(1)) ::close(taken.result);
}

class UringZeroCopyTest : public BackendTest<ZeroCopyIoUring> {};

// While it lives the calling thread may pin only as much memory as the limit says.
class PinningLimit {
 public:
  PinningLimit() {
    ::syscall(SYS_capget, &header_, data_);
    auto without = std::to_array(data_);
    without[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
    EXPECT_EQ(::syscall(SYS_capset, &header_, without.data()), 0);
    EXPECT_EQ(::getrlimit(RLIMIT_MEMLOCK, &limit_), 0);
  }
  PinningLimit(const PinningLimit&) = delete;
  PinningLimit& operator=(const PinningLimit&) = delete;
  ~PinningLimit() {
    EXPECT_EQ(::setrlimit(RLIMIT_MEMLOCK, &limit_), 0);
    EXPECT_EQ(::syscall(SYS_capset, &header_, data_), 0);
  }

  void forbid_more() {
    const rlimit none{0, limit_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_MEMLOCK, &none), 0);
  }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data_[_LINUX_CAPABILITY_U32S_3]{};
  rlimit limit_{};
};

TEST_F(UringZeroCopyTest, send_is_copied_when_no_more_memory_may_be_pinned) {
  PinningLimit limit;
  // A ring remembers whether its maker was above the limit, and may count itself.
  remake({.submission_entries = 8, .completion_entries = 16});
  limit.forbid_more();
  auto pair = make_pair();
  const std::string bytes = patterned(20'000);
  backend().submit(SendZeroCopy{pair.ours.get(), bytes.data(), 20'000}, 1);
  EXPECT_EQ(await_final(1).result, 20'000);
  EXPECT_EQ(pair.peer.reads_exactly(bytes.size()), bytes);
}

// The operation behind the refused one completes before the kernel is done with that, and whoever
// is told of it cancels the send.
TEST_F(UringZeroCopyTest, cancel_between_the_refusal_and_the_copy_ends_the_send) {
  struct Canceller {
    void complete(const Completion& completion) noexcept {
      if (completion.corr_id == 2) backend->submit(Cancel{fd, 1}, 3);
      recorder.complete(completion);
    }

    ZeroCopyIoUring* backend;
    int fd;
    Recorder recorder;
  };
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  auto ours = own(pair[0]);
  auto theirs = own(pair[1]);
  Canceller canceller{&backend(), ours.get(), {}};
  backend().submit(SendZeroCopy{ours.get(), "hello", 5}, 1);
  backend().submit(Nop{}, 2);
  const TimePoint give_up = soon();
  while (canceller.recorder.seen.size() < 3 && now() < give_up) {
    backend().submit_and_wait(1, give_up);
    backend().drain(canceller);
  }
  EXPECT_EQ(canceller.recorder.seen.size(), 3U);
  for (const Completion& completion : canceller.recorder.seen) {
    EXPECT_FALSE(completion.more);
    if (completion.corr_id != 1) continue;
    EXPECT_EQ(completion.result, -ECANCELED);
  }
  char byte = 0;
  EXPECT_EQ(::recv(theirs.get(), &byte, 1, MSG_DONTWAIT), -1);
}

TEST_F(UringZeroCopyTest, socket_that_cannot_do_without_a_copy_gets_one) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  auto ours = own(pair[0]);
  auto theirs = own(pair[1]);
  backend().submit(SendZeroCopy{ours.get(), "hello", 5}, 1);
  EXPECT_EQ(await_final(1).result, 5);
  backend().submit(Timed{SendZeroCopy{ours.get(), "timed", 5}, soon()}, 2);
  EXPECT_EQ(await_final(2).result, 5);
  backend().submit(Linked{SendZeroCopy{ours.get(), "linked", 6}}, 3);
  backend().submit(Nop{}, 4);
  EXPECT_EQ(await_final(4).result, 0);
  std::array<char, 32> memory{};
  EXPECT_EQ(::recv(theirs.get(), memory.data(), memory.size(), MSG_DONTWAIT), 16);
  EXPECT_EQ(std::string(memory.data(), 16), "hellotimedlinked");
  EXPECT_EQ(seen().size(), 4U);
}

TEST_F(UringZeroCopyTest, blocked_send_without_a_copy_ends_at_its_deadline) {
  auto pair = make_pair(16 * 1024);
  fill(pair.ours.get());
  backend().submit(Timed{SendZeroCopy{pair.ours.get(), "more", 4}, now()}, 1);
  EXPECT_FALSE(await_final(1).more);
  EXPECT_EQ(completions_of(1).front().result, -ECANCELED);
}

class UringRingTest : public BackendTest<BasicIoUring> {};

TEST_F(UringRingTest, chain_longer_than_the_ring_is_refused_and_what_follows_is_not) {
  remake({.submission_entries = 4});
  for (CorrelationId id = 1; id <= 5; ++id) backend().submit(Linked{Nop{}}, id);
  backend().submit(Nop{}, 6);
  backend().submit(Nop{}, 7);
  EXPECT_EQ(await_final(7).result, 0);
  for (CorrelationId id = 1; id <= 6; ++id) EXPECT_EQ(await_final(id).result, -EINVAL);
}

TEST_F(UringRingTest, chain_that_is_not_complete_does_not_keep_the_loop_awake) {
  backend().submit(Linked{Nop{}}, 1);
  // A single wait may be interrupted, as when the kernel clears up an earlier test's ring.
  bool lasted = false;
  for (int attempt = 0; attempt < 20 && !lasted; ++attempt) {
    const TimePoint deadline = now() + std::chrono::milliseconds(20);
    backend().submit_and_wait(1, deadline);
    lasted = now() >= deadline;
  }
  EXPECT_TRUE(lasted);
  backend().submit(Nop{}, 2);
  EXPECT_EQ(await_final(2).result, 0);
}

TEST_F(UringRingTest, deadlines_of_a_full_ring_and_of_the_backlog_all_end) {
  remake({.submission_entries = 8, .completion_entries = 16});
  auto pair = make_pair();
  std::array<char, 100> memory{};
  constexpr CorrelationId kOperations = 100;
  for (CorrelationId id = 1; id <= kOperations; ++id) {
    backend().submit(Timed{ReceiveInto{pair.ours.get(), &memory[id - 1], 1}, now()}, id);
  }
  for (CorrelationId id = 1; id <= kOperations; ++id) {
    EXPECT_EQ(await_final(id).result, -ECANCELED) << id;
  }
}

TEST_F(UringRingTest, close_with_reset_that_is_cut_leaves_the_socket_as_it_was) {
  auto pair = make_pair();
  std::array<char, 8> memory{};
  for (const bool last : {true, false}) {
    backend().submit(Linked{Timed{ReceiveInto{pair.ours.get(), memory.data(), 8}, now()}}, 1);
    if (last) {
      backend().submit(Close{pair.ours.get(), true}, 0);
    } else {
      backend().submit(Linked{Close{pair.ours.get(), true}}, 0);
      backend().submit(Nop{}, 2);
      EXPECT_EQ(await_final(2).result, -ECANCELED);
    }
    EXPECT_EQ(await_final(1).result, -ECANCELED);
    turn();
    linger option{};
    socklen_t size = sizeof option;
    ASSERT_EQ(::getsockopt(pair.ours.get(), SOL_SOCKET, SO_LINGER, &option, &size), 0);
    EXPECT_EQ(option.l_onoff, 0);
    seen().clear();
  }
}

TEST_F(UringRingTest, close_with_reset_that_a_chain_comes_to_is_a_reset) {
  for (const bool last : {true, false}) {
    auto pair = make_pair();
    backend().submit(Linked{Nop{}}, 1);
    if (last) {
      backend().submit(Close{pair.ours.release(), true}, 0);
    } else {
      backend().submit(Linked{Close{pair.ours.release(), true}}, 0);
      backend().submit(Nop{}, 2);
      EXPECT_EQ(await_final(2).result, 0);
    }
    EXPECT_EQ(await_final(1).result, 0);
    turn();
    int why = 0;
    EXPECT_EQ(pair.peer.reads_exactly(1, &why), "");
    EXPECT_EQ(why, ECONNRESET);
    seen().clear();
  }
}

TEST_F(UringRingTest, completion_ids_at_the_top_that_are_nobodys_are_handed_on) {
  backend().submit(Nop{}, ~CorrelationId{0});
  EXPECT_EQ(await_final(~CorrelationId{0}).result, 0);
}

// The queues are not even mapped in the child, so nothing that it does can reach them.
TEST_F(UringRingTest, forked_child_leaves_the_ring_to_its_parent) {
  auto pair = make_pair();
  backend().submit(Receive{pair.ours.get()}, 1);
  turn();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(7);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  pair.peer.writes("still here");
  EXPECT_EQ(await(1).result, 10);
  EXPECT_EQ(collect_bytes(), "still here");
}

TEST_F(UringRingTest, forked_child_that_touches_the_ring_stops) {
  testing::FLAGS_gtest_death_test_style = "fast";
  EXPECT_DEATH(
      {
        backend().submit(Nop{}, 1);
        backend().submit_and_wait(0, kNoDeadline);
      },
      "");
  backend().submit(Nop{}, 2);
  EXPECT_EQ(await_final(2).result, 0);
}

}  // namespace
}  // namespace weft::ksvc
