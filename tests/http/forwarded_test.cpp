// Who the client is, by the fields that proxies write: vectors, and properties of random ones.

#include "http/forwarded.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "support/seeds.hpp"

namespace weft::http::test {

namespace {

TrustedProxies trusted(const char* list) {
  auto parsed = TrustedProxies::parse(list);
  const auto* refusal = std::get_if<std::string>(&parsed);
  EXPECT_EQ(refusal, nullptr) << *refusal;
  return std::get<TrustedProxies>(std::move(parsed));
}

weft::Endpoint address(const std::string& text, std::uint16_t port = 0) {
  return weft::Endpoint::parse(text, port).value();
}

// "ADDRESS SCHEME HOST" of a request with these lines from a peer.
std::string client_of(const std::string& lines, ProxyFields fields, const TrustedProxies& proxies,
                      const std::optional<weft::Endpoint>& peer = address("10.0.0.1", 4000)) {
  const std::string text = "GET / HTTP/1.1\r\nHost: own.example\r\n" + lines + "\r\n";
  const Limits limits;
  HeadParser parser(limits);
  if (parser.advance(text) != ParseState::complete) return "(no head)";
  const Forwarded client = find_client(HeadView(parser.head(), text.data()), peer, proxies, fields);
  return (client.address ? client.address->to_string() : "nobody") + " " +
         std::string(client.scheme) + " " + std::string(client.host);
}

struct Vector {
  const char* lines;
  const char* client;
};

}  // namespace

TEST(TrustedProxiesTest, hold_addresses_networks_and_names) {
  const TrustedProxies proxies =
      trusted("192.0.2.1, 10.0.0.0/8,172.16.0.0/12 , 2001:db8::/33,fd00::1, 198.51.100.128/25,");
  for (const char* in : {"192.0.2.1", "10.255.0.1", "172.16.0.1", "172.31.255.255", "2001:db8::1",
                         "2001:db8:7fff::1", "fd00::1", "198.51.100.128", "198.51.100.255"}) {
    EXPECT_TRUE(proxies.trust(address(in))) << in;
  }
  for (const char* out : {"192.0.2.2", "11.0.0.1", "9.255.255.255", "172.32.0.1", "172.15.0.1",
                          "2001:db8:8000::1", "fd00::2", "198.51.100.127", "::1", "::"}) {
    EXPECT_FALSE(proxies.trust(address(out))) << out;
  }
  EXPECT_FALSE(proxies.trust_unix());
  EXPECT_TRUE(trusted("").empty());
  EXPECT_TRUE(trusted("unix").trust_unix());
  EXPECT_FALSE(trusted("unix").empty());
  const TrustedProxies named = trusted("loopback,private");
  for (const char* in : {"127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "172.20.0.1", "192.168.1.1",
                         "fc00::1", "fdff::1"}) {
    EXPECT_TRUE(named.trust(address(in))) << in;
  }
  for (const char* out : {"128.0.0.1", "::2", "192.169.0.1", "fe80::1", "169.254.0.1"}) {
    EXPECT_FALSE(named.trust(address(out))) << out;
  }
  EXPECT_TRUE(trusted("0.0.0.0/0").trust(address("8.8.8.8")));
  EXPECT_FALSE(trusted("0.0.0.0/0").trust(address("2001:db8::1")));
  EXPECT_TRUE(trusted("::/0").trust(address("8.8.8.8")));
}

TEST(TrustedProxiesTest, refuse_what_is_no_network) {
  for (const char* bad :
       {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/a", "10.0.0/8", "host", "10.0.0.0/8/8",
        "10.0.0.0/-1", "Loopback", "1.2.3.4:80", "[::1]", "fe80::1%lo", "10.0.0.0/8 fd00::/8"}) {
    const auto parsed = TrustedProxies::parse(bad);
    ASSERT_TRUE(std::holds_alternative<std::string>(parsed)) << bad;
    EXPECT_NE(std::get<std::string>(parsed).find(bad), std::string::npos);
  }
}

TEST(ForwardedTest, nodes_are_addresses_with_a_port_or_without) {
  const auto text = [](std::string_view node) {
    const auto found = parse_node(node);
    return found ? found->to_string() : std::string("-");
  };
  EXPECT_EQ(text("192.0.2.1"), "192.0.2.1:0");
  EXPECT_EQ(text("192.0.2.1:80"), "192.0.2.1:80");
  EXPECT_EQ(text("2001:db8::1"), "[2001:db8::1]:0");
  EXPECT_EQ(text("[2001:DB8::1]"), "[2001:db8::1]:0");
  EXPECT_EQ(text("[2001:db8::1]:65535"), "[2001:db8::1]:65535");
  EXPECT_EQ(text("::ffff:192.0.2.1"), "192.0.2.1:0");
  for (const char* bad : {"",
                          " ",
                          "unknown",
                          "_hidden",
                          "192.0.2",
                          "192.0.2.256",
                          "192.0.2.1:",
                          "192.0.2.1:65536",
                          "192.0.2.1:-1",
                          "192.0.2.1:8x",
                          "192.0.2.1 ",
                          "[192.0.2.1]",
                          "[::1",
                          "::1]",
                          "[::1]80",
                          "[::1]:",
                          "[::1]:x",
                          "[]",
                          ":",
                          ":80",
                          "0x7f.1",
                          "127.1",
                          "1.2.3.4.5",
                          "fe80::1%eth0",
                          "localhost",
                          "01.2.3.4"}) {
    EXPECT_EQ(text(bad), "-") << bad;
  }
  EXPECT_EQ(text(std::string_view("192.0.2.1\0", 10)), "-");
  EXPECT_EQ(text(std::string(4000, '1')), "-");
}

TEST(ForwardedTest, x_forwarded_fields_are_read_from_the_right) {
  const TrustedProxies proxies = trusted("10.0.0.0/8");
  const Vector vectors[] = {
      {"", "10.0.0.1:4000 http own.example"},
      {"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0 http own.example"},
      // What a client has written stands on the left.
      {"X-Forwarded-For: 203.0.113.1, 192.0.2.1\r\n", "192.0.2.1:0 http own.example"},
      {"x-forwarded-for: 203.0.113.1\r\nX-FORWARDED-FOR: 192.0.2.1\r\n",
       "192.0.2.1:0 http own.example"},
      {"X-Forwarded-For: 203.0.113.1,192.0.2.1 , 10.0.0.2,10.0.0.3\r\n",
       "192.0.2.1:0 http own.example"},
      // All of them proxies: the farthest is who asks.
      {"X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3:0 http own.example"},
      {"X-Forwarded-For: ,, 192.0.2.1 ,,\r\n", "192.0.2.1:0 http own.example"},
      {"X-Forwarded-For:\r\n", "10.0.0.1:4000 http own.example"},
      // Behind what is malformed nothing is believed.
      {"X-Forwarded-For: 192.0.2.1, junk\r\n", "10.0.0.1:4000 http own.example"},
      {"X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2\r\n", "10.0.0.2:0 http own.example"},
      {"X-Forwarded-For: 192.0.2.1 10.0.0.2\r\n", "10.0.0.1:4000 http own.example"},
      {"X-Forwarded-For: junk\", 192.0.2.1\r\n", "192.0.2.1:0 http own.example"},
      // The element of the same proxy counts.
      {"X-Forwarded-Proto: HTTPS\r\nX-Forwarded-For: 192.0.2.1\r\n",
       "192.0.2.1:0 https own.example"},
      {"X-Forwarded-Proto: https, http\r\nX-Forwarded-For: 192.0.2.1\r\n",
       "192.0.2.1:0 http own.example"},
      {"X-Forwarded-Proto: http, https, http\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.2\r\n",
       "192.0.2.1:0 https own.example"},
      {"X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.2\r\n",
       "192.0.2.1:0 https own.example"},
      {"X-Forwarded-Proto: ftp\r\n", "10.0.0.1:4000 http own.example"},
      {"X-Forwarded-Host: pub.example:8443\r\n", "10.0.0.1:4000 http pub.example:8443"},
      {"X-Forwarded-Host: evil.example, pub.example\r\n", "10.0.0.1:4000 http pub.example"},
      {"X-Forwarded-Host: pub.example/x\r\n", "10.0.0.1:4000 http own.example"},
      {"X-Forwarded-Host: user@pub.example\r\n", "10.0.0.1:4000 http own.example"},
      {"X-Forwarded-Host: a b\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: for=192.0.2.1;proto=https\r\n", "10.0.0.1:4000 http own.example"},
  };
  for (const Vector& vector : vectors) {
    EXPECT_EQ(client_of(vector.lines, ProxyFields::x_forwarded, proxies), vector.client)
        << vector.lines;
  }
  EXPECT_EQ(client_of("X-Forwarded-Host: " + std::string(261, 'a') + "\r\n",
                      ProxyFields::x_forwarded, proxies),
            "10.0.0.1:4000 http own.example");
}

TEST(ForwardedTest, forwarded_is_read_from_the_right) {
  const TrustedProxies proxies = trusted("10.0.0.0/8, fd00::/8");
  const Vector vectors[] = {
      {"Forwarded: for=192.0.2.1\r\n", "192.0.2.1:0 http own.example"},
      {"Forwarded: For=\"192.0.2.1:47\";PROTO=https;by=203.0.113.43;Host=pub.example\r\n",
       "192.0.2.1:47 https pub.example"},
      {"Forwarded: for=\"[2001:db8:cafe::17]:4711\"\r\n",
       "[2001:db8:cafe::17]:4711 http own.example"},
      {"Forwarded: for=198.51.100.9;proto=https, for=192.0.2.1;proto=http\r\n",
       "192.0.2.1:0 http own.example"},
      {"Forwarded: for=198.51.100.9, for=192.0.2.1;proto=https, for=10.0.0.2;proto=http\r\n",
       "192.0.2.1:0 https own.example"},
      {"Forwarded: for=192.0.2.1;proto=https\r\nForwarded: for=\"[fd00::2]\"\r\n",
       "192.0.2.1:0 https own.example"},
      {"Forwarded: for=192.0.2.1 ; proto=https\r\n", "192.0.2.1:0 https own.example"},
      {"Forwarded: ext=\"a,b;c\";for=192.0.2.1\r\n", "192.0.2.1:0 http own.example"},
      // A client's quote does not swallow what the proxy adds.
      {"Forwarded: for=\"evil, for=192.0.2.1\r\n", "192.0.2.1:0 http own.example"},
      {"Forwarded: for=\"evil\\\", for=192.0.2.1\r\n", "192.0.2.1:0 http own.example"},
      {"Forwarded: evil\\\r\nForwarded: for=\"192.0.2.1\"\r\n", "192.0.2.1:0 http own.example"},
      // One that hides its client still says how that came.
      {"Forwarded: for=198.51.100.9, for=_hidden;proto=https\r\n",
       "10.0.0.1:4000 https own.example"},
      {"Forwarded: for=198.51.100.9, for=unknown\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: proto=https\r\n", "10.0.0.1:4000 https own.example"},
      {"Forwarded: for=198.51.100.9, for\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: for=192.0.2.1;for=192.0.2.2\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: for=192.0.2.1;\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: for=\"192.0.2.1\"x\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: for=\"192.0\\.2.1\"\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: f(or=192.0.2.1\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: =192.0.2.1\r\n", "10.0.0.1:4000 http own.example"},
      {"Forwarded: for=192.0.2.1;host=\"a/b\"\r\n", "192.0.2.1:0 http own.example"},
      {"X-Forwarded-For: 192.0.2.1\r\n", "10.0.0.1:4000 http own.example"},
  };
  for (const Vector& vector : vectors) {
    EXPECT_EQ(client_of(vector.lines, ProxyFields::forwarded, proxies), vector.client)
        << vector.lines;
  }
}

TEST(ForwardedTest, only_a_trusted_peer_is_heard) {
  const std::string lines = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n";
  const auto of = [&](const char* list, const std::optional<weft::Endpoint>& peer) {
    return client_of(lines, ProxyFields::x_forwarded, trusted(list), peer);
  };
  EXPECT_EQ(of("", address("10.0.0.1", 1)), "10.0.0.1:1 http own.example");
  EXPECT_EQ(of("unix", address("10.0.0.1", 1)), "10.0.0.1:1 http own.example");
  EXPECT_EQ(of("10.0.0.1", address("10.0.0.1", 1)), "192.0.2.1:0 https own.example");
  // A socket for both families has IPv4 peers in the shape of IPv6.
  EXPECT_EQ(of("10.0.0.1", address("::ffff:10.0.0.1", 1)), "192.0.2.1:0 https own.example");
  EXPECT_EQ(of("", address("::ffff:10.0.0.1", 1)), "10.0.0.1:1 http own.example");
  EXPECT_EQ(of("unix", std::nullopt), "192.0.2.1:0 https own.example");
  EXPECT_EQ(of("0.0.0.0/0", std::nullopt), "nobody http own.example");
}

TEST(ForwardedTest, the_walk_ends_after_so_many_proxies) {
  std::string list = "192.0.2.1";
  for (std::size_t i = 0; i < kMostProxies; ++i) list += ", 10.0.0." + std::to_string(i);
  EXPECT_EQ(client_of("X-Forwarded-For: " + list + "\r\n", ProxyFields::x_forwarded,
                      trusted("10.0.0.0/8")),
            "10.0.0.0:0 http own.example");
}

// Whatever a client has written in front of what its proxy adds, the proxy's word counts.
TEST(ForwardedTest, no_prefix_changes_what_a_proxy_has_added) {
  const TrustedProxies proxies = trusted("10.0.0.0/8");
  const char alphabet[] = "\"\\,;=: forprotohst[]._1290a\t";
  const auto seeds = weft::test::seeds_asked_for({1, 4000});
  for (std::uint64_t seed = seeds.from; seed <= seeds.to; ++seed) {
    std::mt19937_64 random(seed);
    std::string junk;
    for (std::size_t left = random() % 60; left > 0; --left) {
      junk += alphabet[random() % (sizeof alphabet - 1)];
    }
    // A proxy adds to the field or a field of its own.
    const char* const between = random() % 2 == 0 ? ", " : "\r\nForwarded: ";
    const char* const own = random() % 2 == 0
                                ? "for=192.0.2.1;proto=https"
                                : "for=\"192.0.2.1\";proto=https;host=\"pub.example\"";
    const bool with_host = std::string_view(own).find("host") != std::string_view::npos;
    const std::string found =
        client_of("Forwarded: x" + junk + between + own + "\r\n", ProxyFields::forwarded, proxies);
    EXPECT_EQ(found, with_host ? "192.0.2.1:0 https pub.example" : "192.0.2.1:0 https own.example")
        << junk;
    const std::string old = client_of("X-Forwarded-For: x" + junk + ",192.0.2.1\r\n",
                                      ProxyFields::x_forwarded, proxies);
    EXPECT_EQ(old, "192.0.2.1:0 http own.example") << junk;
    // And junk alone never becomes an address that it does not spell.
    const std::string alone =
        client_of("Forwarded: " + junk + "x\r\n", ProxyFields::forwarded, proxies);
    EXPECT_TRUE(alone.starts_with("10.0.0.1:4000 ")) << junk << " " << alone;
  }
}

}  // namespace weft::http::test
