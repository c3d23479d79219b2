// stop(): what is under way is answered, what comes late is answered, and it ends.

#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "server_test.hpp"
#include "weft/blocking.hpp"
#include "weft/cancel.hpp"
#include "weft/channel.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

class Drain : public ServerTest {
 protected:
  // stop() waits until the server has ended, so it runs beside the test.
  void begin_stop() {
    stopper_ = std::thread([this] {
      app.stop();
      stopped = true;
    });
  }
  void TearDown() override {
    gate.open();
    if (stopper_.joinable()) stopper_.join();
    ServerTest::TearDown();
  }

  std::atomic<bool> stopped{false};

 private:
  std::thread stopper_;
};
INSTANTIATE_TEST_SUITE_P(Topologies, Drain, every_topology, backend_of);
INSTANTIATE_TEST_SUITE_P(SharedModels, Drain, every_shared_model, backend_of);

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace

TEST_P(Drain, requests_under_way_are_answered_with_connection_close) {
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/gate/x"));
  }
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 20; }));
  Client idle = connect();
  EXPECT_EQ(idle.get("/").body, "hello");
  begin_stop();
  EXPECT_TRUE(idle.is_ended());  // it is draining now
  EXPECT_FALSE(stopped);
  gate.open();
  for (Client& client : clients) {
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.body, "x");
    EXPECT_TRUE(answer.announces_close());
    EXPECT_TRUE(client.is_ended());
    client.close();
  }
  EXPECT_TRUE(eventually([this] { return stopped.load(); }));
}

TEST_P(Drain, requests_that_wait_behind_a_running_one_are_all_answered) {
  start();
  Client client = connect();
  client.send(get_request("/gate/x") + get_request("/echo/a") + get_request("/echo/b") +
              get_request("/echo/c"));
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 1; }));
  Client idle = connect();
  EXPECT_EQ(idle.get("/").body, "hello");
  begin_stop();
  EXPECT_TRUE(idle.is_ended());  // it is draining now
  gate.open();
  EXPECT_EQ(client.read_answer().body, "x");
  EXPECT_EQ(client.read_answer().body, "a");
  EXPECT_EQ(client.read_answer().body, "b");
  const Answer last = client.read_answer();
  EXPECT_EQ(last.body, "c");
  EXPECT_TRUE(last.announces_close());
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Drain, a_request_that_races_in_on_an_idle_connection_is_answered) {
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(connect());
    EXPECT_EQ(clients.back().get("/").body, "hello");
  }
  begin_stop();
  // An idle client is left alone for a moment, so what is sent at once is in time.
  for (Client& client : clients) client.send(get_request("/park/late"));
  for (Client& client : clients) {
    EXPECT_EQ(client.read_answer().body, "late");
  }
}

TEST_P(Drain, connections_in_the_accept_queue_are_answered) {
  std::atomic<bool> blocked{false};
  std::atomic<bool> go_on{false};
  app.get("/block", [&](Context& c) {
    blocked = true;
    while (!go_on) std::this_thread::yield();
    c.text("done");
  });
  start();
  Client blocker = connect();
  blocker.send(get_request("/block"));
  ASSERT_TRUE(eventually([&] { return blocked.load(); }));
  std::deque<Client> queued;
  for (int i = 0; i < 50; ++i) {
    queued.push_back(connect());
    queued.back().send(get_request("/echo/queued"));
  }
  begin_stop();
  go_on = true;
  EXPECT_EQ(blocker.read_answer().body, "done");
  for (Client& client : queued) EXPECT_EQ(client.read_answer().body, "queued");
}

TEST_P(Drain, a_connection_that_becomes_idle_while_draining_is_closed_soon) {
  options.limits.drain_grace = std::chrono::minutes(5);
  options.limits.idle_timeout = std::chrono::minutes(5);
  start();
  Client reader = connect(4096);
  reader.send(get_request("/big/8192"));
  ASSERT_TRUE(reader.has_input(hang_guard));
  Client sender = connect();
  sender.send("POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_EQ(sender.read_answer().body, "not read");
  Client idle = connect();
  EXPECT_EQ(idle.get("/").body, "hello");
  begin_stop();
  EXPECT_TRUE(idle.is_ended());  // it is draining now
  sender.send(std::string(1000, 'x'));
  EXPECT_EQ(reader.read_answer().body.size(), 8192U * 1024);
  EXPECT_TRUE(reader.is_ended());
  EXPECT_TRUE(sender.is_ended());
  EXPECT_TRUE(eventually([this] { return stopped.load(); }));
}

TEST_P(Drain, what_outlasts_the_grace_period_is_cut_off_with_503) {
  options.limits.drain_grace = milliseconds(100);
  app.get("/forever", [this](Context&) {
    ++reads_begun;
    for (;;) weft::sleep(milliseconds(5));
  });
  start();
  Client client = connect();
  client.send(get_request("/forever"));
  ASSERT_TRUE(eventually([this] { return reads_begun == 1; }));
  app.stop();
  EXPECT_EQ(client.read_answer().status, 503);
}

TEST_P(Drain, stopping_leaves_no_descriptors_behind) {
  start();
  app.stop();
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    start();
    Client client = connect();  // idle: closed in the turn in which the server ends
    EXPECT_EQ(client.get("/").body, "hello");
    app.stop();
    EXPECT_TRUE(client.is_ended());
  }
  EXPECT_TRUE(eventually([before] { return open_descriptors() <= before; }))
      << open_descriptors() << " instead of " << before;
}

TEST_P(Drain, an_app_that_was_stopped_starts_again) {
  for (int i = 0; i < 3; ++i) {
    start();
    EXPECT_NE(app.port(), 0);
    expect_still_serving();
    app.stop();
    EXPECT_EQ(app.port(), 0);
    app.stop();
  }
}

TEST_P(Drain, several_workers_drain_together) {
  options.workers = 3;
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/gate/x"));
  }
  ASSERT_TRUE(eventually([this] { return gate.waiting() == 30; }));
  begin_stop();
  gate.open();
  for (Client& client : clients) EXPECT_EQ(client.read_answer().body, "x");
}

TEST_P(Drain, what_handlers_wait_in_is_cancelled_when_the_grace_period_is_over) {
  std::atomic<bool> begun{false};
  std::atomic<bool> cancelled{false};
  app.get("/for_ever", [&](Context& c) {
    begun = true;
    try {
      weft::sleep(std::chrono::hours(1));
    } catch (const Cancelled&) {
      cancelled = true;
      throw;
    }
    c.text("never");
  });
  options.limits.drain_grace = milliseconds(50);
  start();
  Client client = connect();
  client.send(get_request("/for_ever"));
  ASSERT_TRUE(eventually([&] { return begun.load(); }));
  app.stop();
  EXPECT_TRUE(cancelled);
}

// Whoever does not let go in time is left behind, with the memory that others may still write to.
TEST_P(Drain, a_handler_that_cannot_be_cancelled_outlives_the_server) {
  Channel<int> channel;
  std::atomic<int> begun{0};
  std::atomic<bool> release{false};
  app.get("/pool", [&](Context& c) {
    ++begun;
    weft::blocking([&] {
      while (!release) std::this_thread::sleep_for(milliseconds(1));
    });
    c.text("late");
  });
  app.get("/channel", [&](Context& c) {
    ++begun;
    weft::shielded([&] { channel.receive(); });
    c.text("late");
  });
  options.limits.drain_grace = milliseconds(50);
  start();
  Client one = connect();
  Client two = connect();
  one.send(get_request("/pool"));
  two.send(get_request("/channel"));
  ASSERT_TRUE(eventually([&] { return begun == 2; }));
  std::thread releaser([&] {
    std::this_thread::sleep_for(milliseconds(900));
    release = true;
  });
  app.stop();
  releaser.join();
  EXPECT_TRUE(channel.try_send(1)) << "someone still waits there";
}

}  // namespace weft::http::test
