// limiter and max_in_flight over sockets, with a clock that the test sets; and the table of buckets
// against a simple model of them.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <unordered_map>

#include "app/middleware/rate_table.hpp"
#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using app::test::refusal;
using http::test::Answer;
using namespace std::chrono_literals;

class Limited : public http::test::ServerTest {
 protected:
  LimiterOptions with_clock(LimiterOptions options) {
    options.clock = [this] { return std::chrono::nanoseconds(now_ns.load()); };
    return options;
  }
  void advance(std::chrono::nanoseconds time) { now_ns += time.count(); }
  static std::string by_query(Context& c) { return std::string(c.query("who")); }
  Answer get(std::string_view target) {
    http::test::Client client = connect();
    return client.get(target);
  }
  std::string left(std::string_view target) { return get(target).field("ratelimit-remaining"); }

  std::atomic<std::int64_t> now_ns{1'000'000'000};
};

}  // namespace

TEST_P(Limited, requests_beyond_the_bucket_are_429_until_there_is_room) {
  app.use(limiter(with_clock({.requests = 3, .window = 30s})));
  std::atomic<int> handled{0};
  app.get("/x", [&](Context& c) { c.text(std::to_string(++handled)); });
  start();
  for (const auto& [remaining, reset] : {std::pair{"2", "10"}, {"1", "20"}, {"0", "30"}}) {
    const Answer answer = get("/x");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("ratelimit-limit"), "3");
    EXPECT_EQ(answer.field("ratelimit-remaining"), remaining);
    EXPECT_EQ(answer.field("ratelimit-reset"), reset);
    EXPECT_EQ(answer.field("ratelimit-policy"), "3;w=30");
    EXPECT_EQ(answer.field("retry-after"), "");
  }
  advance(1s);
  Answer answer = get("/x");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("retry-after"), "9");
  EXPECT_EQ(answer.field("ratelimit-remaining"), "0");
  EXPECT_EQ(answer.field("ratelimit-reset"), "29");
  // What was refused has not cost anything.
  advance(9s - 1ns);
  EXPECT_EQ(get("/x").field("retry-after"), "1");
  advance(1ns);
  EXPECT_EQ(get("/x").body, "4");
  EXPECT_EQ(get("/x").status, 429);
  advance(1h);
  EXPECT_EQ(left("/x"), "2");
  // Where no route fits it counts, too.
  EXPECT_EQ(get("/nowhere").status, 404);
  EXPECT_EQ(left("/x"), "0");
}

TEST_P(Limited, keys_have_buckets_of_their_own_and_some_requests_none) {
  app.get("/x",
          limiter(with_clock({.requests = 1,
                              .burst = 2,
                              .key = &by_query,
                              .skip = [](Context& c) { return c.query("free") == "1"; }})),
          [](Context& c) { c.text("x"); });
  app.get("/plain", limiter(with_clock({.requests = 1, .headers = false})),
          [](Context& c) { c.text("x"); });
  start();
  EXPECT_EQ(get("/x?who=a").field("ratelimit-policy"), "1;w=60;burst=2");
  EXPECT_EQ(left("/x?who=a"), "0");
  EXPECT_EQ(get("/x?who=a").status, 429);
  EXPECT_EQ(left("/x?who=b"), "1");
  EXPECT_EQ(left("/x"), "1");
  EXPECT_EQ(get("/x?who=a&free=1").status, 200);
  EXPECT_EQ(get("/x?who=a&free=1").field("ratelimit-limit"), "");
  EXPECT_EQ(get("/plain").field("ratelimit-limit"), "");
  EXPECT_EQ(get("/plain").status, 429);
}

TEST_P(Limited, clients_have_a_bucket_for_each_address) {
  app.get("/x", limiter(with_clock({.requests = 1})), [](Context& c) { c.text("x"); });
  start();
  const auto from = [this](std::uint32_t address) {
    http::test::Client client(app.port(), 0, address);
    return client.get("/x").status;
  };
  constexpr std::uint32_t kFirst = 0x7F000001;
  EXPECT_EQ(from(kFirst), 200);
  EXPECT_EQ(from(kFirst), 429);
  EXPECT_EQ(from(kFirst + 1), 200);
  EXPECT_EQ(from(kFirst), 429);
  EXPECT_EQ(from(kFirst + 1), 429);
}

TEST_P(Limited, clients_of_a_trusted_proxy_have_a_bucket_each_and_those_of_others_none) {
  app.get("/x", limiter(with_clock({.requests = 1})), [](Context& c) { c.text("x"); });
  options.trusted_proxies = "127.0.0.1";
  start();
  const auto from = [this](std::uint32_t address, const std::string& client) {
    http::test::Client peer(app.port(), 0, address);
    return peer.ask("GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + client + "\r\n\r\n").status;
  };
  constexpr std::uint32_t kProxy = 0x7F000001;
  EXPECT_EQ(from(kProxy, "192.0.2.1"), 200);
  EXPECT_EQ(from(kProxy, "192.0.2.1"), 429);
  EXPECT_EQ(from(kProxy, "192.0.2.2"), 200);
  // What it has made up itself stands in front of what the proxy says.
  EXPECT_EQ(from(kProxy, "203.0.113.7, 192.0.2.2"), 429);
  EXPECT_EQ(from(kProxy + 1, "203.0.113.8"), 200);
  EXPECT_EQ(from(kProxy + 1, "203.0.113.9"), 429);
}

TEST(Limiter, tells_ipv4_clients_of_an_ipv6_socket_apart) {
  App app;
  app.get("/x", limiter({.requests = 1}), [](Context& c) { c.text("x"); });
  TestClient one(app, {.peer = "::ffff:192.0.2.1"});
  TestClient other(app, {.peer = "::ffff:192.0.2.2"});
  EXPECT_EQ(one.get("/x").status(), 200);
  EXPECT_EQ(one.get("/x").status(), 429);
  EXPECT_EQ(other.get("/x").status(), 200);
}

TEST_P(Limited, a_full_table_drops_the_idle_and_never_the_busy) {
  app.get("/x", limiter(with_clock({.requests = 2, .window = 20s, .key = &by_query, .keys = 2})),
          [](Context& c) { c.text("x"); });
  start();
  EXPECT_EQ(left("/x?who=a"), "1");
  EXPECT_EQ(left("/x?who=b"), "1");
  // The third and fourth have no room, and one bucket for both.
  EXPECT_EQ(left("/x?who=c"), "1");
  EXPECT_EQ(left("/x?who=d"), "0");
  EXPECT_EQ(get("/x?who=c").status, 429);
  // Others have what they had.
  EXPECT_EQ(left("/x?who=a"), "0");
  // b is idle from here on, and a is not.
  advance(10s);
  EXPECT_EQ(left("/x?who=c"), "1");
  EXPECT_EQ(left("/x?who=c"), "0");
  EXPECT_EQ(left("/x?who=a"), "0");
  EXPECT_EQ(get("/x?who=a").status, 429);
  // So b finds no room, but what has come back to the bucket of those.
  EXPECT_EQ(left("/x?who=b"), "0");
  EXPECT_EQ(get("/x?who=b").status, 429);
}

TEST_P(Limited, so_many_requests_are_in_flight_and_no_more) {
  app.get("/x", max_in_flight({.requests = 2, .retry_after = 7s}), [this](Context& c) {
    gate.pass();
    c.text("done");
  });
  app.get("/fails", max_in_flight({.requests = 1}), [](Context&) { Context::abort(418); });
  start();
  http::test::Client first = connect();
  http::test::Client second = connect();
  for (http::test::Client* client : {&first, &second}) {
    client->send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  ASSERT_TRUE(http::test::eventually([this] { return gate.waiting() == 2; }));
  const Answer refused = get("/x");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("retry-after"), "7");
  gate.open();
  EXPECT_EQ(first.read_answer().body, "done");
  EXPECT_EQ(second.read_answer().body, "done");
  EXPECT_EQ(get("/x").body, "done");
  // What throws has left, too.
  EXPECT_EQ(get("/fails").status, 418);
  EXPECT_EQ(get("/fails").status, 418);
}

TEST_P(Limited, each_key_has_so_many_requests_in_flight) {
  app.get("/x",
          max_in_flight({.requests = 1,
                         .key = &by_query,
                         .skip = [](Context& c) { return c.query("free") == "1"; }}),
          [this](Context& c) {
            gate.pass();
            c.text("done");
          });
  start();
  http::test::Client first = connect();
  first.send("GET /x?who=a HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(http::test::eventually([this] { return gate.waiting() == 1; }));
  EXPECT_EQ(get("/x?who=a").status, 429);
  EXPECT_EQ(get("/x?who=a").field("retry-after"), "1");
  http::test::Client other = connect();
  other.send("GET /x?who=b HTTP/1.1\r\nHost: a\r\n\r\n");
  http::test::Client free = connect();
  free.send("GET /x?who=a&free=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(http::test::eventually([this] { return gate.waiting() == 3; }));
  gate.open();
  EXPECT_EQ(first.read_answer().status, 200);
  EXPECT_EQ(other.read_answer().status, 200);
  EXPECT_EQ(free.read_answer().status, 200);
  EXPECT_EQ(get("/x?who=a").status, 200);
}

TEST_P(Limited, workers_share_the_buckets) {
  options.workers = 2;
  app.get("/x", limiter(with_clock({.requests = 100})), [](Context& c) { c.text("x"); });
  start();
  std::atomic<int> allowed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (int connection = 0; connection < 10; ++connection) {
        http::test::Client client = connect();
        for (int request = 0; request < 5; ++request) {
          if (client.get("/x").status == 200) ++allowed;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(allowed, 100);
}

INSTANTIATE_TEST_SUITE_P(Backends, Limited, http::test::every_backend, http::test::backend_of);

TEST(RateTable, agrees_with_buckets_that_are_never_dropped) {
  constexpr app::Rate kRate{7, 7 * 4};
  constexpr std::size_t kClients = 3000;
  // There is room for all who are busy, but not for all.
  app::RateTable table(kRate, 2048);
  std::unordered_map<std::uint64_t, std::int64_t> model;
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> numbers(kClients);
  for (std::uint64_t& number : numbers) number = random();
  std::int64_t now_ns = 0;
  int refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    now_ns += static_cast<std::int64_t>(random() % 2);
    // Some ask all the time.
    const std::uint64_t number = numbers[random() % (i % 2 == 0 ? 8 : kClients)];
    const app::RateVerdict expected = app::take_one(kRate, model[number], now_ns);
    const app::RateVerdict found = table.take(number, now_ns);
    ASSERT_EQ(found.allowed, expected.allowed) << i;
    ASSERT_EQ(found.left, expected.left) << i;
    ASSERT_EQ(found.full_after_ns, expected.full_after_ns) << i;
    ASSERT_EQ(found.retry_after_ns, expected.retry_after_ns) << i;
    if (!found.allowed) ++refused;
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 199'000);
}

TEST(LimiterOptions, that_make_no_sense_are_refused_with_what_to_do) {
  EXPECT_EQ(refusal([] { (void)limiter({.requests = 0}); }),
            "limiter allows no request: give it .requests");
  EXPECT_NE(refusal([] { (void)limiter({.window = 0s}); }).find(".window"), std::string::npos);
  EXPECT_NE(refusal([] { (void)limiter({.requests = 1001, .window = 1us}); }).find(".window"),
            std::string::npos);
  EXPECT_NE(refusal([] { (void)limiter({.window = 24h * 365 * 80}); }).find("70 years"),
            std::string::npos);
  EXPECT_NE(
      refusal([] { (void)limiter({.requests = 1, .burst = ~std::uint64_t{0}}); }).find(".burst"),
      std::string::npos);
  EXPECT_NE(refusal([] { (void)limiter({.keys = 0}); }).find(".keys"), std::string::npos);
  EXPECT_EQ(refusal([] { (void)max_in_flight({.requests = 0}); }),
            "max_in_flight allows no request: give it .requests");
  EXPECT_NE(refusal([] { (void)max_in_flight({.retry_after = -1s}); }).find(".retry_after"),
            std::string::npos);
}

}  // namespace weft
