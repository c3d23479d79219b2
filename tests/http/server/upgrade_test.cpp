// Connections that go over to another protocol, against a running server.

#include <gtest/gtest.h>

#include "server_test.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

std::string request(std::string_view target, std::string_view version = "1.1",
                    std::string_view fields = {}) {
  return "GET " + std::string(target) + " HTTP/" + std::string(version) + "\r\nHost: a\r\n" +
         std::string(fields) + "\r\n";
}

class Upgrades : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    app.get("/shout", [this](Context& c) {
      UpgradedStream stream = c.upgrade("shout");
      ++upgraded;
      for (;;) {
        const auto part = stream.read();
        if (!part.ok()) return;
        if (part->empty()) break;
        std::string loud(*part);
        for (char& letter : loud) {
          if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 32);
        }
        if (!stream.write(loud).ok()) return;
      }
      EXPECT_TRUE(stream.write("bye").ok());
    });
  }
  std::atomic<int> upgraded{0};
};
INSTANTIATE_TEST_SUITE_P(Topologies, Upgrades, every_topology, backend_of);

// What the server's socket of this client, which this process has too, is set to.
struct KeepAlive {
  bool on;
  int first;
  int gap;
  int times;
  bool operator==(const KeepAlive&) const = default;
};

int option_of(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

KeepAlive keep_alive_of(const Client& client) {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename().string());
    sockaddr_in peer{};
    size = sizeof peer;
    if (fd == client.fd() || ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0)
      continue;
    if (peer.sin_family != AF_INET || peer.sin_port != own.sin_port) continue;
    if (option_of(fd, SOL_SOCKET, SO_KEEPALIVE) != 1) return {false, 0, 0, 0};
    return {true, option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE),
            option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), option_of(fd, IPPROTO_TCP, TCP_KEEPCNT)};
  }
  ADD_FAILURE() << "the server has no socket of this client";
  return {};
}

constexpr std::string_view kAsks = "Connection: keep-alive, Upgrade\r\nUpgrade: other/1, Shout\r\n";

}  // namespace

TEST_P(Upgrades, a_connection_is_taken_over_with_what_came_behind_the_head) {
  start();
  Client client = connect();
  client.send(request("/shout", "1.1", kAsks) + "abc");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.field("upgrade"), "shout");
  EXPECT_EQ(answer.field("connection"), "upgrade");
  EXPECT_EQ(answer.field("content-length"), "");
  EXPECT_EQ(answer.field("transfer-encoding"), "");
  std::string seen;
  while (seen.size() < 3) seen += client.receive_some();
  EXPECT_EQ(seen, "ABC");
  client.send_byte_by_byte("defghi");
  const std::string large(200'000, 'l');
  client.send(large);
  client.shutdown_write();
  seen = client.read_to_end();
  EXPECT_TRUE(seen == "DEFGHI" + std::string(200'000, 'L') + "bye");
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Upgrades, who_does_not_ask_is_told_to) {
  start();
  for (const std::string& what :
       {request("/shout"), request("/shout", "1.1", "Upgrade: shout\r\n"),
        request("/shout", "1.0", kAsks),
        request("/shout", "1.1", "Connection: Upgrade\r\nUpgrade: shouter\r\n")}) {
    Client client = connect();
    const Answer answer = client.ask(what);
    EXPECT_EQ(answer.status, 426);
    EXPECT_EQ(answer.field("upgrade"), "shout");
    EXPECT_EQ(answer.field("connection"), "upgrade, close");
    EXPECT_TRUE(client.is_ended());
  }
  EXPECT_EQ(upgraded, 0);
}

TEST_P(Upgrades, a_request_for_it_is_answered_as_usual_where_nobody_takes_it) {
  start();
  Client client = connect();
  EXPECT_EQ(client.ask(request("/", "1.1", kAsks)).body, "hello");
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Upgrades, a_body_before_it_is_read_first) {
  app.post("/shout", [](Context& c) {
    const std::string body(c.body());
    UpgradedStream stream = c.upgrade("shout");
    char two[2];
    EXPECT_EQ(stream.read(std::span<char>()).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(stream.read(two).value(), 2U);
    EXPECT_TRUE(stream.write(body + std::string(two, 2)).ok());
  });
  start();
  Client client = connect();
  client.send(post_request("/shout", "body", kAsks) + "xyz");
  EXPECT_EQ(client.read_answer().status, 101);
  EXPECT_EQ(client.read_to_end(), "bodyxy");
}

// Silence is no fault, but a client that has vanished must not keep its handler for ever.
TEST_P(Upgrades, tcp_asks_whether_a_silent_client_is_still_there) {
  options.limits.upgraded_keep_alive = milliseconds(8'500);
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/").body, "hello");
  EXPECT_EQ(keep_alive_of(client), (KeepAlive{false, 0, 0, 0}));
  client.send(request("/shout", "1.1", kAsks) + "a");
  std::string received;
  while (received.find("\r\n\r\nA") == std::string::npos) {
    const std::string more = client.receive_some();
    ASSERT_FALSE(more.empty());
    received += more;
  }
  EXPECT_EQ(keep_alive_of(client), (KeepAlive{true, 9, 2, 4}));
}

TEST_P(Upgrades, nobody_is_asked_where_that_is_switched_off) {
  options.limits.upgraded_keep_alive = milliseconds(0);
  start();
  Client client = connect();
  client.send(request("/shout", "1.1", kAsks) + "a");
  std::string received;
  while (received.find("\r\n\r\nA") == std::string::npos) {
    const std::string more = client.receive_some();
    ASSERT_FALSE(more.empty());
    received += more;
  }
  EXPECT_FALSE(keep_alive_of(client).on);
}

TEST_P(Upgrades, a_read_ends_at_its_deadline_and_when_the_client_goes) {
  std::atomic<int> timed_out{0};
  std::atomic<int> lost{0};
  app.get("/wait", [&](Context& c) {
    UpgradedStream stream = c.upgrade("shout");
    stream.set_timeout(milliseconds(20));
    const auto late = stream.read();
    if (!late.ok() && late.error().code == ErrorCode::timed_out) ++timed_out;
    stream.set_timeout(milliseconds(0));
    if (!stream.read().ok()) ++lost;
  });
  start();
  Client client = connect();
  client.send(request("/wait", "1.1", kAsks));
  EXPECT_TRUE(eventually([&] { return timed_out == 1; }));
  client.reset();
  EXPECT_TRUE(eventually([&] { return lost == 1; }));
  EXPECT_TRUE(all_connections_closed());
}

}  // namespace weft::http::test
