// The network of a simulated world as its clients see it.
#include "ksvc/sim/sim_peer.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>

#include "sim_rig.hpp"

namespace weft::ksvc {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

TEST(SimPeer, is_refused_where_nobody_listens) {
  SimWorld world(1);
  SimPeer peer(world, 1);
  int told = -1;
  peer.on_connect = [&](int os_errno) { told = os_errno; };
  world.run_until(world.now() + milliseconds(1));
  EXPECT_EQ(told, ECONNREFUSED);
  EXPECT_FALSE(peer.connected());
}

TEST(SimPeer, gives_up_on_a_listener_that_takes_no_more) {
  SimRig rig;
  const int listener = rig.world.make_listener();
  rig.backend->submit(RefuseConnections{listener}, 0);
  SimPeer peer(rig.world, rig.world.port_of(listener));
  int told = -1;
  peer.on_connect = [&](int os_errno) { told = os_errno; };
  rig.world.run_until(rig.world.now() + milliseconds(10'000));
  EXPECT_EQ(told, -1) << "it tries again for a while";
  rig.world.run_until(rig.world.now() + minutes(10));
  EXPECT_EQ(told, ETIMEDOUT);
}

TEST(SimPeer, asks_again_while_the_backlog_is_full) {
  SimRig rig;
  const int listener = rig.world.make_listener(1);
  SimPeer first(rig.world, rig.world.port_of(listener));
  SimPeer second(rig.world, rig.world.port_of(listener));
  rig.world.run_until(rig.world.now() + milliseconds(10));
  EXPECT_NE(first.connected(), second.connected());
  rig.backend->submit(Accept{listener, true}, 1);
  rig.await(1, 2);
  EXPECT_TRUE(first.connected() && second.connected());
}

TEST(SimPeer, bytes_arrive_in_pieces_and_in_order) {
  SimRig rig;
  auto pair = rig.connect();
  std::string sent;
  for (int i = 0; i < 20'000; ++i) sent += std::to_string(i);
  std::string got;
  int pieces = 0;
  pair.peer->on_bytes = [&](std::string_view bytes) {
    got += bytes;
    ++pieces;
  };
  rig.backend->submit(Send{pair.fd, sent.data(), static_cast<std::uint32_t>(sent.size())}, 1);
  EXPECT_EQ(rig.await(1).result, static_cast<std::int32_t>(sent.size()));
  rig.world.run_until(rig.world.now() + milliseconds(10));
  EXPECT_EQ(got, sent);
  EXPECT_GT(pieces, 10);
}

TEST(SimPeer, sender_waits_for_a_peer_that_pauses) {
  SimRig rig;
  auto pair = rig.connect();
  const std::string sent(300'000, 'p');
  std::size_t got = 0;
  pair.peer->on_bytes = [&](std::string_view bytes) { got += bytes.size(); };
  pair.peer->pause();
  rig.backend->submit(Send{pair.fd, sent.data(), 300'000}, 1);
  rig.turn(milliseconds(500));
  EXPECT_TRUE(rig.seen.empty());
  EXPECT_EQ(got, 0U);
  pair.peer->resume();
  EXPECT_EQ(rig.await(1).result, 300'000);
}

TEST(SimPeer, finishing_waits_for_what_is_to_be_sent_and_leaves_the_other_way_open) {
  SimRig rig;
  auto pair = rig.connect();
  pair.peer->send(std::string(200'000, 'q'));
  pair.peer->finish();
  rig.backend->submit(Receive{pair.fd}, 1);
  std::size_t got = 0;
  while (rig.seen.empty() || rig.seen.back().more) {
    rig.turn();
    got += rig.take_bytes().size();
    if (!rig.seen.empty() && rig.seen.back().more) rig.seen.clear();
  }
  EXPECT_EQ(rig.seen.back().result, 0);
  EXPECT_EQ(got, 200'000U);
  rig.backend->submit(Send{pair.fd, "answer", 6}, 2);
  rig.await(2);
  rig.world.run_until(rig.world.now() + milliseconds(1));
  EXPECT_EQ(pair.peer->take(), "answer");
}

TEST(SimPeer, closing_with_unread_bytes_is_a_reset) {
  SimRig rig;
  auto pair = rig.connect();
  rig.backend->submit(Send{pair.fd, "unread", 6}, 1);
  rig.await(1);
  rig.world.run_until(rig.world.now() + milliseconds(1));
  pair.peer->close();
  rig.backend->submit(Receive{pair.fd}, 2);
  EXPECT_EQ(rig.await(2).result, -ECONNRESET);
  EXPECT_FALSE(pair.peer->faulted()) << "the world has done nothing";
}

TEST(SimPeer, what_comes_after_a_close_is_answered_with_a_reset) {
  SimRig rig;
  auto pair = rig.connect();
  pair.peer->close();
  rig.world.run_until(rig.world.now() + milliseconds(1));
  rig.backend->submit(SendNow{pair.fd, "late", 4}, 1);
  rig.turn(milliseconds(1));
  rig.backend->submit(Send{pair.fd, "later", 5}, 2);
  const std::int32_t result = rig.await(2).result;
  EXPECT_TRUE(result == -ECONNRESET || result == -EPIPE) << result;
}

}  // namespace
}  // namespace weft::ksvc
