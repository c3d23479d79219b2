#include "weft/endpoint.hpp"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(EndpointText, comes_back_as_it_was_parsed) {
  for (const char* host : {"192.0.2.7", "0.0.0.0", "2001:db8::7", "::", "fe80::1%1"}) {
    auto endpoint = Endpoint::parse(host, 80);
    ASSERT_TRUE(endpoint) << host;
    EXPECT_EQ(endpoint->host(), host);
    EXPECT_EQ(endpoint->port(), 80);
    EXPECT_TRUE(*endpoint == *Endpoint::parse(endpoint->host(), endpoint->port()));
  }
}

TEST(EndpointText, sets_the_port_off_from_an_ipv6_address) {
  EXPECT_EQ(Endpoint::parse("192.0.2.7", 80)->to_string(), "192.0.2.7:80");
  EXPECT_EQ(Endpoint::parse("2001:db8::7", 80)->to_string(), "[2001:db8::7]:80");
  EXPECT_EQ(Endpoint().to_string(), "0.0.0.0:0");
}

TEST(EndpointText, that_is_no_address_is_an_invalid_argument) {
  for (const char* host : {"", "example.org", "[::1]", "fe80::1%", "fe80::1%no-such-interface"}) {
    EXPECT_EQ(Endpoint::parse(host, 80).error().code, ErrorCode::invalid_argument) << host;
  }
}

TEST(EndpointValue, is_made_of_bytes) {
  const Endpoint v4(Endpoint::Ipv4Bytes{127, 0, 0, 1}, 7);
  EXPECT_FALSE(v4.is_ipv6());
  EXPECT_EQ(v4.to_string(), "127.0.0.1:7");
  EXPECT_FALSE(v4 == Endpoint(Endpoint::Ipv4Bytes{127, 0, 0, 2}, 7));
  EXPECT_FALSE(v4 == Endpoint(Endpoint::Ipv4Bytes{127, 0, 0, 1}, 8));
  const Endpoint v6(Endpoint::Ipv6Bytes{0xFE, 0x80}, 7, 2);
  EXPECT_TRUE(v6.is_ipv6());
  EXPECT_EQ(v6.to_string(), "[fe80::%2]:7");
  EXPECT_FALSE(v6 == Endpoint(Endpoint::Ipv6Bytes{0xFE, 0x80}, 7, 3));
}

}  // namespace
}  // namespace weft
