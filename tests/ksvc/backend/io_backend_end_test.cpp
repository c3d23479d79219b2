// The contract of how things end: shutting down, closing with a reset, taking what has already been
// accepted, refusing the rest.
#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

template <class Backend>
class IoBackendEndTest : public BackendTest<Backend> {};
TYPED_TEST_SUITE(IoBackendEndTest, EveryBackend, BackendNames);

TYPED_TEST(IoBackendEndTest, shutdown_of_reading_ends_a_receive_that_is_armed) {
  for (const int how : {SHUT_RD, SHUT_RDWR}) {
    auto pair = this->make_pair();
    this->backend().submit(Receive{pair.ours.get()}, 1);
    this->turn();
    this->backend().submit(Shutdown{pair.ours.get(), how}, 2);
    const Completion completion = this->await_final(1);
    EXPECT_EQ(completion.result, 0);
    EXPECT_FALSE(completion.lease);
    EXPECT_EQ(this->await_final(2).result, 0);
    EXPECT_EQ(this->seen().size(), 2U);
    this->seen().clear();
    this->backend().submit(Close{pair.ours.release()}, 0);
    this->turn();
  }
}

TYPED_TEST(IoBackendEndTest, shutdown_of_writing_is_an_end_for_the_peer_and_for_nobody_else) {
  auto pair = this->make_pair();
  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->backend().submit(Send{pair.ours.get(), "last", 4}, 2);
  EXPECT_EQ(this->await_final(2).result, 4);
  this->backend().submit(Shutdown{pair.ours.get(), SHUT_WR}, 3);
  EXPECT_EQ(this->await_final(3).result, 0);
  EXPECT_EQ(pair.peer.reads_exactly(5), "last");
  pair.peer.writes("still listening");
  EXPECT_EQ(this->await(1).result, 15);
  EXPECT_EQ(this->collect_bytes(), "still listening");
}

TYPED_TEST(IoBackendEndTest, shutdown_ends_a_send_that_waits_for_room) {
  auto pair = this->make_pair(16 * 1024);
  this->fill(pair.ours.get());
  this->backend().submit(Send{pair.ours.get(), "more", 4}, 1);
  this->turn();
  EXPECT_TRUE(this->seen().empty());
  this->backend().submit(Shutdown{pair.ours.get(), SHUT_WR}, 2);
  EXPECT_EQ(this->await_final(1).result, -EPIPE);
  EXPECT_EQ(this->await_final(2).result, 0);
}

TYPED_TEST(IoBackendEndTest, send_after_a_shutdown_fails_without_a_signal) {
  auto pair = this->make_pair();
  this->backend().submit(Shutdown{pair.ours.get(), SHUT_WR}, 0);
  this->backend().submit(Send{pair.ours.get(), "late", 4}, 1);
  EXPECT_EQ(this->await_final(1).result, -EPIPE);
  EXPECT_EQ(this->seen().size(), 1U);
}

TYPED_TEST(IoBackendEndTest, shutdown_of_what_is_not_connected_is_told) {
  auto socket = this->make_socket();
  this->backend().submit(Shutdown{socket.get(), SHUT_RDWR}, 1);
  EXPECT_EQ(this->await_final(1).result, -ENOTCONN);
  this->backend().submit(Shutdown{-1, SHUT_RDWR}, 2);
  EXPECT_EQ(this->await_final(2).result, -EBADF);
}

TYPED_TEST(IoBackendEndTest, close_with_reset_is_a_reset_for_the_peer) {
  auto pair = this->make_pair();
  this->backend().submit(Close{pair.ours.release(), true}, 9);
  this->turn();
  int why = 0;
  EXPECT_EQ(pair.peer.reads_exactly(1, &why), "");
  EXPECT_EQ(why, ECONNRESET);
  this->turn();
  EXPECT_TRUE(this->seen().empty());
}

TYPED_TEST(IoBackendEndTest, close_with_reset_does_not_wait_for_what_was_not_sent) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = this->fill(pair.ours.get());
  this->backend().submit(Close{pair.ours.release(), true}, 0);
  this->turn();
  int why = 0;
  EXPECT_LE(pair.peer.reads_exactly(sent.size() + 1, &why).size(), sent.size());
  EXPECT_EQ(why, ECONNRESET);
}

TYPED_TEST(IoBackendEndTest, close_without_reset_delivers_what_was_not_sent) {
  auto pair = this->make_pair(16 * 1024);
  const std::string sent = this->fill(pair.ours.get());
  this->backend().submit(Close{pair.ours.release()}, 0);
  this->turn();
  int why = -1;
  EXPECT_TRUE(pair.peer.reads_exactly(sent.size() + 1, &why) == sent);
  EXPECT_EQ(why, 0);
}

TYPED_TEST(IoBackendEndTest, accept_without_waiting_takes_what_is_there_and_then_says_so) {
  auto server = this->make_server();
  typename TestFixture::PeerList clients;
  for (int i = 0; i < 3; ++i) clients.push_back(server.connect_client());
  for (CorrelationId id = 1; id <= 3; ++id) {
    this->backend().submit(Accept{.fd = server.fd.get(), .wait = false}, id);
    const Completion completion = this->await_final(id);
    ASSERT_GE(completion.result, 0);
    auto accepted = this->own(completion.result);
    this->backend().submit(Send{accepted.get(), "welcome", 7}, 10);
    EXPECT_EQ(this->await_final(10).result, 7);
    EXPECT_EQ(clients[id - 1].reads_exactly(7), "welcome");
    this->backend().submit(Close{accepted.release()}, 0);
    this->seen().clear();
  }
  this->backend().submit(Accept{.fd = server.fd.get(), .wait = false}, 4);
  EXPECT_EQ(this->await_final(4).result, -EAGAIN);
  EXPECT_EQ(this->seen().size(), 1U);
}

TYPED_TEST(IoBackendEndTest, accept_without_waiting_after_a_cancelled_accept_loses_nobody) {
  auto server = this->make_server();
  this->backend().submit(Accept{server.fd.get(), true}, 1);
  this->turn();
  typename TestFixture::PeerList clients;
  for (int i = 0; i < 4; ++i) clients.push_back(server.connect_client());
  this->backend().submit(Cancel{server.fd.get(), 1}, 2);
  typename TestFixture::FdList accepted;
  this->await_final(1);
  for (const Completion& completion : this->completions_of(1)) {
    if (completion.result >= 0) accepted.push_back(this->own(completion.result));
  }
  for (CorrelationId id = 3;; ++id) {
    ASSERT_LT(id, 10U);
    this->backend().submit(Accept{.fd = server.fd.get(), .wait = false}, id);
    const std::int32_t result = this->await_final(id).result;
    if (result == -EAGAIN) break;
    ASSERT_GE(result, 0);
    accepted.push_back(this->own(result));
  }
  EXPECT_EQ(accepted.size(), 4U);
}

TYPED_TEST(IoBackendEndTest, listener_that_refuses_still_gives_what_it_has_made) {
  auto server = this->make_server();
  auto before = server.connect_client();
  this->backend().submit(RefuseConnections{server.fd.get()}, 1);
  this->turn();
  typename TestFixture::PeerList late;
  late.emplace_back(this->network(), this->network().begin_connect(server.address));
  this->backend().submit(Accept{.fd = server.fd.get(), .wait = false}, 2);
  auto accepted = this->own(this->await_final(2).result);
  EXPECT_GE(accepted.get(), 0);
  this->backend().submit(Accept{.fd = server.fd.get(), .wait = false}, 3);
  EXPECT_EQ(this->await_final(3).result, -EAGAIN);
  EXPECT_FALSE(late.front().connected());
  EXPECT_TRUE(this->completions_of(1).empty()) << "it has no completion";
}

TYPED_TEST(IoBackendEndTest, handshake_under_way_survives_a_refusal) {
  auto server = this->make_server();
  this->backend().submit(Accept{server.fd.get(), true}, 1);
  auto client = server.connect_client();
  this->backend().submit(RefuseConnections{server.fd.get()}, 0);
  auto accepted = this->own(this->await(1).result);
  ASSERT_GE(accepted.get(), 0);
  client.writes("hello");
  char memory[16];
  this->backend().submit(ReceiveInto{accepted.get(), memory, sizeof memory}, 2);
  EXPECT_EQ(this->await_final(2).result, 5);
}

}  // namespace
}  // namespace weft::ksvc
