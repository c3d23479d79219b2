// cache() over sockets: requests that wait for one another, and what is made anew behind them.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "app/middleware/cache_test.hpp"

namespace weft {

namespace {

using app::test::get_request;
using http::test::Answer;
using http::test::eventually;
using RawClient = http::test::Client;
using namespace std::chrono_literals;

class CacheSharing : public app::test::CacheTest {};
INSTANTIATE_TEST_SUITE_P(Topologies, CacheSharing,
                         testing::Values("epoll", "io_uring", "io_uring_shared", "epoll_coroutine"),
                         http::test::backend_of);

}  // namespace

TEST_P(CacheSharing, requests_that_miss_the_same_wait_for_one_of_them) {
  options.workers = 2;
  app.use(cache({.ttl = 1h, .wait = 60s, .store = store}));
  app.get("/slow", [&](Context& c) {
    gate.pass();
    count_calls(c);
  });
  start();
  std::vector<RawClient> clients;
  constexpr int kClients = 12;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/slow"));
  }
  ASSERT_TRUE(eventually([&] { return store->stats().coalesced == kClients - 1; }));
  EXPECT_EQ(gate.waiting(), 1);
  gate.open();
  for (RawClient& client : clients) EXPECT_EQ(client.read_answer().body, "call 1");
  EXPECT_EQ(calls, 1);
}

TEST_P(CacheSharing, those_who_wait_for_what_is_not_kept_are_answered_by_themselves) {
  app.use(cache({.ttl = 1h, .wait = 60s, .store = store}));
  http::test::Gate second;
  app.get("/private", [&](Context& c) {
    (calls == 0 ? gate : second).pass();
    c.set_header("Cache-Control", "private");
    count_calls(c);
  });
  app.get("/fails", [&](Context& c) {
    if (++calls > 1) return c.text("it works");
    gate.pass();
    throw std::runtime_error("it broke");
  });
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(connect());
    clients.back().send(get_request("/private"));
    ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  }
  ASSERT_TRUE(eventually([&] { return store->stats().coalesced == 3; }));
  gate.open();
  // All of them at once: none waits for another again.
  EXPECT_TRUE(eventually([&] { return second.waiting() == 3; }));
  second.open();
  for (RawClient& client : clients) EXPECT_EQ(client.read_answer().status, 200);
}

TEST_P(CacheSharing, one_that_fails_or_goes_leaves_the_others_to_try) {
  app.use(cache({.ttl = 1h, .wait = 60s, .store = store}));
  app.get("/fails", [&](Context& c) {
    if (++calls > 1) return c.text("it works");
    gate.pass();
    throw std::runtime_error("it broke");
  });
  start();
  RawClient first = connect();
  first.send(get_request("/fails"));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  RawClient other = connect();
  other.send(get_request("/fails"));
  ASSERT_TRUE(eventually([&] { return store->stats().coalesced == 1; }));
  if (names("epoll")) {
    gate.open();
    EXPECT_EQ(first.read_answer().status, 500);
  } else {
    first.reset();
  }
  EXPECT_EQ(other.read_answer().body, "it works");
}

TEST_P(CacheSharing, what_is_old_is_given_while_one_request_renews_it_or_fails_to) {
  app.use(cache({.ttl = 1ms, .stale_while_revalidate = 1h, .wait = 60s, .store = store}));
  std::atomic<bool> fails{false};
  std::atomic<bool> waits{false};
  app.get("/old", [&](Context& c) {
    if (fails) throw std::runtime_error("it broke");
    if (waits) gate.pass();
    count_calls(c);
  });
  app.get("/strict", [&](Context& c) {
    c.set_header("Cache-Control", "max-age=60, must-revalidate");
    count_calls(c);
  });
  start();
  EXPECT_EQ(ask("/old").body, "call 1");
  // Old from the next millisecond on.
  ASSERT_TRUE(eventually([&] { return ask("/old").body == "call 2"; }));
  fails = true;
  EXPECT_TRUE(eventually([&] { return ask("/old").field("x-cache") == "STALE"; }));
  fails = false;
  waits = true;
  const int before = calls;
  RawClient renewing = connect();
  ASSERT_TRUE(eventually([&] {
    if (gate.waiting() == 1) return true;
    renewing.send(get_request("/old"));
    return eventually([&] { return gate.waiting() == 1 || renewing.has_input(); }) &&
           (gate.waiting() == 1 || !renewing.read_answer().body.empty()) && gate.waiting() == 1;
  }));
  const Answer meanwhile = ask("/old");
  EXPECT_EQ(meanwhile.field("x-cache"), "STALE");
  EXPECT_EQ(meanwhile.body, "call " + std::to_string(before));
  gate.open();
  EXPECT_EQ(renewing.read_answer().body, "call " + std::to_string(before + 1));
}

TEST_P(CacheSharing, purging_forgets_keys_and_what_is_being_made) {
  app.use(cache({.ttl = 1h, .store = store}));
  app.get("/a/{n}", [&](Context& c) { count_calls(c); });
  app.get("/slow", [&](Context& c) {
    gate.pass();
    count_calls(c);
  });
  start();
  for (const char* const path : {"/a/1", "/a/2", "/a/2?x=1"}) ask(path);
  EXPECT_TRUE(store->purge("a.example/a/1"));
  EXPECT_FALSE(store->purge("a.example/a/1"));
  EXPECT_EQ(calls_for_two("/a/2"), 0);
  EXPECT_EQ(calls_for_two("/a/1"), 1);
  EXPECT_EQ(store->purge_prefix("a.example/a/2"), 2U);
  EXPECT_EQ(store->stats().entries, 1U);
  EXPECT_EQ(calls_for_two("/a/2"), 1);
  RawClient client = connect();
  client.send(get_request("/slow"));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  store->clear();
  EXPECT_EQ(store->stats().entries, 0U);
  EXPECT_EQ(store->stats().bytes, 0U);
  gate.open();
  client.read_answer();
  EXPECT_EQ(store->stats().entries, 0U);
  EXPECT_EQ(calls_for_two("/slow"), 1);
}

TEST_P(CacheSharing, an_old_answer_has_nothing_of_the_one_that_failed) {
  std::atomic<bool> fails_behind{false};
  std::atomic<bool> fails{false};
  app.use([&](Context&, Next& next) {
    next();
    if (fails_behind) throw std::runtime_error("it broke");
  });
  app.use(cache({.ttl = 1ms, .stale_while_revalidate = 1h, .store = store}));
  app.use([&](Context& c, Next& next) {
    if (fails) c.answer().lasting_header("X-Lasting", std::string(25, 'l'));
    next();
  });
  app.get("/old", [&](Context& c) {
    if (fails) throw std::runtime_error("it broke");
    count_calls(c);
  });
  start();
  ASSERT_EQ(ask("/old").body, "call 1");
  fails = true;
  Answer old;
  ASSERT_TRUE(eventually([&] { return (old = ask("/old")).field("x-cache") == "STALE"; }));
  EXPECT_EQ(old.body, "call 1");
  EXPECT_EQ(old.field("x-lasting"), "");
  // Nothing lasts that is not there.
  fails_behind = true;
  const Answer failed = ask("/old");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.field("age"), "");
  EXPECT_EQ(failed.field("x-cache"), "");
}

TEST_P(CacheSharing, who_asks_for_nothing_to_be_kept_has_nobody_wait) {
  app.use(cache({.ttl = 1h, .wait = 60s, .store = store}));
  app.get("/slow", [&](Context& c) {
    if (!c.header("cache-control").empty()) gate.pass();
    count_calls(c);
  });
  start();
  RawClient first = connect();
  first.send(get_request("/slow", "Cache-Control: no-store\r\n"));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  EXPECT_EQ(ask("/slow").body, "call 1");
  EXPECT_EQ(ask("/slow").field("x-cache"), "HIT");
  gate.open();
  EXPECT_EQ(first.read_answer().body, "call 2");
}

TEST_P(CacheSharing, nobody_waits_for_the_end_of_a_stream) {
  app.use(cache({.ttl = 1h, .wait = 60s, .store = store}));
  std::atomic<int> begun{0};
  app.get("/stream", [&](Context& c) {
    if (++begun == 1) gate.pass();
    c.stream("text/plain", 1).write("a").flush();
    while (begun < 3) sleep(1ms);
  });
  start();
  RawClient first = connect();
  first.send(get_request("/stream"));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  RawClient second = connect();
  second.send(get_request("/stream"));
  ASSERT_TRUE(eventually([&] { return store->stats().coalesced == 1; }));
  gate.open();
  EXPECT_TRUE(eventually([&] { return begun == 2; }));
  RawClient third = connect();
  third.send(get_request("/stream"));
  EXPECT_TRUE(eventually([&] { return begun == 3; }));
  begun = 3;
  for (RawClient* client : {&first, &second, &third}) EXPECT_EQ(client->read_answer().status, 200);
}

TEST_P(CacheSharing, who_has_waited_long_enough_has_its_own_made) {
  app.use(cache({.ttl = 1h, .wait = 1ms, .store = store}));
  std::atomic<int> begun{0};
  app.get("/slow", [&](Context& c) {
    if (++begun == 1) gate.pass();
    count_calls(c);
  });
  start();
  RawClient first = connect();
  first.send(get_request("/slow"));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  EXPECT_EQ(ask("/slow").body, "call 1");
  EXPECT_EQ(store->stats().coalesced, 1U);
  gate.open();
  EXPECT_EQ(first.read_answer().body, "call 2");
}

}  // namespace weft
