// Requests that take too long, and clients that go, on the real kernel.

#include <gtest/gtest.h>

#include <deque>

#include "server_test.hpp"
#include "weft/blocking.hpp"
#include "weft/cancel.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

class Timeouts : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    // Waits until it is cancelled.
    app.get("/forever", [this](Context& c) {
      ++begun;
      try {
        weft::sleep(std::chrono::hours(1));
      } catch (const Cancelled& cause) {
        ++(cause.timed_out() ? late : cancelled);
        throw;
      }
      c.text("never");
    });
  }

  std::atomic<int> begun{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> late{0};
};
INSTANTIATE_TEST_SUITE_P(Topologies, Timeouts, every_topology, backend_of);

}  // namespace

TEST_P(Timeouts, a_handler_that_is_parked_for_too_long_is_cancelled_and_answered_for) {
  options.limits.request_timeout = milliseconds(50);
  start();
  Client client = connect();
  client.send(get_request("/echo/before") + get_request("/forever") + get_request("/echo/behind"));
  EXPECT_EQ(client.read_answer().body, "before");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.announces_close());
  EXPECT_TRUE(client.is_ended());
  client.close();  // otherwise the server waits a second for that
  EXPECT_EQ(late, 1);
  EXPECT_TRUE(all_connections_closed());
  expect_still_serving();
}

TEST_P(Timeouts, a_time_limit_of_the_handlers_own_does_not_hide_the_requests) {
  options.limits.request_timeout = milliseconds(50);
  app.get("/inside", [](Context& c) {
    const auto slept = weft::with_timeout(std::chrono::hours(1), [] {
      weft::scope([](Scope& scope) { scope.spawn([] { weft::sleep(std::chrono::hours(1)); }); });
    });
    c.text(slept ? "slept" : "timed out");
  });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/inside").status, 503);
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Timeouts, a_handler_that_answers_for_itself_when_cancelled_is_believed) {
  options.limits.request_timeout = milliseconds(50);
  app.get("/own", [](Context& c) {
    try {
      weft::sleep(std::chrono::hours(1));
    } catch (const Cancelled&) {
      c.status(504).text("the other server did not answer");
    }
  });
  start();
  Client client = connect();
  const Answer answer = client.get("/own");
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.body, "the other server did not answer");
  EXPECT_TRUE(answer.announces_close());
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Timeouts, what_computes_is_not_interrupted) {
  options.limits.request_timeout = milliseconds(20);
  app.get("/compute", [](Context& c) {
    const auto until = std::chrono::steady_clock::now() + milliseconds(80);
    while (std::chrono::steady_clock::now() < until) {
    }
    c.text("done");
  });
  start();
  Client client = connect();
  for (int i = 0; i < 2; ++i) {
    const Answer answer = client.get("/compute");
    EXPECT_EQ(answer.body, "done");
    EXPECT_FALSE(answer.announces_close());
  }
}

TEST_P(Timeouts, the_longest_time_that_can_be_said_is_no_limit) {
  Limits& limits = options.limits;
  for (milliseconds* time : {&limits.head_timeout, &limits.body_timeout, &limits.request_timeout,
                             &limits.idle_timeout, &limits.write_timeout}) {
    *time = milliseconds::max();
  }
  start();
  Client client = connect();
  client.send("GET /gate");
  expect_still_serving();
  client.send("/x HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 1; }));
  expect_still_serving();
  gate.open();
  EXPECT_EQ(client.read_answer().body, "x");
  client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  expect_still_serving();
  client.send("dy");
  EXPECT_EQ(client.read_answer().body, "body");
}

TEST_P(Timeouts, a_long_answer_may_take_longer_than_a_request) {
  options.limits.request_timeout = milliseconds(50);
  start();
  Client client = connect(4096);
  client.send(get_request("/big/5120"));
  ASSERT_TRUE(client.has_input(hang_guard));
  std::this_thread::sleep_for(options.limits.request_timeout * 3);  // lets the deadline pass
  EXPECT_EQ(client.read_answer().body.size(), 5120U * 1024);
}

TEST_P(Timeouts, a_client_that_resets_cancels_its_parked_handler) {
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/forever") + get_request("/echo/behind"));
  }
  ASSERT_TRUE(eventually([this] { return begun == 50; }));
  for (Client& client : clients) client.reset();
  EXPECT_TRUE(eventually([this] { return cancelled == 50; })) << cancelled;
  EXPECT_TRUE(all_connections_closed());
  // The figure is as of a turn's beginning, so something must happen for it to move.
  EXPECT_TRUE(eventually([this] {
    return connect().get("/").body == "hello" && app.stats().green_threads_parked == 0;
  }));
}

TEST_P(Timeouts, a_client_that_closes_cancels_its_parked_handler) {
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/forever"));
    if (i % 2 == 0) clients.back().close();  // perhaps before the handler begins
  }
  ASSERT_TRUE(eventually([this] { return begun == 50; }));
  for (Client& client : clients) client.close();
  EXPECT_TRUE(eventually([this] { return cancelled == 50; })) << cancelled;
  EXPECT_TRUE(all_connections_closed());
}

// Their ends lie behind more than the server reads while the handler is parked.
TEST_P(Timeouts, clients_that_leave_a_great_deal_behind_their_request_are_missed_all_the_same) {
  start();
  std::string behind;
  while (behind.size() < 3 * options.limits.pipelined_bytes) behind += get_request("/");
  std::deque<Client> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/forever") + behind);
    // For some so much that not even the kernel takes all of it.
    while (i % 3 == 0 && clients.back().send_some(behind) > 0) {
    }
  }
  ASSERT_TRUE(eventually([this] { return begun == 12; }));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    i % 2 == 0 ? clients[i].reset() : clients[i].close();
  }
  EXPECT_TRUE(eventually([this] { return cancelled == 12; })) << cancelled;
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Timeouts, a_half_closed_client_is_asked_whether_it_is_there_and_then_answered) {
  start();
  Client client = connect();
  client.send(get_request("/gate/x"));
  client.shutdown_write();
  EXPECT_EQ(client.read_answer().status, 100);
  EXPECT_EQ(client.read_answer().status, 100);
  gate.open();
  Answer answer = client.read_answer();
  while (answer.status == 100) answer = client.read_answer();
  EXPECT_EQ(answer.body, "x");
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Timeouts, a_client_that_goes_while_its_handler_works_elsewhere_is_let_go_after_that) {
  std::atomic<bool> release{false};
  app.get("/pool", [&](Context& c) {
    ++begun;
    weft::blocking([&] {
      while (!release) std::this_thread::sleep_for(milliseconds(1));
    });
    c.text("late");
  });
  start();
  Client client = connect();
  client.send(get_request("/pool"));
  ASSERT_TRUE(eventually([this] { return begun == 1; }));
  client.reset();
  expect_still_serving();
  release = true;
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(Timeouts, clients_that_come_and_go_while_parked_leave_nothing_behind) {
  start();
  expect_still_serving();
  ASSERT_TRUE(all_connections_closed());
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 20; ++round) {
    std::deque<Client> clients;
    for (int i = 0; i < 25; ++i) {
      clients.push_back(connect());
      clients.back().send(get_request("/forever"));
    }
    ASSERT_TRUE(eventually([&] { return begun == (round + 1) * 25; }));
    for (Client& client : clients) client.reset();
    ASSERT_TRUE(eventually([&] { return cancelled == (round + 1) * 25; }));
  }
  EXPECT_TRUE(all_connections_closed());
  EXPECT_TRUE(eventually([before] { return open_descriptors() <= before; }));
}

}  // namespace weft::http::test
