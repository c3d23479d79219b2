// Bounds on connections and on requests: how many, from whom, and what one beyond is told.

#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <vector>

#include "http/server.hpp"
#include "server_test.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

class Bounds : public ServerTest {
 protected:
  // Counts are the workers' to change, so one that has gone is missed a little later.
  bool is_let_in_again() const {
    return eventually([this] { return connect().get("/").status == 200; });
  }
};
INSTANTIATE_TEST_SUITE_P(Topologies, Bounds, every_topology, backend_of);

}  // namespace

TEST_P(Bounds, a_connection_too_many_is_answered_503_and_closed) {
  options.limits.connections = 3;
  options.workers = 2;
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(connect());
    ASSERT_EQ(clients.back().get("/").body, "hello");
  }
  for (int i = 0; i < 5; ++i) {
    Client one_more = connect();
    // Whether it has asked already or not.
    if (i % 2 == 0) one_more.send(get_request("/"));
    const Answer answer = one_more.read_answer();
    EXPECT_EQ(answer.status, 503);
    EXPECT_TRUE(answer.announces_close());
    EXPECT_EQ(answer.field("retry-after"), "1");
    EXPECT_TRUE(one_more.is_ended());
  }
  EXPECT_EQ(app.stats().connections_refused, 5U);
  for (Client& client : clients) EXPECT_EQ(client.get("/").body, "hello");
  clients.pop_back();
  EXPECT_TRUE(is_let_in_again());
}

TEST_P(Bounds, what_a_server_that_was_stopped_had_let_in_does_not_count) {
  options.limits.connections = 2;
  options.limits.connections_per_address = 2;
  for (int i = 0; i < 3; ++i) {
    start();
    Client one = connect();
    Client two = connect();
    EXPECT_EQ(one.get("/").body, "hello");
    EXPECT_EQ(two.get("/").body, "hello");
    app.stop();
  }
}

TEST_P(Bounds, a_client_with_too_many_connections_is_closed_and_others_are_not) {
  options.limits.connections_per_address = 2;
  options.workers = 2;
  start();
  Client one = connect();
  Client two = connect();
  EXPECT_EQ(one.get("/").body, "hello");
  EXPECT_EQ(two.get("/").body, "hello");
  for (int i = 0; i < 5; ++i) {
    Client one_more = connect();
    one_more.send(get_request("/"));
    EXPECT_TRUE(one_more.is_ended());
  }
  Client another(app.port(), 0, INADDR_LOOPBACK + 1);
  EXPECT_EQ(another.get("/").body, "hello");
  EXPECT_EQ(app.stats().connections_refused, 5U);
  EXPECT_EQ(one.get("/").body, "hello");
  two.close();
  EXPECT_TRUE(is_let_in_again());
}

TEST_P(Bounds, the_last_request_that_a_connection_may_have_is_answered_with_close) {
  options.limits.requests_per_connection = 3;
  start();
  Client in_turn = connect();
  Client at_once = connect();
  std::string batch;
  for (int i = 0; i < 5; ++i) batch += get_request("/echo/" + std::to_string(i));
  at_once.send(batch);
  for (int i = 0; i < 3; ++i) {
    const Answer turn = in_turn.get("/sleep/x");
    EXPECT_EQ(turn.body, "x");
    EXPECT_EQ(turn.announces_close(), i == 2);
    const Answer once = at_once.read_answer();
    EXPECT_EQ(once.body, std::to_string(i));
    EXPECT_EQ(once.announces_close(), i == 2);
  }
  EXPECT_TRUE(in_turn.is_ended());
  EXPECT_TRUE(at_once.is_ended());
}

TEST_P(Bounds, a_long_pipeline_lets_others_have_their_turn) {
  options.limits.pipelined_requests = 8;
  std::atomic<bool> blocked{false};
  std::atomic<bool> go_on{false};
  app.get("/block", [&](Context& c) {
    blocked = true;
    while (!go_on) std::this_thread::yield();
    c.text("done");
  });
  std::atomic<int> count{0};
  app.get("/count", [&](Context& c) { c.text(std::to_string(count++)); });
  start();
  Client greedy = connect();
  Client modest = connect();
  Client blocker = connect();
  EXPECT_EQ(modest.get("/").body, "hello");
  EXPECT_EQ(greedy.get("/").body, "hello");
  blocker.send(get_request("/block"));
  ASSERT_TRUE(eventually([&] { return blocked.load(); }));
  constexpr int kMany = 500;
  std::string batch;
  for (int i = 0; i < kMany; ++i) batch += get_request("/count");
  greedy.send(batch);
  modest.send(get_request("/count"));
  go_on = true;
  const int seen = std::stoi(modest.read_answer().body);
  EXPECT_LT(seen, kMany / 2);
  int last = -1;
  for (int i = 0; i < kMany; ++i) {
    const int number = std::stoi(greedy.read_answer().body);
    EXPECT_GT(number, last);
    last = number;
  }
}

// ---- What only the layer below App can set
// -------------------------------------------------------

TEST_P(Bounds, those_that_are_told_so_are_few_and_the_rest_is_reset) {
  struct Hello {
    static void call(void*, Exchange& exchange) { exchange.response().body.assign("hello"); }
  };
  Site site;
  site.limits.connections = 1;
  site.limits.refused_connections = 2;
  site.limits.early_response_linger = std::chrono::minutes(10);
  std::mutex mutex;
  std::vector<std::string> complaints;
  site.log = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    complaints.push_back(line);
  };
  ASSERT_FALSE(site.router.add(Method::get, "/", 0));
  site.endpoints.push_back({&Hello::call, nullptr});
  ServerOptions server_options;
  server_options.backend = *ksvc::parse_backend_kind(backend());
  server_options.topology = is_shared() ? Topology::one_reactor : Topology::reactor_per_worker;
  Server server(site, server_options);
  const auto failure = server.start();
  ASSERT_FALSE(failure) << failure->text;
  server.open();
  Client first(server.port());
  EXPECT_EQ(first.get("/").body, "hello");
  std::deque<Client> refused;
  for (int i = 0; i < 20; ++i) {
    try {
      refused.emplace_back(server.port());
    } catch (const std::system_error& error) {
      // It was before connect() had returned.
      ASSERT_EQ(error.code(), std::errc::connection_reset);
      continue;
    }
    ASSERT_TRUE(refused.back().has_input(hang_guard));
  }
  int told = 0;
  for (Client& client : refused) told += client.read_answer().status == 503 ? 1 : 0;
  EXPECT_EQ(told, 2);
  EXPECT_EQ(server.figures().refused, 20U);
  EXPECT_EQ(server.figures().open, 3U);
  refused.clear();
  EXPECT_TRUE(eventually([&] { return server.figures().open == 1; }));
  EXPECT_EQ(first.get("/").body, "hello");
  server.cut_off();
  server.join();
  const std::lock_guard lock(mutex);
  ASSERT_FALSE(complaints.empty());
  EXPECT_NE(complaints.front().find("limit of 1 connection"), std::string::npos)
      << complaints.front();
  EXPECT_LT(complaints.size(), 20U);
}

}  // namespace weft::http::test
