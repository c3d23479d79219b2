// ConnectionCount: who is one client, and that what is let in is let go.

#include "http/connection_count.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weft::http {

namespace {

ClientAddress client(const std::string& host) {
  return client_address(*Endpoint::parse(host, 1234));
}

}  // namespace

TEST(ClientAddresses, an_ipv4_address_is_one_client_whatever_its_port) {
  EXPECT_EQ(client_address(*Endpoint::parse("192.0.2.7", 1)),
            client_address(*Endpoint::parse("192.0.2.7", 2)));
  EXPECT_NE(client("192.0.2.7"), client("192.0.2.8"));
  EXPECT_NE(client("192.0.2.7"), client("7.2.0.192"));
}

TEST(ClientAddresses, an_ipv6_client_is_a_64) {
  EXPECT_EQ(client("2001:db8::7"), client("2001:db8::ffff:1:2:3"));
  EXPECT_NE(client("2001:db8::7"), client("2001:db8:0:1::7"));
  EXPECT_NE(client("2001:db8::7"), client("2001:db9::7"));
}

TEST(ClientAddresses, an_ipv4_client_of_an_ipv6_socket_is_the_same_client) {
  EXPECT_EQ(client("::ffff:192.0.2.7"), client("192.0.2.7"));
  EXPECT_NE(client("::ffff:192.0.2.7"), client("::ffff:192.0.2.8"));
  EXPECT_NE(client("::fffe:192.0.2.7"), client("192.0.2.7"));
}

TEST(ClientAddresses, what_is_no_tcp_socket_has_none) {
  EXPECT_FALSE(client_address_of(-1));
  EXPECT_FALSE(client_address_of(0x4000'0001));
}

TEST(ConnectionCounts, no_more_than_most_are_let_in_at_once) {
  ConnectionCount count;
  EXPECT_TRUE(count.let_in(2));
  EXPECT_TRUE(count.let_in(2));
  EXPECT_FALSE(count.let_in(2));
  EXPECT_EQ(count.total(), 2U);
  count.let_go();
  EXPECT_TRUE(count.let_in(2));
  EXPECT_TRUE(count.let_in(0));  // no bound
  EXPECT_EQ(count.total(), 3U);
}

TEST(ConnectionCounts, each_client_has_its_own_and_is_forgotten_with_the_last) {
  ConnectionCount count;
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(count.let_in_from(client("192.0.2.7"), 2));
    EXPECT_TRUE(count.let_in_from(client("192.0.2.7"), 2));
    EXPECT_FALSE(count.let_in_from(client("192.0.2.7"), 2));
    EXPECT_TRUE(count.let_in_from(client("192.0.2.8"), 2));
    EXPECT_EQ(count.addresses(), 2U);
    count.let_go_from(client("192.0.2.7"));
    EXPECT_TRUE(count.let_in_from(client("192.0.2.7"), 2));
    count.let_go_from(client("192.0.2.8"));
    count.let_go_from(client("192.0.2.7"));
    count.let_go_from(client("192.0.2.7"));
    EXPECT_EQ(count.addresses(), 0U);
  }
}

TEST(ConnectionCounts, a_hundred_thousand_clients_are_told_apart) {
  ConnectionCount count;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(count.let_in_from(ClientAddress{i << 16}, 1));
    ASSERT_FALSE(count.let_in_from(ClientAddress{i << 16}, 1));
  }
  EXPECT_EQ(count.addresses(), 100'000U);
}

TEST(ConnectionCounts, workers_never_exceed_it_together) {
  constexpr std::size_t kMost = 3;
  ConnectionCount count;
  std::atomic<std::size_t> in{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int n = 0; n < 5'000; ++n) {
        if (!count.let_in_from(ClientAddress{7}, kMost)) continue;
        if (in.fetch_add(1) >= kMost) exceeded = true;
        in.fetch_sub(1);
        count.let_go_from(ClientAddress{7});
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(count.addresses(), 0U);
}

}  // namespace weft::http
