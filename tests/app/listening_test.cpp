// Servers on a Unix socket and on an inherited listener: with one worker and with two that share
// it, and what a drain leaves behind.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <filesystem>
#include <string>
#include <thread>

#include "http/server/server_test.hpp"
#include "net/address.hpp"
#include "net/listener.hpp"
#include "weft/detail/descriptor.hpp"

namespace weft::http::test {
namespace {

using weft::detail::Descriptor;

class Listening : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    path = folder + "/s";
  }
  void TearDown() override {
    ServerTest::TearDown();
    std::filesystem::remove_all(folder);
  }

  // A connected socket, or -1 with errno.
  int connect_to_path() const {
    Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = net::unix_address(path);
    if (::connect(client.fd(), (*address).get(), (*address).size) != 0) return -1;
    return client.release();
  }
  Client client_of_path() const {
    const int fd = connect_to_path();
    EXPECT_GE(fd, 0) << errno;
    return Client::over(fd);
  }
  static Descriptor listener(std::uint16_t& port) {
    auto made = net::listen_on(net::ListenAddress{}, 1);
    port = (*made).port;
    return Descriptor((*made).fds.front());
  }

  std::string folder = "/tmp/weft-listening-XXXXXX";
  std::string path;
};
INSTANTIATE_TEST_SUITE_P(Topologies, Listening, every_topology, backend_of);

// Many connect, and the server is stopped before it can have accepted them all.
template <class Connect>
void expect_all_are_answered(App& app, const Connect& connect) {
  std::deque<Client> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(connect());
    ASSERT_TRUE(clients.back().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  }
  std::thread stopper([&app] { app.stop(); });
  // The server waits for clients to close, so that they see all of the answer.
  for (Client& client : clients) {
    EXPECT_EQ(client.read_answer().body, "hello");
    client.close();
  }
  stopper.join();
}

}  // namespace

TEST_P(Listening, on_a_path_is_served_and_leaves_no_file_behind) {
  for (const unsigned workers : {1U, 2U}) {
    options.uds = path;
    options.uds_mode = 0600;
    options.workers = workers;
    start();
    EXPECT_EQ(app.port(), 0);
    {
      Client client = client_of_path();
      EXPECT_EQ(client.get("/").body, "hello");
      EXPECT_EQ(client.get("/park/x").body, "x");
      EXPECT_EQ(client.get("/big/1024").body.size(), 1024U * 1024);
    }
    app.stop();
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_EQ(connect_to_path(), -1);
    EXPECT_EQ(errno, ENOENT);
  }
}

TEST_P(Listening, on_a_path_every_client_that_has_connected_is_answered_at_a_drain) {
  for (const unsigned workers : {1U, 2U}) {
    options.uds = path;
    options.workers = workers;
    start();
    expect_all_are_answered(app, [this] { return client_of_path(); });
  }
}

TEST_P(Listening, on_a_path_the_second_server_is_refused_and_the_first_goes_on) {
  options.uds = path;
  start();
  App second;
  try {
    second.start(options);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "cannot listen on unix:" + path +
                  ": another server listens there; stop it or choose another path");
  }
  EXPECT_EQ(client_of_path().get("/").body, "hello");
}

TEST_P(Listening, clients_of_a_unix_socket_do_not_count_as_one_address) {
  options.uds = path;
  options.limits.connections_per_address = 1;
  start();
  Client first = client_of_path();
  EXPECT_EQ(first.get("/").body, "hello");
  Client second = client_of_path();
  EXPECT_EQ(second.get("/").body, "hello");
}

TEST_P(Listening, on_an_inherited_listener_is_served_and_drained_by_one_worker_and_by_two) {
  std::uint16_t port = 0;
  const Descriptor inherited = listener(port);
  options.fd = std::to_string(inherited.fd());
  for (const unsigned workers : {1U, 2U}) {
    options.workers = workers;
    start();
    EXPECT_EQ(app.port(), port);
    EXPECT_EQ(connect().get("/").body, "hello");
    expect_all_are_answered(app, [port] { return Client(port); });
  }
}

TEST_P(Listening, an_inherited_listener_keeps_clients_for_the_next_server) {
  std::uint16_t port = 0;
  const Descriptor inherited = listener(port);
  options.fd = std::to_string(inherited.fd());
  options.workers = 2;
  start();
  app.stop();
  Client between(port);
  ASSERT_TRUE(between.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  start();
  EXPECT_EQ(between.read_answer().body, "hello");
}

TEST_P(Listening, an_inherited_unix_socket_is_served) {
  const Descriptor inherited(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto address = net::unix_address(path);
  ASSERT_EQ(::bind(inherited.fd(), (*address).get(), (*address).size), 0);
  ASSERT_EQ(::listen(inherited.fd(), 16), 0);
  options.fd = std::to_string(inherited.fd());
  options.workers = 2;
  start();
  EXPECT_EQ(app.port(), 0);
  EXPECT_EQ(client_of_path().get("/").body, "hello");
  app.stop();
  // It is not the server's to remove.
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_P(Listening, what_cannot_be_listened_on_is_refused_with_the_reason) {
  const auto refusal = [this](const std::string& uds, const std::string& fd) {
    options.uds = uds;
    options.fd = fd;
    try {
      app.start(options);
      app.stop();
      return std::string("(nothing was thrown)");
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refusal(path, "3"), "both uds and fd are given, and a server listens on one socket");
  EXPECT_EQ(refusal("", "sytemd"),
            "unknown fd \"sytemd\": use the number of a descriptor, systemd or systemd:NAME");
  EXPECT_EQ(refusal("", "systemd"),
            "no service manager handed over a socket (LISTEN_FDS is not set)");
  const Descriptor idle(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(refusal("", std::to_string(idle.fd())),
            "descriptor " + std::to_string(idle.fd()) +
                " does not listen; whoever opens it has to call listen()");
  EXPECT_EQ(refusal(folder + "/missing/s", ""), "cannot listen on unix:" + folder +
                                                    "/missing/s: the folder " + folder +
                                                    "/missing: No such file or directory");
}

}  // namespace weft::http::test
