// Connections of a running server under clients that reset, half-close, do not read, or come in
// great numbers; and how they spread over several workers.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "http/server.hpp"
#include "server_test.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

class Connections : public ServerTest {
 protected:
  class Asker;
};
INSTANTIATE_TEST_SUITE_P(Topologies, Connections, every_topology, backend_of);

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

constexpr std::size_t kMebibyte = 1024 * 1024;

}  // namespace

TEST_P(Connections, a_client_that_resets_while_its_handler_is_parked_is_let_go) {
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/gate/x") + get_request("/echo/behind"));
  }
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 50; }));
  for (Client& client : clients) client.reset();
  expect_still_serving();
  gate.open();
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Connections, a_client_that_resets_while_its_body_is_awaited_is_let_go) {
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    clients.back().send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
  }
  ASSERT_TRUE(eventually([this] { return reads_begun == 50; }));
  for (Client& client : clients) client.reset();
  EXPECT_TRUE(all_connections_closed());
  expect_still_serving();
}

TEST_P(Connections, a_client_that_resets_while_an_answer_is_sent_is_let_go) {
  start();
  for (int round = 0; round < 10; ++round) {
    std::deque<Client> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(connect(4096));
      clients.back().send(get_request("/big/5120") + get_request("/park/behind"));
    }
    for (Client& client : clients) {
      ASSERT_TRUE(client.has_input(hang_guard));
      client.reset();
    }
  }
  EXPECT_TRUE(all_connections_closed());
  expect_still_serving();
}

TEST_P(Connections, clients_that_vanish_at_any_moment_leave_nothing_behind) {
  start();
  const std::string request = post_request("/body", "abc") + get_request("/sleep/a") +
                              get_request("/big/200") + get_request("/park/b");
  connect().get("/");
  ASSERT_TRUE(all_connections_closed());
  const std::size_t before = open_descriptors();
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    Client client = connect(4096);
    client.send(request.substr(0, cut));
    if (cut % 3 == 0) client.reset();
    if (cut % 3 == 1) client.shutdown_write();
  }
  EXPECT_TRUE(all_connections_closed());
  EXPECT_TRUE(eventually([before] { return open_descriptors() <= before; }));
  expect_still_serving();
}

TEST_P(Connections, a_half_closed_client_is_still_answered) {
  start();
  for (const char* target : {"/echo/x", "/park/x", "/sleep/x"}) {
    Client client = connect();
    client.send(get_request(target) + get_request(target));
    client.shutdown_write();
    EXPECT_EQ(client.read_final_answer().body, "x");
    EXPECT_EQ(client.read_final_answer().body, "x");
    EXPECT_TRUE(client.is_ended());
  }
  Client client = connect(4096);
  client.send(get_request("/gate/x") + get_request("/big/5120") + get_request("/echo/y"));
  client.shutdown_write();
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 1; }));
  gate.open();
  EXPECT_EQ(client.read_final_answer().body, "x");
  EXPECT_EQ(client.read_answer().body.size(), 5 * kMebibyte);
  EXPECT_EQ(client.read_answer().body, "y");
  EXPECT_TRUE(client.is_ended());
}

// Asks for answers that it does not read, so many that the kernel has no room for the last, but at
// most so many; and tells how many that were.
class Connections::Asker {
 public:
  Asker(const Connections& test, int most) : client(test.connect(4096)) {
    const std::uint64_t before = test.app.stats().requests;
    for (bool served = true; served && asked < most;) {
      client.send(get_request("/big/100"));
      ++asked;
      const auto give_up = std::chrono::steady_clock::now() + milliseconds(200);
      do {
        served = test.app.stats().requests == before + static_cast<unsigned>(asked);
        std::this_thread::yield();
      } while (!served && std::chrono::steady_clock::now() < give_up);
    }
  }

  Client client;
  int asked = 0;
};

// The kernel's room for the answers runs out exactly at the request that comes with the end.
TEST_P(Connections, a_half_closed_client_gets_an_answer_that_does_not_fit_at_once) {
  start();
  constexpr std::size_t kAnswer = 100 * 1024;
  const int room = Asker(*this, 80).asked;
  EXPECT_TRUE(all_connections_closed());
  for (int before_the_last = std::max(0, room - 4); before_the_last <= room; ++before_the_last) {
    Asker asker(*this, before_the_last);
    asker.client.send(get_request("/big/100"));
    asker.client.shutdown_write();
    const int much = 1 << 20;  // so that it does not take long
    ::setsockopt(asker.client.fd(), SOL_SOCKET, SO_RCVBUF, &much, sizeof much);
    for (int i = 0; i <= asker.asked; ++i) {
      ASSERT_EQ(asker.client.read_answer().body.size(), kAnswer) << i << " of " << asker.asked;
    }
    EXPECT_TRUE(asker.client.is_ended());
  }
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Connections, pipelined_requests_of_a_client_that_does_not_read_wait_outside) {
  // What blocks and stacks are touched for the first time counts as well, so the bound is wide, and
  // what is offered far wider.
  constexpr std::size_t kOffered = 64 * kMebibyte;
  constexpr std::size_t kBound = 24 * kMebibyte;
  start();
  connect().get("/");
  std::string batch;
  while (batch.size() < kMebibyte) batch += get_request("/big/16");
  Client client = connect(4096);
  const std::size_t before = resident_bytes();
  std::size_t sent = 0;
  int idle_tries = 0;
  std::size_t most = before;
  while (sent < kOffered && idle_tries < 100) {
    const std::size_t some = client.send_some(std::string_view(batch).substr(sent % batch.size()));
    sent += some;
    idle_tries = some > 0 ? 0 : idle_tries + 1;
    if (some == 0) std::this_thread::sleep_for(milliseconds(2));
    most = std::max(most, resident_bytes());
  }
  // The server stops reading: nearly all of it waits in the client and in the kernel.
  EXPECT_LT(sent, kOffered);
  if (!sanitized) {
    EXPECT_LT(most - before, kBound);
  }
  expect_still_serving();
  client.reset();
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Connections, requests_behind_a_parked_handler_wait_outside) {
  start();
  Client client = connect();
  client.send(get_request("/gate/x"));
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 1; }));
  const std::string request = get_request("/echo/" + std::string(1000, 'y'));
  std::string batch;
  while (batch.size() < kMebibyte) batch += request;
  std::size_t sent = 0;
  int idle_tries = 0;
  while (sent < 64 * kMebibyte && idle_tries < 50) {
    const std::size_t some = client.send_some(std::string_view(batch).substr(sent % batch.size()));
    sent += some;
    idle_tries = some > 0 ? 0 : idle_tries + 1;
    if (some == 0) std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_LT(sent, 64 * kMebibyte);
  gate.open();
  EXPECT_EQ(client.read_final_answer().body, "x");
  for (std::size_t i = 0; i < sent / request.size(); ++i) {
    ASSERT_EQ(client.read_answer().body.size(), 1000U) << i;
  }
}

TEST_P(Connections, a_connection_that_is_used_for_long_keeps_no_consumed_input) {
  start();
  Client client = connect();
  // Never ends at a request's end, so that something is always left over.
  const std::string request = get_request("/echo/" + std::string(2000, 'y'));
  ASSERT_TRUE(client.send(request.substr(0, 100)));
  std::string batch;
  for (int i = 0; i < 20; ++i) batch += request.substr(100) + request.substr(0, 100);
  for (int warm_up = 0; warm_up < 2; ++warm_up) {
    client.send(batch);
    for (int i = 0; i < 20; ++i) ASSERT_EQ(client.read_answer().body.size(), 2000U);
  }
  const std::size_t before = resident_bytes();
  for (int round = 0; round < 400; ++round) {
    client.send(batch);
    for (int i = 0; i < 20; ++i) ASSERT_EQ(client.read_answer().body.size(), 2000U);
  }
  if (!sanitized) {
    EXPECT_LT(resident_bytes(), before + 4 * kMebibyte);
  }
}

TEST_P(Connections, descriptors_stay_flat_over_many_connections) {
  start();
  connect().get("/");
  ASSERT_TRUE(all_connections_closed());
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 2000; ++i) {
    Client client = connect();
    ASSERT_EQ(client.get("/").body, "hello");
    if (i % 2 == 0) client.reset();
  }
  EXPECT_TRUE(all_connections_closed());
  EXPECT_TRUE(eventually([before] { return open_descriptors() <= before; }));
  EXPECT_EQ(app.stats().connections_accepted, 2001U);
}

class SlowConnections : public Connections {};
INSTANTIATE_TEST_SUITE_P(Slow, SlowConnections, every_backend, backend_of);

TEST_P(SlowConnections, ten_thousand_connections_in_turn_leave_nothing_behind) {
  start();
  connect().get("/");
  ASSERT_TRUE(all_connections_closed());
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 10'000; ++i) {
    Client client = connect();
    ASSERT_EQ(client.get("/").body, "hello");
    if (i % 2 == 0) client.reset();
  }
  EXPECT_TRUE(all_connections_closed());
  EXPECT_TRUE(eventually([before] { return open_descriptors() <= before; }));
}

// ---- Several workers
// -----------------------------------------------------------------------------

TEST_P(Connections, several_workers_share_the_clients_and_add_up) {
  options.workers = 3;
  std::array<std::atomic<int>, 3> seen{};
  std::atomic<int> threads{0};
  app.get("/who", [&](Context& c) {
    thread_local const int number = threads++;
    ++seen.at(static_cast<std::size_t>(number));
    weft::yield();
    c.text("me");
  });
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 120; ++i) clients.push_back(connect());
  for (int round = 0; round < 5; ++round) {
    for (Client& client : clients) client.send(get_request("/who"));
    for (Client& client : clients) ASSERT_EQ(client.read_answer().body, "me");
  }
  EXPECT_EQ(threads, 3);
  EXPECT_EQ(seen[0] + seen[1] + seen[2], 600);
  ASSERT_TRUE(eventually([this] { return app.stats().requests == 600; }));
  const ServerStats stats = app.stats();
  EXPECT_EQ(stats.workers, 3U);
  EXPECT_EQ(stats.connections_accepted, 120U);
  EXPECT_EQ(stats.connections_open, 120U);
  EXPECT_EQ(stats.answers_2xx, 600U);
  EXPECT_EQ(stats.backend, backend());
  clients.clear();
  EXPECT_TRUE(all_connections_closed());
}

// ---- What only the layer below App can set
// -------------------------------------------------------

TEST_P(Connections, a_reader_that_makes_no_progress_is_reset_after_the_write_timeout) {
  struct Big {
    static void call(void*, Exchange& exchange) {
      exchange.response().body.assign(std::string(16 * kMebibyte, 'b'));
    }
  };
  Site site;
  site.limits.write_timeout = milliseconds(100);
  ASSERT_FALSE(site.router.add(Method::get, "/", 0));
  site.endpoints.push_back({&Big::call, nullptr});
  ServerOptions server_options;
  server_options.backend = *ksvc::parse_backend_kind(backend());
  server_options.topology = is_shared() ? Topology::one_reactor : Topology::reactor_per_worker;
  Server server(site, server_options);
  const auto failure = server.start();
  ASSERT_FALSE(failure) << failure->text;
  server.open();
  Client client(server.port(), 4096);
  client.send(get_request("/"));
  EXPECT_TRUE(eventually([&] {
    const ServerFigures figures = server.figures();
    return figures.accepted == 1 && figures.open == 0;
  }));
  EXPECT_TRUE(eventually([&] { return client.sees_reset(); }));
  EXPECT_LT(client.read_to_end().size(), 16 * kMebibyte);
  server.drain();
  server.join();
}

// Completions are drained before timers are looked at: what came in time must not lose to the
// clock.
TEST_P(Connections, a_request_that_came_before_the_deadline_is_answered_after_it) {
  options.limits.idle_timeout = std::chrono::milliseconds(500);
  std::atomic<bool> busy{false};
  app.get("/busy", [&busy](Context& c) {
    busy = true;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(700);
    while (std::chrono::steady_clock::now() < until) {
    }
    c.text("done");
  });
  start();
  Client patient = connect();
  EXPECT_EQ(patient.get("/").body, "hello");
  Client hog = connect();
  hog.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return busy.load(); }));
  // Its deadline passes while the worker is busy, and its request is there before.
  EXPECT_EQ(patient.get("/").body, "hello");
  EXPECT_EQ(hog.read_answer().body, "done");
}

}  // namespace weft::http::test
