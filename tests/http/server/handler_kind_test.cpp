// Every kind of handler under every connection model: a call, a coroutine, one that gets a Respond.

#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <thread>

#include "server_test.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

// A place for tokens, from where any thread takes them.
class Tokens {
 public:
  void put(Respond respond) {
    const std::lock_guard lock(mutex_);
    tokens_.push_back(std::move(respond));
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return tokens_.size();
  }
  // An empty one when there is none.
  Respond take() {
    const std::lock_guard lock(mutex_);
    if (tokens_.empty()) return {};
    Respond first = std::move(tokens_.front());
    tokens_.pop_front();
    return first;
  }

 private:
  std::mutex mutex_;
  std::deque<Respond> tokens_;
};

class HandlerKinds : public ServerTest {
 protected:
  // Goes before the app does, which does not mind: a token may be dropped at any time.
  Tokens tokens;
};
INSTANTIATE_TEST_SUITE_P(Topologies, HandlerKinds, every_topology, backend_of);
INSTANTIATE_TEST_SUITE_P(SharedModels, HandlerKinds, every_shared_model, backend_of);

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace

TEST_P(HandlerKinds, of_every_kind_answer_in_the_order_of_a_pipeline) {
  app.get("/call/:text", [](Context& c) {
    weft::yield();
    c.text(c.param("text"));
  });
  app.get("/coroutine/:text", [](Context& c) -> Task<void> {
    co_await coro::yield();
    c.text(c.param("text"));
  });
  app.get("/at-once/:text", [](Context& c) -> Task<void> {
    c.text(c.param("text"));
    co_return;
  });
  app.get("/respond/:text", [](Context& c, Respond respond) {
    c.text(c.param("text"));
    respond();
  });
  app.get("/later/:text", [](Context&, Respond respond) {
    weft::spawn([respond = std::move(respond)]() mutable {
      weft::yield();
      respond([](Context& c) { c.text(c.param("text")); });
    }).detach();
  });
  start();
  std::deque<Client> clients;
  std::string batch;
  for (const char* kind : {"call", "coroutine", "respond", "at-once", "later"}) {
    for (const char* text : {"a", "b"}) {
      batch += get_request("/" + std::string(kind) + "/" + text) + get_request("/echo/between");
    }
  }
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect());
    clients.back().send(batch + batch);
  }
  for (Client& client : clients) {
    for (int i = 0; i < 10; ++i) {
      for (const char* text : {"a", "b"}) {
        ASSERT_EQ(client.read_answer().body, text);
        ASSERT_EQ(client.read_answer().body, "between");
      }
    }
  }
}

TEST_P(HandlerKinds, what_a_coroutine_throws_is_500_wherever_it_throws) {
  app.get("/at-once", [](Context& c) -> Task<void> {
    c.set_header("X-Forgotten", "yes");
    throw std::runtime_error("at once");
    co_return;
  });
  app.get("/later", [](Context& c) -> Task<void> {
    c.text("forgotten");
    co_await coro::sleep(milliseconds(1));
    throw 1;
  });
  app.get("/empty", [](Context&) { return Task<void>(); });
  start();
  Client client = connect();
  for (const char* target : {"/at-once", "/later", "/empty"}) {
    SCOPED_TRACE(target);
    const Answer answer = client.get(target);
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.field("x-forgotten"), "");
    EXPECT_EQ(answer.body, "Internal Server Error\n");
  }
  EXPECT_EQ(client.get("/").body, "hello");
  EXPECT_EQ(app.stats().handler_errors, 3U);
}

TEST_P(HandlerKinds, a_coroutine_may_await_others_and_park) {
  app.get("/sum/:n", [](Context& c) -> Task<void> {
    const auto one = [](int number) -> Task<int> {
      co_await coro::sleep(milliseconds(1));
      co_return number;
    };
    const int n = std::stoi(std::string(c.param("n")));
    weft::sleep(milliseconds(1));
    const auto [a, b] = co_await coro::all(one(n), one(1));
    weft::yield();
    c.text(std::to_string(a + b));
  });
  start();
  std::deque<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/sum/" + std::to_string(i)) + get_request("/echo/after"));
  }
  for (int i = 0; i < 50; ++i) {
    Client& client = clients[static_cast<std::size_t>(i)];
    EXPECT_EQ(client.read_answer().body, std::to_string(i + 1));
    EXPECT_EQ(client.read_answer().body, "after");
  }
}

TEST_P(HandlerKinds, a_body_that_comes_late_reaches_a_coroutine_that_has_waited) {
  app.post("/late-body", [this](Context& c) -> Task<void> {
    co_await coro::sleep(milliseconds(1));
    ++reads_begun;
    const std::string_view body = c.body();
    co_await coro::yield();
    c.text(body);
  });
  start();
  Client client = connect();
  client.send(
      "POST /late-body HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("abc");
  expect_still_serving();
  client.send("def" + get_request("/echo/next"));
  EXPECT_EQ(client.read_answer().body, "abcdef");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST_P(HandlerKinds, a_body_that_is_there_before_it_is_asked_for_needs_no_100_continue) {
  Gate reading;
  Gate ending;
  app.post("/two-gates", [&](Context& c) -> Task<void> {
    co_await reading.pass_awaited();
    const std::string_view body = c.body();
    co_await ending.pass_awaited();
    c.text(body);
  });
  start();
  Client client = connect();
  client.send(
      "POST /two-gates HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n"
      "Expect: 100-continue\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return reading.waiting() == 1; }));
  client.send("abcdef");
  // Whoever is served meanwhile gets nothing of what belongs to another.
  expect_still_serving();
  reading.open();
  ASSERT_TRUE(eventually([&] { return ending.waiting() == 1; }));
  expect_still_serving();
  ending.open();
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "abcdef");
}

TEST_P(HandlerKinds, views_stay_valid_while_nobody_runs) {
  app.post("/keep/:one", [this](Context& c, Respond respond) {
    c.body();
    tokens.put(std::move(respond));
  });
  start();
  std::deque<Client> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(connect());
    const std::string number = std::to_string(i);
    waiting.back().send(post_request("/keep/one" + number, "body" + number));
  }
  ASSERT_TRUE(eventually([this] { return tokens.size() == 20; }));
  Client other = connect();
  for (int i = 0; i < 100; ++i) {
    other.send(post_request("/body", std::string(200, 'z')));
    ASSERT_EQ(other.read_answer().body, std::string(200, 'z'));
  }
  while (Respond respond = tokens.take()) {
    respond([](Context& c) { c.text(std::string(c.param("one")) + std::string(c.body())); });
  }
  for (int i = 0; i < 20; ++i) {
    const std::string number = std::to_string(i);
    EXPECT_EQ(waiting[static_cast<std::size_t>(i)].read_answer().body,
              "one" + number + "body" + number);
  }
}

TEST_P(HandlerKinds, other_threads_may_answer) {
  app.get("/token", [this](Context& c, Respond respond) {
    c.text("as it was");
    tokens.put(std::move(respond));
  });
  start();
  std::atomic<bool> done{false};
  std::thread answerer([this, &done] {
    for (int i = 0; !done; ++i) {
      Respond respond = tokens.take();
      if (!respond) {
        std::this_thread::yield();
      } else if (i % 2 == 0) {
        respond();
      } else {
        respond([](Context& c) { c.text("as it was"); });
      }
    }
  });
  std::deque<Client> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(connect());
  for (int round = 0; round < 20; ++round) {
    for (Client& client : clients) client.send(get_request("/token") + get_request("/echo/x"));
    for (Client& client : clients) {
      ASSERT_EQ(client.read_answer().body, "as it was");
      ASSERT_EQ(client.read_answer().body, "x");
    }
  }
  done = true;
  answerer.join();
}

TEST_P(HandlerKinds, a_respond_that_is_dropped_is_500) {
  app.get("/at-once", [](Context& c, Respond) { c.text("never sent"); });
  app.get("/later", [this](Context&, Respond respond) { tokens.put(std::move(respond)); });
  app.get("/assigned", [](Context&, Respond respond) { respond = Respond(); });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/at-once").status, 500);
  EXPECT_EQ(client.get("/assigned").status, 500);
  client.send(get_request("/later"));
  ASSERT_TRUE(eventually([this] { return tokens.size() == 1; }));
  tokens.take();
  EXPECT_EQ(client.read_answer().status, 500);
  EXPECT_EQ(client.get("/").body, "hello");
  EXPECT_EQ(app.stats().handler_errors, 3U);
}

TEST_P(HandlerKinds, a_handler_that_throws_is_500_whatever_becomes_of_its_respond) {
  app.get("/kept", [this](Context&, Respond respond) {
    tokens.put(std::move(respond));
    throw std::runtime_error("after it was given away");
  });
  app.get("/called", [](Context&, Respond respond) {
    respond([](Context& c) { c.text("never sent"); });
    throw std::runtime_error("after it was called");
  });
  app.get("/dropped", [](Context&, Respond) { throw std::runtime_error("with it in hand"); });
  app.get("/fill", [](Context&, Respond respond) {
    respond([](Context&) { throw std::runtime_error("while it gave its answer"); });
  });
  start();
  Client client = connect();
  for (const char* target : {"/kept", "/called", "/dropped", "/fill"}) {
    EXPECT_EQ(client.get(target).status, 500) << target;
  }
  Respond late = tokens.take();
  late([](Context& c) { c.text("too late"); });
  EXPECT_EQ(client.get("/").body, "hello");
  EXPECT_EQ(app.stats().handler_errors, 4U);
}

TEST_P(HandlerKinds, what_waits_when_the_grace_period_is_over_ends_with_503) {
  options.limits.drain_grace = milliseconds(50);
  app.get("/coroutine", [this](Context&) -> Task<void> {
    ++reads_begun;
    co_await coro::sleep(std::chrono::hours(1));
  });
  app.get("/token", [this](Context&, Respond respond) {
    tokens.put(std::move(respond));
    ++reads_begun;
  });
  start();
  Client one = connect();
  Client two = connect();
  one.send(get_request("/coroutine"));
  two.send(get_request("/token"));
  ASSERT_TRUE(eventually([this] { return reads_begun == 2; }));
  app.stop();
  EXPECT_EQ(one.read_answer().status, 503);
  EXPECT_EQ(two.read_answer().status, 503);
  // Nobody is there any more.
  bool ran = false;
  tokens.take()([&ran](Context&) { ran = true; });
  EXPECT_FALSE(ran);
}

TEST_P(HandlerKinds, a_client_that_goes_away_leaves_its_handler_alone) {
  app.get("/token", [this](Context&, Respond respond) { tokens.put(std::move(respond)); });
  start();
  {
    Client client = connect();
    client.send(get_request("/token"));
    ASSERT_TRUE(eventually([this] { return tokens.size() == 1; }));
  }
  expect_still_serving();
  tokens.take()([](Context& c) { c.text("to nobody"); });
  EXPECT_TRUE(all_connections_closed());
}

TEST_P(HandlerKinds, a_thousand_may_wait_at_once) {
  start();
  constexpr int kCount = 1000;
  std::deque<Client> clients;
  for (int i = 0; i < kCount; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/gate/" + std::to_string(i)));
  }
  ASSERT_TRUE(eventually([this] { return gate.waiting() == kCount; })) << gate.waiting();
  expect_still_serving();
  EXPECT_GE(app.stats().green_threads_parked, std::uint64_t{kCount});
  gate.open();
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(clients[static_cast<std::size_t>(i)].read_answer().body, std::to_string(i));
  }
}

}  // namespace weft::http::test
