// The contract of IoBackend, asked of every implementation: submitting, waiting, connecting,
// cancelling. Receives and sends have files of their own beside this one.
#include <poll.h>

#include <map>
#include <set>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

// Whether a thread of the kernel's takes what is submitted: it may have answered an entry before it
// says that it has taken it.
template <class Backend>
constexpr bool kTakesByThread = false;
template <UringOptions options>
constexpr bool kTakesByThread<CompositeIoUring<options>> = options.sqpoll;

template <class Backend>
class IoBackendTest : public BackendTest<Backend> {};
TYPED_TEST_SUITE(IoBackendTest, EveryBackend, BackendNames);

TYPED_TEST(IoBackendTest, nop_completes_with_zero_and_its_corr_id) {
  this->backend().submit(Nop{}, 7);
  const Completion completion = this->await_final(7);
  EXPECT_EQ(completion.result, 0);
  EXPECT_FALSE(completion.lease);
  EXPECT_EQ(this->seen().size(), 1U);
}

TYPED_TEST(IoBackendTest, corr_id_zero_is_never_delivered) {
  this->backend().submit(Nop{}, 0);
  this->backend().submit(Cancel{0, 12345}, 0);
  this->backend().submit(Nop{}, 5);
  this->await_final(5);
  this->turn();
  ASSERT_EQ(this->seen().size(), 1U);
  EXPECT_EQ(this->seen().front().corr_id, 5U);
}

// Else a server that accepts in every turn would never have a settled one.
TYPED_TEST(IoBackendTest, what_a_sink_submits_does_not_unsettle_the_turn_before) {
  struct Resubmitter {
    TypeParam& backend;
    int left = 3;
    void complete(const Completion&) noexcept {
      if (left-- > 0) backend.submit(Nop{}, 2);
    }
  };
  Resubmitter sink{this->backend()};
  this->backend().submit(Nop{}, 1);
  for (int turns = 0; turns < 3; ++turns) {
    this->backend().submit_and_wait(1, this->soon());
    EXPECT_EQ(this->backend().drain(sink), 1U);
    if constexpr (!kTakesByThread<TypeParam>) {
      EXPECT_TRUE(this->backend().settled());
    }
  }
}

TYPED_TEST(IoBackendTest, settled_is_true_once_everything_is_taken_and_drained) {
  EXPECT_TRUE(this->backend().settled());
  this->backend().submit(Nop{}, 1);
  this->backend().submit_and_wait(1, this->soon());
  EXPECT_FALSE(this->backend().settled());
  Recorder recorder;
  this->backend().drain(recorder);
  if constexpr (kTakesByThread<TypeParam>) {
    EXPECT_TRUE(this->turn_until_settled());
  }
  EXPECT_TRUE(this->backend().settled());
}

TYPED_TEST(IoBackendTest, wait_returns_with_at_least_as_many_completions_as_asked_for) {
  for (CorrelationId id = 1; id <= 100; ++id) this->backend().submit(Nop{}, id);
  this->backend().submit_and_wait(100, this->soon());
  Recorder recorder;
  EXPECT_EQ(this->backend().drain(recorder), 100U);
  EXPECT_EQ(recorder.seen.size(), 100U);
}

TYPED_TEST(IoBackendTest, wait_with_nothing_to_come_ends_at_the_deadline_and_not_before) {
  // Interruptions may end a wait early, and the kernel's clearing up of a ring that another test
  // has destroyed is one. They do not come time after time.
  bool lasted = false;
  for (int attempt = 0; attempt < 20 && !lasted; ++attempt) {
    const TimePoint deadline = this->now() + std::chrono::milliseconds(20);
    this->backend().submit_and_wait(1, deadline);
    lasted = this->now() >= deadline;
    Recorder recorder;
    EXPECT_EQ(this->backend().drain(recorder), 0U);
  }
  EXPECT_TRUE(lasted);
}

TYPED_TEST(IoBackendTest, wait_with_a_deadline_that_is_past_still_submits) {
  this->backend().submit(Nop{}, 1);
  this->backend().submit_and_wait(5, TimePoint{1});
  // Nothing more is submitted, though a kernel thread may still have to look.
  Recorder recorder;
  const TimePoint give_up = this->soon();
  while (recorder.seen.empty() && this->now() < give_up) this->backend().drain(recorder);
  EXPECT_EQ(recorder.seen.size(), 1U);
}

TYPED_TEST(IoBackendTest, sink_may_submit_while_it_is_drained) {
  struct Chain {
    void complete(const Completion& completion) noexcept {
      last = completion.corr_id;
      if (last < 50) backend.submit(Nop{}, last + 1);
    }
    TypeParam& backend;
    CorrelationId last = 0;
  };
  this->remake({.submission_entries = 8, .completion_entries = 16});
  Chain chain{this->backend()};
  this->backend().submit(Nop{}, 1);
  for (int turns = 0; turns < 100 && chain.last < 50; ++turns) {
    this->backend().submit_and_wait(1, this->soon());
    this->backend().drain(chain);
  }
  EXPECT_EQ(chain.last, 50U);
}

TYPED_TEST(IoBackendTest, single_accept_takes_one_connection_and_ends) {
  auto server = this->make_server();
  this->backend().submit(Accept{server.fd.get()}, 1);
  auto first = server.connect_client();
  auto second = server.connect_client();
  const Completion taken = this->await(1);
  auto accepted = this->own(taken.result);
  ASSERT_GE(taken.result, 0);
  EXPECT_FALSE(taken.more);
  if (TestFixture::Net::kIsTheSystems && !made_by_backend(taken.result)) {
    EXPECT_NE(::fcntl(taken.result, F_GETFD) & FD_CLOEXEC, 0);
  }

  this->backend().submit(Accept{server.fd.get()}, 2);
  auto accepted_second = this->own(this->await_final(2).result);
  EXPECT_GE(accepted_second.get(), 0);
  EXPECT_EQ(this->seen().size(), 2U);
}

TYPED_TEST(IoBackendTest, multishot_accept_takes_every_connection) {
  auto server = this->make_server();
  this->backend().submit(Accept{server.fd.get(), true}, 1);
  typename TestFixture::PeerList clients;
  typename TestFixture::FdList accepted;
  for (std::size_t round = 1; round <= 3; ++round) {
    for (int i = 0; i < 5; ++i) clients.push_back(server.connect_client());
    this->await(1, round * 5);
  }
  EXPECT_EQ(this->seen().size(), 15U);
  for (const Completion& completion : this->seen()) {
    EXPECT_TRUE(completion.more);
    EXPECT_GE(completion.result, 0);
    accepted.push_back(this->own(completion.result));
  }
}

TYPED_TEST(IoBackendTest, connect_reaches_a_listener) {
  auto server = this->make_server();
  auto client = this->make_socket();
  this->backend().submit(server.connect_from(client), 1);
  EXPECT_EQ(this->await_final(1).result, 0);
  auto accepted = this->own(this->network().accept(server.fd.get()));
  EXPECT_GE(accepted.get(), 0);
}

TYPED_TEST(IoBackendTest, connect_to_a_port_where_nobody_listens_is_refused) {
  auto closed = this->make_server(false);
  auto client = this->make_socket();
  this->backend().submit(closed.connect_from(client), 1);
  EXPECT_EQ(this->await_final(1).result, -ECONNREFUSED);
}

TYPED_TEST(IoBackendTest, poll_stays_armed) {
  auto event = this->make_event();
  this->backend().submit(PollReadable{event.get()}, 1);
  this->turn();
  EXPECT_TRUE(this->seen().empty());
  for (std::size_t times = 1; times <= 5; ++times) {
    this->network().signal(event.get());
    const Completion completion = this->await(1, times);
    EXPECT_TRUE(completion.more);
    EXPECT_NE(completion.result & POLLIN, 0);
    this->network().clear(event.get());
    this->turn();
    EXPECT_EQ(this->seen().size(), times);
  }
}

TYPED_TEST(IoBackendTest, poll_armed_again_is_silent_while_there_is_nothing_to_read) {
  auto event = this->make_event();
  this->backend().submit(PollReadable{event.get()}, 1);
  this->backend().submit(Cancel{event.get(), 1}, 2);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
  this->backend().submit(PollReadable{event.get()}, 3);
  this->turn();
  this->turn();
  EXPECT_TRUE(this->completions_of(3).empty());
  this->network().signal(event.get());
  EXPECT_NE(this->await(3).result & POLLIN, 0);
}

TYPED_TEST(IoBackendTest, poll_armed_on_what_is_readable_already_completes) {
  auto event = this->make_event();
  this->network().signal(event.get());
  this->backend().submit(PollReadable{event.get()}, 1);
  this->await(1);
  this->backend().submit(Cancel{event.get(), 1}, 2);
  this->await_final(1);
  this->backend().submit(PollReadable{event.get()}, 3);
  EXPECT_NE(this->await(3).result & POLLIN, 0);
}

TYPED_TEST(IoBackendTest, cancelled_operation_ends_with_ecanceled_and_the_cancel_with_zero) {
  auto server = this->make_server();
  auto leased = this->make_pair();
  auto plain = this->make_pair();
  char memory[16];
  this->backend().submit(Accept{server.fd.get()}, 1);
  this->backend().submit(Receive{leased.ours.get()}, 2);
  this->backend().submit(ReceiveInto{plain.ours.get(), memory, sizeof memory}, 3);
  this->turn();
  this->backend().submit(Cancel{server.fd.get(), 1}, 11);
  this->backend().submit(Cancel{leased.ours.get(), 2}, 12);
  this->backend().submit(Cancel{plain.ours.get(), 3}, 13);
  for (const CorrelationId target : {1, 2, 3}) {
    const Completion completion = this->await_final(target);
    EXPECT_EQ(completion.result, -ECANCELED) << target;
    EXPECT_FALSE(completion.lease) << target;
    EXPECT_EQ(this->await_final(target + 10).result, 0) << target;
  }
  EXPECT_EQ(this->seen().size(), 6U);
}

TYPED_TEST(IoBackendTest, multishot_accept_can_be_cancelled_and_armed_again) {
  auto server = this->make_server();
  this->backend().submit(Accept{server.fd.get(), true}, 1);
  auto first_client = server.connect_client();
  auto first = this->own(this->await(1).result);
  this->backend().submit(Cancel{server.fd.get(), 1}, 2);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
  auto second_client = server.connect_client();
  this->turn();
  EXPECT_EQ(this->completions_of(1).size(), 2U);
  this->backend().submit(Accept{server.fd.get(), true}, 3);
  auto second = this->own(this->await(3).result);
  EXPECT_GE(second.get(), 0);
}

TYPED_TEST(IoBackendTest, cancel_of_what_is_not_in_flight_is_enoent) {
  auto pair = this->make_pair();
  this->backend().submit(Cancel{pair.ours.get(), 999}, 1);
  EXPECT_EQ(this->await_final(1).result, -ENOENT);
  this->backend().submit(Receive{pair.ours.get()}, 2);
  this->backend().submit(Cancel{pair.ours.get(), 999}, 3);
  EXPECT_EQ(this->await_final(3).result, -ENOENT);
  EXPECT_TRUE(this->completions_of(2).empty());
}

// The same id may be used again at once: a late cancel must not reach the new operation.
TYPED_TEST(IoBackendTest, cancel_reaches_only_what_was_submitted_before_it) {
  auto pair = this->make_pair();
  char memory[16];
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  this->backend().submit(ReceiveInto{pair.ours.get(), memory, sizeof memory}, 1);
  EXPECT_EQ(this->await_final(2).result, -ENOENT);
  pair.peer.writes("here");
  EXPECT_EQ(this->await_final(1).result, 4);
}

TYPED_TEST(IoBackendTest, close_closes_without_a_completion) {
  auto pair = this->make_pair();
  this->backend().submit(Close{pair.ours.release()}, 9);
  this->turn();
  EXPECT_EQ(pair.peer.reads_exactly(1), "");
  EXPECT_TRUE(this->turn_until_settled());
  EXPECT_TRUE(this->seen().empty());
}

TYPED_TEST(IoBackendTest, descriptor_may_be_closed_over_what_nobody_waits_for) {
  auto event = this->make_event();
  this->backend().submit(PollReadable{event.get()}, 0);
  this->turn();
  this->backend().submit(Close{event.release()}, 0);
  this->turn();
  this->backend().submit(Nop{}, 1);
  EXPECT_EQ(this->await_final(1).result, 0);
  EXPECT_EQ(this->seen().size(), 1U);
}

TYPED_TEST(IoBackendTest, descriptor_number_works_again_after_a_close) {
  for (CorrelationId id = 1; id <= 20; ++id) {
    auto pair = this->make_pair();
    char memory[16];
    this->backend().submit(ReceiveInto{pair.ours.get(), memory, sizeof memory}, id);
    this->turn();
    pair.peer.writes("hello");
    EXPECT_EQ(this->await_final(id).result, 5);
    this->backend().submit(Close{pair.ours.release()}, 0);
    this->turn();
  }
}

TYPED_TEST(IoBackendTest, bad_descriptors_fail_as_completions) {
  char memory[16];
  for (const int fd : {-1, 99'999}) {
    this->backend().submit(Accept{fd}, 1);
    this->backend().submit(Receive{fd}, 2);
    this->backend().submit(ReceiveInto{fd, memory, sizeof memory}, 3);
    this->backend().submit(Send{fd, memory, sizeof memory}, 4);
    this->backend().submit(SendNow{fd, memory, sizeof memory}, 5);
    this->backend().submit(PollReadable{fd}, 6);
    const sockaddr_in address = loopback(1);
    this->backend().submit(Connect{fd, reinterpret_cast<const sockaddr*>(&address), sizeof address},
                           7);
    for (CorrelationId id = 1; id <= 7; ++id) {
      const Completion completion = this->await_final(id);
      EXPECT_EQ(completion.result, -EBADF) << "operation " << id << " on " << fd;
      EXPECT_FALSE(completion.more);
    }
    this->seen().clear();
  }
}

TYPED_TEST(IoBackendTest, more_operations_than_entries_lose_no_completion) {
  this->remake({.submission_entries = 8, .completion_entries = 16});
  constexpr CorrelationId kOperations = 1000;
  for (CorrelationId id = 1; id <= kOperations; ++id) this->backend().submit(Nop{}, id);
  EXPECT_TRUE(this->turn_until([&] { return this->seen().size() >= kOperations; }));
  this->turn();
  std::set<CorrelationId> ids;
  for (const Completion& completion : this->seen()) ids.insert(completion.corr_id);
  EXPECT_EQ(ids.size(), kOperations);
  EXPECT_EQ(this->seen().size(), kOperations);
  EXPECT_TRUE(this->turn_until_settled());
}

// Every connection is made, greeted and answered through rings that hold a handful of entries, so
// multishot operations are cut short again and again.
TYPED_TEST(IoBackendTest, hundreds_of_connections_go_through_tiny_rings) {
  this->remake({.submission_entries = 8, .completion_entries = 16});
  constexpr std::size_t kConnections = 300;
  constexpr CorrelationId kAccept = 1;
  constexpr CorrelationId kClient = 10'000;
  constexpr CorrelationId kServed = 20'000;
  auto server = this->make_server();
  typename TestFixture::FdList clients;
  typename TestFixture::FdList served;
  this->backend().submit(Accept{server.fd.get(), true}, kAccept);
  for (std::size_t i = 0; i < kConnections; ++i) {
    clients.push_back(this->make_socket());
    this->backend().submit(server.connect_from(clients[i]), kClient + i);
  }
  std::map<CorrelationId, std::string> heard;
  std::size_t complete = 0;
  const auto handle = [&](Completion completion) {
    if (completion.corr_id == kAccept) {
      ASSERT_GE(completion.result, 0);
      served.push_back(this->own(completion.result));
      this->backend().submit(Receive{completion.result}, kServed + served.size() - 1);
      if (!completion.more) this->backend().submit(Accept{server.fd.get(), true}, kAccept);
    } else if (completion.corr_id < kServed) {
      ASSERT_EQ(completion.result, 0);
      const int fd = clients[completion.corr_id - kClient].get();
      this->backend().submit(SendNow{fd, "hello", 5}, 0);
    } else {
      ASSERT_TRUE(completion.result > 0 || completion.result == -ENOBUFS) << completion.result;
      if (completion.lease) {
        heard[completion.corr_id].append(completion.lease.data, completion.lease.size);
        this->backend().buffers().release(completion.lease);
        if (heard[completion.corr_id] == "hello") ++complete;
      }
      if (!completion.more) {
        this->backend().submit(Receive{served[completion.corr_id - kServed].get()},
                               completion.corr_id);
      }
    }
  };
  EXPECT_TRUE(this->turn_until([&] {
    for (const Completion& completion : std::exchange(this->seen(), {})) handle(completion);
    return complete == kConnections || this->HasFatalFailure();
  }));
  EXPECT_EQ(served.size(), kConnections);
  EXPECT_EQ(complete, kConnections);
  EXPECT_EQ(this->backend().buffers().lent(), 0U);
}

}  // namespace
}  // namespace weft::ksvc
