// cache() and etag() over sockets: what is kept and for how long, for whom, and who waits for whom.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>

#include "app/middleware/cache_rules.hpp"
#include "app/middleware/cache_store.hpp"
#include "app/middleware/unpack.hpp"
#include "http/entity_tag.hpp"
#include "http/server/server_test.hpp"
#include "http/server/stream_client.hpp"

namespace weft {

namespace {

using http::test::Answer;
using http::test::eventually;
using RawClient = http::test::Client;
using namespace std::chrono_literals;

std::string get_request(std::string_view target, std::string_view fields = {},
                        std::string_view method = "GET") {
  return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: A.example\r\n" +
         std::string(fields) + "\r\n";
}

class Cache : public http::test::ServerTest {
 protected:
  // Each call is told from the others by its number.
  void count_calls(Context& c) { c.text("call " + std::to_string(++calls)); }
  Answer ask(std::string_view target, std::string_view fields = {},
             std::string_view method = "GET") {
    RawClient client = connect();
    client.send(get_request(target, fields, method));
    return client.read_answer(method == "HEAD");
  }
  // How often the handler is called for two requests of the same.
  int calls_for_two(std::string_view target, std::string_view fields = {}) {
    const int before = calls;
    ask(target, fields);
    ask(target, fields);
    return calls - before;
  }

  std::shared_ptr<ResponseCache> store = std::make_shared<ResponseCache>();
  std::atomic<int> calls{0};
};
INSTANTIATE_TEST_SUITE_P(Topologies, Cache,
                         testing::Values("epoll", "io_uring", "io_uring_shared", "epoll_coroutine"),
                         http::test::backend_of);

class Etag : public Cache {};
INSTANTIATE_TEST_SUITE_P(Backends, Etag, http::test::every_backend, http::test::backend_of);

void try_cache(const CacheOptions& options = {}) { static_cast<void>(cache(options)); }

}  // namespace

TEST_P(Cache, an_answer_is_given_again_as_it_was) {
  app.use([](Context& c, Next& next) {
    c.set_header("X-Request", std::string(c.query("id")));
    next();
  });
  app.use(cache({.ttl = 1h, .store = store}));
  app.get("/list", [&](Context& c) {
    c.set_header("X-One", "1");
    c.status(203);
    count_calls(c);
  });
  start();
  const Answer first = ask("/list?b=2&id=1&a=1");
  const Answer again = ask("/list?id=1&a=1&b=2");
  EXPECT_EQ(first.field("x-cache"), "MISS");
  EXPECT_EQ(first.field("age"), "");
  EXPECT_EQ(again.field("x-cache"), "HIT");
  EXPECT_EQ(again.field("age"), "0");
  EXPECT_EQ(again.status, 203);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.field("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(again.field("x-one"), "1");
  EXPECT_EQ(again.field("x-request"), "1");
  const Answer head = ask("/list?id=1&a=1&b=2", {}, "HEAD");
  EXPECT_EQ(head.field("x-cache"), "HIT");
  EXPECT_EQ(head.field("content-length"), std::to_string(first.body.size()));
  EXPECT_EQ(calls, 1);
  ask("/list?id=1&a=1&b=3");
  EXPECT_EQ(calls, 2);
  RawClient other = connect();
  other.ask("GET /list?id=1&a=1&b=3 HTTP/1.1\r\nHost: other\r\n\r\n");
  EXPECT_EQ(calls, 3);
  const ResponseCache::Stats stats = store->stats();
  EXPECT_EQ(stats.hits, 2U);
  EXPECT_EQ(stats.misses, 3U);
  EXPECT_EQ(stats.entries, 3U);
}

TEST_P(Cache, what_an_answer_says_of_itself_goes_before_the_option) {
  app.use(cache({.ttl = 1h, .store = store}));
  const std::vector<std::pair<std::string, bool>> cases{
      {"max-age=60", true},
      {"Public, Max-Age=60", true},
      {"max-age=0", false},
      {"max-age=0, s-maxage=60", true},
      {"max-age=60, s-maxage=0", false},
      {"no-store", false},
      {"no-cache", false},
      {"private", false},
      {"private=\"x-a\"", false},
      {"max-age=abc", false},
      {"max-age=99999999999999999999", true},
      {"s-maxage=\"60\"", true},
      {"immutable", true},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    app.get("/" + std::to_string(i), [&, i](Context& c) {
      c.set_header("Cache-Control", cases[i].first);
      count_calls(c);
    });
  }
  start();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(calls_for_two("/" + std::to_string(i)), cases[i].second ? 1 : 2) << cases[i].first;
  }
}

TEST_P(Cache, what_is_for_one_client_or_not_whole_is_not_kept) {
  app.use(cache({.ttl = 1h, .store = store}));
  app.get("/cookie", [&](Context& c) {
    c.set_cookie("a", "b");
    count_calls(c);
  });
  app.get("/star", [&](Context& c) {
    c.set_header("Vary", "Origin, *");
    count_calls(c);
  });
  app.get("/stream", [&](Context& c) {
    ++calls;
    c.stream("text/plain", 1).write("a");
  });
  app.get("/fails", [&](Context&) {
    ++calls;
    throw std::runtime_error("it broke");
  });
  app.get("/busy", [&](Context& c) {
    c.status(503);
    count_calls(c);
  });
  app.get("/missing", [&](Context& c) {
    c.status(404);
    count_calls(c);
  });
  app.get("/gone", [&](Context& c) {
    c.status(410).set_header("Cache-Control", "max-age=60");
    count_calls(c);
  });
  app.get("/plain", [&](Context& c) { count_calls(c); });
  app.get("/public", [&](Context& c) {
    c.set_header("Cache-Control", "public, max-age=60");
    count_calls(c);
  });
  app.post("/plain", [&](Context& c) { count_calls(c); });
  app.get("/big", [&](Context& c) {
    ++calls;
    c.text(std::string(2 * 1024 * 1024, 'b'));
  });
  start();
  for (const char* const path :
       {"/cookie", "/star", "/stream", "/fails", "/busy", "/missing", "/big"}) {
    EXPECT_EQ(calls_for_two(path), 2) << path;
  }
  EXPECT_EQ(calls_for_two("/gone"), 1);
  EXPECT_EQ(calls_for_two("/plain", "Cache-Control: no-store\r\n"), 2);
  for (const char* const credentials : {"Authorization: Basic eA==\r\n", "Cookie: session=1\r\n"}) {
    EXPECT_EQ(calls_for_two("/plain", credentials), 2) << credentials;
  }
  ask("/plain");
  EXPECT_EQ(calls_for_two("/plain"), 0);
  EXPECT_EQ(calls_for_two("/plain", "Cookie: session=1\r\n"), 2);
  EXPECT_EQ(calls_for_two("/plain", "Range: bytes=0-0\r\n"), 2);
  EXPECT_EQ(calls_for_two("/public", "Cookie: session=1\r\n"), 1);
  EXPECT_EQ(calls_for_two("/public", "Authorization: Basic eA==\r\n"), 0);
  // Who forces a reload is not heeded unless that is asked for.
  EXPECT_EQ(calls_for_two("/plain", "Cache-Control: no-cache\r\n"), 0);
  RawClient client = connect();
  const int before = calls;
  client.ask(http::test::post_request("/plain", ""));
  EXPECT_EQ(calls, before + 1);
}

TEST_P(Cache, an_answer_that_varies_is_kept_for_each_variant) {
  app.use(cache({.ttl = 1h, .store = store}));
  app.use(compress({.min_bytes = 1}));
  app.get("/text", [&](Context& c) {
    ++calls;
    c.set_header("Vary", "Accept-Language");
    c.text(std::string(c.header("accept-language")) + test::prose(3'000));
  });
  start();
  const auto language = [](const char* name, const char* coding) {
    return "Accept-Language: " + std::string(name) + "\r\nAccept-Encoding: " + coding + "\r\n";
  };
  for (int round = 0; round < 2; ++round) {
    for (const char* const name : {"de", "fr"}) {
      for (const char* const coding : {"gzip", "br"}) {
        const Answer answer = ask("/text", language(name, coding));
        EXPECT_EQ(answer.field("content-encoding"), coding);
        EXPECT_EQ(test::unpack(coding, answer.body), name + test::prose(3'000));
        EXPECT_EQ(answer.field("x-cache"), round == 0 ? "MISS" : "HIT");
      }
    }
  }
  EXPECT_EQ(calls, 4);
  // Said otherwise, it is the same.
  ask("/text", language("de", "deflate, GZIP;q=1.0"));
  EXPECT_EQ(calls, 4);
  // A client can make up as many as it likes.
  for (int i = 0; i < 40; ++i) ask("/text", language(std::to_string(i).c_str(), "gzip"));
  EXPECT_EQ(store->stats().entries, 16U);
}

TEST_P(Cache, requests_that_miss_the_same_wait_for_one_of_them) {
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

TEST_P(Cache, those_who_wait_for_what_is_not_kept_are_answered_by_themselves) {
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

TEST_P(Cache, one_that_fails_or_goes_leaves_the_others_to_try) {
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

TEST_P(Cache, what_is_old_is_given_while_one_request_renews_it_or_fails_to) {
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

TEST_P(Cache, purging_forgets_keys_and_what_is_being_made) {
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

TEST_P(Cache, keys_may_be_the_applications_own_and_stores_shared) {
  app.use(cache({.ttl = 1h,
                 .key =
                     [](Context& c) {
                       return c.path().starts_with("/live") ? std::string()
                                                            : std::string(c.query("id"));
                     },
                 .heed_clients = true,
                 .status_header = "X-Kept",
                 .store = store}));
  app.get("/x", [&](Context& c) { count_calls(c); });
  app.get("/live", [&](Context& c) { count_calls(c); });
  start();
  ask("/x?id=7&noise=1");
  EXPECT_EQ(ask("/x?id=7&noise=2").field("x-kept"), "HIT");
  EXPECT_EQ(calls_for_two("/live?id=7"), 2);
  EXPECT_EQ(calls_for_two("/x?id=7", "Cache-Control: max-age=0, no-cache\r\n"), 2);
  EXPECT_TRUE(store->purge("7"));
}

TEST_P(Cache, a_client_that_has_it_gets_a_304_out_of_memory) {
  app.use(cache({.ttl = 1h, .store = store}), etag());
  app.get("/tagged", [&](Context& c) { count_calls(c); });
  start();
  const std::string tag = ask("/tagged").field("etag");
  ASSERT_NE(tag, "");
  const Answer same = ask("/tagged", "If-None-Match: \"x\", " + tag + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("x-cache"), "HIT");
  EXPECT_EQ(same.field("etag"), tag);
  EXPECT_EQ(same.field("content-length"), "");
  EXPECT_EQ(ask("/tagged", "If-None-Match: \"x\"\r\n").status, 200);
  EXPECT_EQ(calls, 1);
}

TEST(CacheStore, stays_within_its_bound_and_lets_go_what_was_used_longest_ago) {
  constexpr std::size_t kBytes = 16 * 20'000;
  app::CacheStore store(kBytes);
  http::Limits limits;
  http::HeadParser parser(limits);
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.advance(text), http::ParseState::complete);
  const http::HeadView head(parser.head(), text.data());
  const auto now = app::CacheClock::now();
  const auto answer_of = [&](std::size_t size) {
    auto answer = std::make_shared<app::StoredAnswer>();
    answer->body.assign(size, 'b');
    answer->fresh_until = answer->stale_until = now + 1h;
    return answer;
  };
  std::mt19937 random(11);
  const auto keep = [&](const std::string& key, std::size_t size) {
    const app::CacheStore::Asked asked{key, head};
    return store.keep(asked, {}, store.find(asked, now).purges, answer_of(size));
  };
  for (int i = 0; i < 3'000; ++i) {
    ASSERT_TRUE(keep("key" + std::to_string(random() % 500), random() % 10'000));
    ASSERT_LE(store.stats().bytes, kBytes);
    // This one is in use.
    keep("used", 10);
  }
  EXPECT_GT(store.stats().evicted, 100U);
  EXPECT_NE(store.find({"used", head}, now).answer, nullptr);
  EXPECT_EQ(store.find({"used", head}, now + 2h).answer, nullptr);
  EXPECT_FALSE(keep("huge", 20'001));
  store.clear();
  EXPECT_EQ(store.stats().bytes, 0U);
  EXPECT_EQ(store.stats().entries, 0U);
}

TEST(CacheStore, takes_no_memory_for_what_is_not_kept) {
  app::CacheStore store(1024);
  http::Limits limits;
  http::HeadParser parser(limits);
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.advance(text), http::ParseState::complete);
  const http::HeadView head(parser.head(), text.data());
  const auto now = app::CacheClock::now();
  std::size_t passed = 0;
  const auto key_of = [](int i) { return std::string(10'000, 'k') + std::to_string(i); };
  constexpr int kKeys = 10'000;
  for (int i = 0; i < kKeys; ++i) store.keep_out(key_of(i), now + 5s);
  for (int i = 0; i < kKeys; ++i) passed += store.find({key_of(i), head}, now).pass ? 1U : 0U;
  // The youngest push out the others.
  EXPECT_TRUE(store.find({key_of(kKeys - 1), head}, now).pass);
  EXPECT_LE(passed, 16U * 256);
  EXPECT_FALSE(store.find({key_of(kKeys - 1), head}, now + 5s).pass);
}

TEST_P(Cache, an_answer_is_for_the_host_and_scheme_that_the_application_knows) {
  options.trusted_proxies = "loopback";
  app.use(cache({.ttl = 1h, .store = store}));
  app.get("/link", [&](Context& c) {
    c.text(std::string(c.scheme()) + "://" + std::string(c.host()) + "/" + std::to_string(++calls));
  });
  start();
  EXPECT_EQ(ask("/link").body, "http://A.example/1");
  EXPECT_EQ(ask("/link", "X-Forwarded-Host: evil.example\r\n").body, "http://evil.example/2");
  EXPECT_EQ(ask("/link", "X-Forwarded-Proto: https\r\n").body, "https://A.example/3");
  EXPECT_EQ(ask("/link", "X-Forwarded-Proto: https\r\n").body, "https://A.example/3");
  EXPECT_EQ(ask("/link").body, "http://A.example/1");
  // One key stands for both schemes.
  EXPECT_TRUE(store->purge("a.example/link"));
  EXPECT_EQ(ask("/link", "X-Forwarded-Proto: https\r\n").body, "https://A.example/4");
}

TEST_P(Cache, names_in_a_query_that_are_the_same_when_decoded_keep_their_order) {
  app.use(cache({.ttl = 1h, .store = store}));
  app.get("/first", [](Context& c) { c.text(c.query("a")); });
  start();
  EXPECT_EQ(ask("/first?a=1&%61=2").body, "1");
  EXPECT_EQ(ask("/first?%61=2&a=1").body, "2");
}

TEST_P(Cache, expires_says_how_long_where_nothing_else_does) {
  app.use(cache({.ttl = 1h, .store = store}));
  const std::vector<std::pair<std::string, bool>> cases{
      {"0", false},
      {"Thu, 01 Jan 2015 00:00:00 GMT", false},
      {"Fri, 01 Jan 2100 00:00:00 GMT", true},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    app.get("/" + std::to_string(i), [&, i](Context& c) {
      c.set_header("Expires", cases[i].first);
      count_calls(c);
    });
  }
  app.get("/both", [&](Context& c) {
    c.set_header("Expires", "0").set_header("Cache-Control", "max-age=60");
    count_calls(c);
  });
  start();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(calls_for_two("/" + std::to_string(i)), cases[i].second ? 1 : 2) << cases[i].first;
  }
  EXPECT_EQ(calls_for_two("/both"), 1);
}

TEST_P(Cache, an_old_answer_has_nothing_of_the_one_that_failed) {
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

TEST_P(Cache, who_asks_for_nothing_to_be_kept_has_nobody_wait) {
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

TEST_P(Cache, nobody_waits_for_the_end_of_a_stream) {
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

TEST_P(Cache, who_has_waited_long_enough_has_its_own_made) {
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

TEST(CacheOptions, what_makes_no_sense_is_refused) {
  EXPECT_THROW(try_cache({.ttl = -1ms}), std::invalid_argument);
  EXPECT_THROW(try_cache({.stale_while_revalidate = -1ms}), std::invalid_argument);
  EXPECT_THROW(try_cache({.status_header = "X Cache"}), std::invalid_argument);
}

TEST_P(Etag, whole_answers_are_tagged_and_compared) {
  app.use(etag());
  app.get("/text", [](Context& c) { c.text("text"); });
  app.get("/other", [](Context& c) { c.text("other"); });
  app.get("/long", [](Context& c) {
    c.set_header("Cache-Control", "max-age=3");
    c.text(test::prose(100'000));
  });
  app.get("/own", [](Context& c) {
    c.set_header("ETag", "W/\"a,b\"");
    c.text("own");
  });
  app.get("/made", [](Context& c) { c.status(201).text("made"); });
  app.get("/stream", [](Context& c) { c.stream("text/plain", 1).write("a"); });
  app.post("/text", [](Context& c) { c.text("text"); });
  start();
  const std::string tag = ask("/text").field("etag");
  EXPECT_EQ(tag.size(), 34U);
  EXPECT_EQ(tag, ask("/text").field("etag"));
  EXPECT_EQ(tag, ask("/text", {}, "HEAD").field("etag"));
  EXPECT_NE(tag, ask("/other").field("etag"));
  const Answer whole = ask("/long");
  const Answer same = ask("/long", "If-None-Match: W/" + whole.field("etag") + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(same.field("cache-control"), "max-age=3");
  EXPECT_EQ(same.field("etag"), whole.field("etag"));
  EXPECT_EQ(ask("/long", "If-None-Match: *\r\n", "HEAD").status, 304);
  EXPECT_EQ(ask("/text", "If-None-Match: " + whole.field("etag") + "\r\n").status, 200);
  EXPECT_EQ(ask("/own", "If-None-Match: \"x\", \"a,b\"\r\n").status, 304);
  EXPECT_EQ(ask("/own", "If-None-Match: \"a\"\r\n").body, "own");
  EXPECT_EQ(ask("/text", "If-Match: " + tag + "\r\n").status, 200);
  EXPECT_EQ(ask("/text", "If-Match: *\r\n").status, 200);
  const Answer refused = ask("/text", "If-Match: W/" + tag + "\r\n");
  EXPECT_EQ(refused.status, 412);
  EXPECT_EQ(refused.body, "Precondition Failed\n");
  EXPECT_EQ(ask("/made").field("etag"), "");
  EXPECT_EQ(ask("/stream").field("etag"), "");
  EXPECT_EQ(ask("/stream").body, "a");
  RawClient client = connect();
  EXPECT_EQ(client.ask(http::test::post_request("/text", "")).field("etag"), "");
}

TEST_P(Etag, stands_outside_of_compress_and_tags_what_is_sent) {
  app.use(etag(), compress());
  app.get("/text", [](Context& c) { c.text(test::prose(4'000)); });
  start();
  const Answer packed = ask("/text", "Accept-Encoding: gzip\r\n");
  const Answer plain = ask("/text");
  EXPECT_EQ(packed.field("content-encoding"), "gzip");
  EXPECT_NE(packed.field("etag"), plain.field("etag"));
  const Answer same =
      ask("/text", "Accept-Encoding: gzip\r\nIf-None-Match: " + packed.field("etag") + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("vary"), "Accept-Encoding");
  EXPECT_EQ(same.field("content-encoding"), "");
}

TEST(EntityTags, are_taken_off_a_list_whatever_they_hold) {
  std::string_view list = " \"a,b\" , W/\"\",, \"c\"x";
  EXPECT_EQ(http::take_entity_tag(list), "\"a,b\"");
  EXPECT_EQ(http::take_entity_tag(list), "W/\"\"");
  EXPECT_EQ(http::take_entity_tag(list), "\"c\"");
  EXPECT_EQ(http::take_entity_tag(list), std::nullopt);
  for (std::string_view malformed : {"", "a", "\"a", "w/\"a\"", "W/a"}) {
    EXPECT_EQ(http::take_entity_tag(malformed), std::nullopt) << malformed;
  }
  EXPECT_TRUE(http::tags_match_weakly("W/\"a\"", "\"a\""));
  EXPECT_FALSE(http::tags_match_strongly("W/\"a\"", "W/\"a\""));
  EXPECT_TRUE(http::tags_match_strongly("\"a\"", "\"a\""));
}

}  // namespace weft
