#include "net/address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace weft::net {
namespace {

TEST(Address, ipv4_text_is_parsed_with_its_port) {
  auto address = parse_address("127.0.0.1", 8080);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family(), AF_INET);
  EXPECT_EQ(address->size, sizeof(sockaddr_in));
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(address->get());
  EXPECT_EQ(ntohs(v4->sin_port), 8080);
  EXPECT_EQ(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
}

TEST(Address, ipv6_text_is_parsed_with_its_port) {
  auto address = parse_address("::1", 443);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family(), AF_INET6);
  EXPECT_EQ(address->size, sizeof(sockaddr_in6));
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address->get());
  EXPECT_EQ(ntohs(v6->sin6_port), 443);
  EXPECT_TRUE(IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
}

TEST(Address, localhost_is_the_ipv4_loopback) {
  auto address = parse_address("localhost", 1);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family(), AF_INET);
}

TEST(Address, anything_else_is_an_invalid_argument) {
  for (const char* host :
       {"", "example.org", "127.0.0", "256.0.0.1", "1.2.3.4:80", "[::1]", ":::"}) {
    auto address = parse_address(host, 80);
    ASSERT_FALSE(address) << host;
    EXPECT_EQ(address.error().code, ErrorCode::invalid_argument) << host;
  }
}

}  // namespace
}  // namespace weft::net
