// cache() over sockets: what is kept, for how long, and for whom.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/middleware/cache_test.hpp"
#include "app/middleware/unpack.hpp"

namespace weft {

namespace {

using http::test::Answer;
using RawClient = http::test::Client;
using namespace std::chrono_literals;

class Cache : public app::test::CacheTest {};
INSTANTIATE_TEST_SUITE_P(Topologies, Cache,
                         testing::Values("epoll", "io_uring", "io_uring_shared", "epoll_coroutine"),
                         http::test::backend_of);

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

TEST(CacheOptions, what_makes_no_sense_is_refused) {
  EXPECT_THROW(try_cache({.ttl = -1ms}), std::invalid_argument);
  EXPECT_THROW(try_cache({.stale_while_revalidate = -1ms}), std::invalid_argument);
  EXPECT_THROW(try_cache({.status_header = "X Cache"}), std::invalid_argument);
}

}  // namespace weft
