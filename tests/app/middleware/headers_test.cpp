// What puts headers into answers: request_id(), response_time(), secure_headers(), cors().

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "plain_app.hpp"

namespace weft::app::test {

namespace {

using Headers = PlainApp;

// Answers of every kind, at the paths below.
void add_kinds(App& app) {
  app.get("/text", [](Context& c) { c.text("text"); });
  app.get("/stream", [](Context& c) {
    auto out = c.stream("text/plain", 4);
    out.write("abcd");
  });
  app.get("/error", [](Context& c) {
    c.set_header("X-Other", "goes");
    Context::abort(418, "short");
  });
  app.get("/throws", [](Context& c) {
    c.set_header("X-Other", "goes");
    throw std::runtime_error("thrown");
  });
  app.get("/coroutine", [](Context& c) -> Task<void> {
    co_await coro::yield();
    c.text("text");
  });
}
constexpr const char* kKinds[] = {"/text", "/stream", "/error", "/throws", "/coroutine", "/none"};

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

// ---- Lasting headers

TEST_F(Headers, that_last_stay_when_a_handler_throws_and_when_the_answer_is_cleared) {
  app.use([](Context& c, Next& next) {
    c.set_header("X-Plain", "1");
    c.answer().lasting_header("X-Lasting", "1");
    c.set_header("X-Plain-Too", "1");
    c.answer().lasting_header("X-Lasting-Too", "2");
    next();
  });
  add_kinds(app);
  app.get("/cleared", [](Context& c) {
    c.answer().clear();
    c.text("cleared");
  });
  app.get("/set", [](Context& c) {
    c.set_header("x-plain", "3").add_header("X-PLAIN", "4").set_header("X-Lasting", "5");
    Context::abort(400);
  });
  app.get("/twice", [](Context& c) {
    c.add_header("X-Two", "1").add_header("x-two", "2").add_header("X-Three", "3");
    c.set_header("X-TWO", c.answer().header("x-three"));
    EXPECT_THROW(c.set_header("X-Two", "a\nb"), std::invalid_argument);
    c.add_header("content-type", "text/a").add_header("Content-Type", "text/b").text("");
  });
  app.get("/removed", [](Context& c) {
    c.answer().remove_header("x-lasting");
    c.answer().remove_header("x-plain");
    EXPECT_EQ(c.answer().header("X-Lasting-Too"), "2");
    c.answer().clear();
  });
  app.get("/replaced", [](Context& c) {
    c.answer().lasting_header("x-lasting", std::string(400, 'y'));
    Context::abort(400);
  });
  RawClient client = start();
  const Answer text = ask(client, "GET", "/text");
  EXPECT_EQ(text.field("x-plain") + text.field("x-plain-too"), "11");
  for (const char* path : {"/error", "/throws", "/cleared"}) {
    const Answer answer = ask(client, "GET", path);
    EXPECT_EQ(answer.field("x-lasting") + answer.field("x-lasting-too"), "12") << path;
    EXPECT_EQ(answer.field("x-plain") + answer.field("x-plain-too"), "") << path;
    EXPECT_EQ(answer.field("x-other"), "") << path;
  }
  const Answer removed = ask(client, "GET", "/removed");
  EXPECT_EQ(removed.field("x-lasting") + removed.field("x-lasting-too"), "2");
  EXPECT_EQ(removed.field("x-plain-too"), "");
  const Answer set = ask(client, "GET", "/set");
  EXPECT_EQ(set.field("x-plain"), "");
  EXPECT_EQ(set.field("x-lasting") + set.field("x-lasting-too"), "52");
  const Answer twice = ask(client, "GET", "/twice");
  EXPECT_EQ(twice.field("x-two"), "3");
  EXPECT_EQ(twice.field("content-type"), "text/b");
  EXPECT_FALSE(says(twice.head, "text/a")) << twice.head;
  EXPECT_FALSE(says(twice.head, "X-Two: 1")) << twice.head;
  EXPECT_FALSE(says(twice.head, "x-two: 2")) << twice.head;
  const Answer replaced = ask(client, "GET", "/replaced");
  EXPECT_EQ(replaced.field("x-lasting"), std::string(400, 'y'));
  EXPECT_EQ(replaced.field("x-lasting-too"), "2");
}

// ---- request_id()

TEST_F(Headers, a_request_without_a_name_gets_one_whatever_becomes_of_it) {
  app.use(request_id());
  add_kinds(app);
  RawClient client = start();
  std::set<std::string> seen;
  for (const char* path : kKinds) {
    const std::string id = ask(client, "GET", path).field("x-request-id");
    EXPECT_EQ(id.size(), 32U) << path;
    EXPECT_TRUE(is_hex(id)) << id;
    EXPECT_TRUE(seen.insert(id).second) << "twice: " << id;
  }
}

TEST_F(Headers, names_are_unique_over_workers_and_threads) {
  app.use(request_id());
  add_kinds(app);
  options.workers = 2;
  start();
  std::vector<std::set<std::string>> seen(4);
  std::vector<std::thread> threads;
  for (auto& mine : seen) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        RawClient client(app.port());
        mine.insert(client.get("/text").field("x-request-id"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : seen) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 200U);
}

TEST_F(Headers, a_well_formed_name_is_taken_and_anything_else_is_not) {
  app.use(request_id({.most_bytes = 20}));
  app.get("/", [](Context& c) { c.text(c.get<RequestId>()->text()); });
  RawClient client = start();
  const auto named = [&](const std::string& name) {
    const Answer answer = ask(client, "GET", "/", "x-request-id: " + name + "\r\n");
    EXPECT_EQ(answer.body, answer.field("x-request-id"));
    return answer.body == name;
  };
  EXPECT_TRUE(named("a"));
  EXPECT_TRUE(named("AZaz09-_.:+/=@"));
  EXPECT_TRUE(named(std::string(20, 'x')));
  for (const std::string& bad :
       {std::string(21, 'x'), std::string("a b"), std::string("a\"b"), std::string("<a>"),
        std::string("a\tb"), std::string("\xc3\xa4"), std::string("a,b"), std::string("a%0ab")}) {
    EXPECT_FALSE(named(bad)) << bad;
  }
}

TEST_F(Headers, a_name_may_have_another_header_and_be_the_servers_choice_alone) {
  app.get("/own", request_id({.header = "X-Trace", .accept = false}),
          [](Context& c) { c.text(c.get<RequestId>()->text()); });
  RawClient client = start();
  const Answer answer = ask(client, "GET", "/own", "X-Trace: mine\r\n");
  EXPECT_NE(answer.body, "mine");
  EXPECT_EQ(answer.field("x-trace"), answer.body);
}

TEST_F(Headers, a_uuid_of_version_7_has_the_time_in_front) {
  app.use(request_id({.format = RequestIdFormat::uuid_v7}));
  app.get("/", [](Context& c) { c.text(""); });
  RawClient client = start();
  const auto now_ms = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const auto before = now_ms();
  const std::string id = client.get("/").field("x-request-id");
  const auto after = now_ms();
  ASSERT_EQ(id.size(), 36U);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) EXPECT_EQ(id[at], '-') << id;
  EXPECT_EQ(id[14], '7');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
  const long long ms = std::stoll(id.substr(0, 8) + id.substr(9, 4), nullptr, 16);
  EXPECT_GE(ms, before);
  EXPECT_LE(ms, after);
}

TEST(HeaderOptions, of_request_id_are_checked) {
  EXPECT_TRUE(says(refusal([] { request_id({.header = "X Y"}); }), "X Y"));
  EXPECT_TRUE(says(refusal([] { request_id({.header = "Date"}); }), "Date"));
  EXPECT_TRUE(says(refusal([] { request_id({.most_bytes = 0}); }), "from 1 to 1024"));
  EXPECT_TRUE(says(refusal([] { request_id({.most_bytes = 1025}); }), "1025"));
}

// ---- response_time()

TEST_F(Headers, the_time_is_told_whatever_becomes_of_the_request) {
  app.use(response_time());
  add_kinds(app);
  RawClient client = start();
  for (const char* path : kKinds) {
    const std::string time = ask(client, "GET", path).field("x-response-time");
    ASSERT_TRUE(time.ends_with("ms")) << path << ": " << time;
    EXPECT_EQ(time.find('.'), time.size() - 6) << time;
    EXPECT_LT(std::stod(time), 20'000) << time;
  }
}

TEST_F(Headers, the_time_holds_what_a_handler_waits) {
  app.get("/", response_time(), [](Context& c) {
    weft::sleep(std::chrono::milliseconds(30));
    c.text("");
  });
  // Of a stream it is the time until its head.
  app.get("/stream", response_time(), [](Context& c) {
    weft::sleep(std::chrono::milliseconds(30));
    auto out = c.stream("text/plain");
    out.flush();
    weft::sleep(std::chrono::milliseconds(1));
  });
  RawClient client = start();
  EXPECT_GE(std::stod(client.get("/").field("x-response-time")), 30);
  EXPECT_GE(std::stod(client.get("/stream").field("x-response-time")), 30);
}

TEST_F(Headers, server_timing_stands_beside_what_a_handler_says) {
  app.use(response_time({.format = ResponseTimeFormat::server_timing, .metric = "all"}));
  app.get("/", [](Context& c) { c.set_header("Server-Timing", "db;dur=5").text(""); });
  app.get("/empty-stream", [](Context& c) {
    auto out = c.stream("text/plain");
    out.write("");
  });
  RawClient client = start();
  const std::string head = client.get("/").head;
  EXPECT_TRUE(says(head, "Server-Timing: all;dur=")) << head;
  EXPECT_TRUE(says(head, "Server-Timing: db;dur=5")) << head;
  const std::string empty = client.get("/empty-stream").head;
  const std::size_t first = empty.find("Server-Timing");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(empty.find("Server-Timing", first + 1), std::string::npos) << empty;
  EXPECT_TRUE(says(refusal([] {
                     response_time({.format = ResponseTimeFormat::server_timing, .metric = "a b"});
                   }),
                   "token"));
}

// ---- secure_headers()

TEST_F(Headers, of_security_are_on_every_answer) {
  app.use(secure_headers());
  add_kinds(app);
  RawClient client = start();
  for (const char* path : kKinds) {
    const Answer answer = ask(client, "GET", path);
    EXPECT_EQ(answer.field("x-content-type-options"), "nosniff") << path;
    EXPECT_EQ(answer.field("x-frame-options"), "SAMEORIGIN");
    EXPECT_EQ(answer.field("referrer-policy"), "strict-origin-when-cross-origin");
    EXPECT_EQ(answer.field("cross-origin-opener-policy"), "same-origin");
    EXPECT_EQ(answer.field("cross-origin-resource-policy"), "same-origin");
    EXPECT_EQ(answer.field("x-permitted-cross-domain-policies"), "none");
    EXPECT_EQ(answer.field("origin-agent-cluster"), "?1");
    EXPECT_TRUE(answer.field("content-security-policy").starts_with("default-src 'self'"));
    EXPECT_FALSE(says(answer.head, "Strict-Transport-Security"));
    EXPECT_FALSE(says(answer.head, "Permissions-Policy"));
  }
}

TEST_F(Headers, of_security_are_what_the_options_say_and_a_handler_has_the_last_word) {
  app.use(secure_headers({.content_security_policy = "default-src 'none'",
                          .report_only = true,
                          .referrer_policy = "",
                          .frame_options = "DENY",
                          .permissions_policy = "camera=()"}));
  app.get("/", [](Context& c) { c.text(""); });
  app.get("/own", [](Context& c) {
    c.set_header("X-Frame-Options", "SAMEORIGIN");
    c.text("");
  });
  RawClient client = start();
  const Answer answer = client.get("/");
  EXPECT_EQ(answer.field("content-security-policy-report-only"), "default-src 'none'");
  EXPECT_EQ(answer.field("content-security-policy"), "");
  EXPECT_FALSE(says(answer.head, "Referrer-Policy"));
  EXPECT_EQ(answer.field("x-frame-options"), "DENY");
  EXPECT_EQ(answer.field("permissions-policy"), "camera=()");
  EXPECT_EQ(client.get("/own").field("x-frame-options"), "SAMEORIGIN");
}

TEST_F(Headers, hsts_is_told_over_https_alone_unless_always) {
  options.trusted_proxies = "loopback";
  const Hsts hsts{.max_age = std::chrono::hours(24 * 730), .preload = true};
  app.get("/", secure_headers({.hsts = hsts}), [](Context& c) { c.text(""); });
  app.get("/always", secure_headers({.hsts = Hsts{}, .hsts_always = true}),
          [](Context& c) { c.text(""); });
  RawClient client = start();
  const std::string name = "strict-transport-security";
  EXPECT_EQ(client.get("/").field(name), "");
  EXPECT_EQ(ask(client, "GET", "/", "X-Forwarded-Proto: https\r\n").field(name),
            "max-age=63072000; includeSubDomains; preload");
  EXPECT_EQ(client.get("/always").field(name), "max-age=31536000; includeSubDomains");
}

TEST(HeaderOptions, of_secure_headers_are_checked) {
  EXPECT_TRUE(says(refusal([] { secure_headers({.referrer_policy = "a\r\nb"}); }), "line break"));
  const Hsts short_preload{.max_age = std::chrono::hours(1), .preload = true};
  EXPECT_TRUE(says(refusal([&] { secure_headers({.hsts = short_preload}); }), "a year"));
  const Hsts own_preload{.include_subdomains = false, .preload = true};
  EXPECT_TRUE(says(refusal([&] { secure_headers({.hsts = own_preload}); }), "subdomains"));
  const Hsts negative{.max_age = std::chrono::seconds(-1)};
  EXPECT_TRUE(says(refusal([&] { secure_headers({.hsts = negative}); }), "negative"));
}

// ---- cors()

namespace {

class CorsTest : public PlainApp {
 protected:
  Answer from(RawClient& client, const std::string& origin, const std::string& path = "/x",
              const std::string& more = {}) {
    return ask(client, "GET", path, "Origin: " + origin + "\r\n" + more);
  }
  Answer preflight(RawClient& client, const std::string& origin, const std::string& more = {},
                   const std::string& path = "/x") {
    return ask(client, "OPTIONS", path,
               "Origin: " + origin + "\r\nAccess-Control-Request-Method: PUT\r\n" + more);
  }
  void serve(const CorsOptions& cors_options) {
    app.use(cors(cors_options));
    app.put("/x", [this](Context& c) {
      ++reached;
      c.text("put");
    });
    app.get("/x", [](Context& c) { c.text("x"); });
    app.get("/fails", [](Context&) { Context::abort(403, "no"); });
  }

  std::atomic<int> reached{0};
};

const std::string kAllow = "access-control-allow-origin";

}  // namespace

TEST_F(CorsTest, a_star_lets_all_in_without_a_vary) {
  serve({});
  RawClient client = start();
  const Answer answer = from(client, "https://a.example");
  EXPECT_EQ(answer.field(kAllow), "*");
  EXPECT_EQ(answer.field("vary"), "");
  EXPECT_EQ(answer.body, "x");
  EXPECT_EQ(client.get("/x").field(kAllow), "");
  // Errors may be read, too, and so may the answer that there is nothing.
  EXPECT_EQ(from(client, "https://a.example", "/fails").field(kAllow), "*");
  EXPECT_EQ(from(client, "https://a.example", "/none").field(kAllow), "*");
  EXPECT_EQ(from(client, "https://a.example", "/none").status, 404);
}

TEST_F(CorsTest, a_preflight_is_answered_204_and_reaches_no_handler) {
  serve({});
  RawClient client = start();
  const Answer answer = preflight(client, "https://a.example",
                                  "Access-Control-Request-Headers: x-one, content-type\r\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.field(kAllow), "*");
  EXPECT_EQ(answer.field("access-control-allow-methods"), "GET, HEAD, POST, PUT, PATCH, DELETE");
  EXPECT_EQ(answer.field("access-control-allow-headers"), "x-one, content-type");
  EXPECT_EQ(answer.field("access-control-max-age"), "600");
  EXPECT_EQ(answer.field("vary"), "Access-Control-Request-Method, Access-Control-Request-Headers");
  EXPECT_EQ(answer.field("access-control-allow-private-network"), "");
  EXPECT_EQ(preflight(client, "https://a.example", "", "/none").status, 204);
  EXPECT_EQ(reached, 0);
  // One that asks for no method is an ordinary OPTIONS.
  const Answer plain = ask(client, "OPTIONS", "/x", "Origin: https://a.example\r\n");
  EXPECT_EQ(plain.field("allow"), "GET, HEAD, PUT, OPTIONS");
  EXPECT_EQ(plain.field(kAllow), "*");
}

TEST_F(CorsTest, origins_that_are_named_are_repeated_and_others_are_not) {
  serve({.origins = {"https://a.example", "http://localhost:3000", "https://*.b.example"},
         .expose = {"X-Total", "X-Page"},
         .credentials = true});
  RawClient client = start();
  for (const char* good : {"https://a.example", "http://localhost:3000", "https://x.b.example",
                           "https://x.y.b.example"}) {
    const Answer answer = from(client, good);
    EXPECT_EQ(answer.field(kAllow), good);
    EXPECT_EQ(answer.field("access-control-allow-credentials"), "true");
    EXPECT_EQ(answer.field("access-control-expose-headers"), "X-Total, X-Page");
    EXPECT_EQ(answer.field("vary"), "Origin");
  }
  for (const char* bad :
       {"http://a.example", "https://a.example:8443", "https://a.example.evil", "https://b.example",
        "https://evilb.example", "https://.b.example", "null", "https://evil/.b.example",
        "https://evil?.b.example", "https://evil@x.b.example", "HTTPS://A.EXAMPLE"}) {
    const Answer answer = from(client, bad);
    EXPECT_EQ(answer.field(kAllow), "") << bad;
    EXPECT_EQ(answer.field("access-control-allow-credentials"), "") << bad;
    EXPECT_EQ(answer.field("vary"), "Origin") << bad;
    EXPECT_EQ(answer.body, "x");
    const Answer before = preflight(client, bad);
    EXPECT_EQ(before.status, 204);
    EXPECT_EQ(before.field(kAllow) + before.field("access-control-allow-methods"), "") << bad;
  }
  // Caches must keep the answer without an origin apart, too.
  EXPECT_EQ(client.get("/x").field("vary"), "Origin");
}

TEST_F(CorsTest, a_function_decides_about_the_rest) {
  serve({.origins = {}, .allow_origin = [](Context& c, std::string_view origin) {
           weft::yield();
           return c.path() == "/x" && origin == "https://dynamic.example";
         }});
  RawClient client = start();
  EXPECT_EQ(from(client, "https://dynamic.example").field(kAllow), "https://dynamic.example");
  EXPECT_EQ(from(client, "https://other.example").field(kAllow), "");
  EXPECT_EQ(preflight(client, "https://dynamic.example").field("vary"),
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
}

TEST_F(CorsTest, what_a_page_asks_for_is_repeated_only_if_it_is_a_list_of_headers) {
  serve({});
  RawClient client = start();
  for (const std::string& bad :
       {std::string("a b"), std::string("x-y, ,\"z\""), std::string(1025, 'x')}) {
    const Answer answer =
        preflight(client, "https://a.example", "Access-Control-Request-Headers: " + bad + "\r\n");
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.field("access-control-allow-headers"), "") << bad;
  }
}

TEST_F(CorsTest, lists_and_the_private_network_are_options) {
  serve({.methods = {"GET", "PUT"},
         .headers = {"X-Key"},
         .max_age = std::nullopt,
         .private_network = true});
  RawClient client = start();
  const Answer answer = preflight(client, "https://a.example",
                                  "Access-Control-Request-Headers: x-other\r\n"
                                  "Access-Control-Request-Private-Network: true\r\n");
  EXPECT_EQ(answer.field("access-control-allow-methods"), "GET, PUT");
  EXPECT_EQ(answer.field("access-control-allow-headers"), "X-Key");
  EXPECT_EQ(answer.field("access-control-max-age"), "");
  EXPECT_EQ(answer.field("access-control-allow-private-network"), "true");
  EXPECT_TRUE(says(answer.field("vary"), "Access-Control-Request-Private-Network"));
  EXPECT_EQ(preflight(client, "https://a.example").field("access-control-allow-private-network"),
            "");
}

TEST_F(CorsTest, a_group_has_rules_of_its_own) {
  auto api = app.group("/api", cors({.origins = {"https://a.example"}}));
  api.put("/x", [](Context& c) { c.text(""); });
  app.put("/x", [](Context& c) { c.text(""); });
  RawClient client = start();
  EXPECT_EQ(preflight(client, "https://a.example", "", "/api/x").field(kAllow),
            "https://a.example");
  EXPECT_EQ(preflight(client, "https://a.example").field(kAllow), "");
}

TEST_F(CorsTest, what_a_handler_or_its_upstream_says_of_the_same_gives_way) {
  const auto say = [](Context& c) {
    c.set_header("access-control-allow-origin", "*");
    c.set_header("Access-Control-Allow-Credentials", "true");
    c.set_header("Access-Control-Expose-Headers", "X-Theirs").set_header("X-Theirs", "1");
  };
  app.get("/before", say);
  app.use(cors({.origins = {"https://a.example"}, .expose = {"X-Ours"}}));
  app.get("/whole", [say](Context& c) {
    say(c);
    c.text("whole");
  });
  app.get("/stream", [say](Context& c) {
    say(c);
    c.stream("text/plain", 4).write("part");
  });
  RawClient client = start();
  for (const std::string path : {"/whole", "/stream"}) {
    const Answer answer = from(client, "https://a.example", path);
    EXPECT_EQ(answer.field(kAllow), "https://a.example") << path;
    EXPECT_EQ(answer.head.find("allow-origin: *"), std::string::npos) << answer.head;
    EXPECT_EQ(answer.field("access-control-allow-credentials"), "") << path;
    EXPECT_EQ(answer.field("access-control-expose-headers"), "X-Ours") << path;
    EXPECT_EQ(answer.field("x-theirs"), "1") << path;
    // Whom it does not let in, nobody does.
    EXPECT_EQ(from(client, "https://b.example", path).field(kAllow), "") << path;
    EXPECT_EQ(ask(client, "GET", path).field(kAllow), "") << path;
  }
  EXPECT_EQ(from(client, "https://b.example", "/before").field(kAllow), "*");
}

TEST_F(CorsTest, a_vary_of_the_handlers_stands_beside_its_own) {
  app.use(cors({.origins = {"https://a.example"}}));
  app.get("/set", [](Context& c) {
    c.set_header("vary", "Accept").set_header("Vary", "Accept-Language");
    c.text("set");
  });
  app.get("/added", [](Context& c) {
    c.add_header("Vary", "Accept-Language");
    c.text("added");
  });
  app.get("/fails", [](Context& c) {
    c.set_header("Vary", "Accept-Language");
    Context::abort(403, "no");
  });
  app.get("/removed", [](Context& c) {
    c.answer().remove_header("Vary");
    c.text("removed");
  });
  RawClient client = start();
  for (const std::string path : {"/set", "/added"}) {
    const Answer answer = from(client, "https://a.example", path);
    EXPECT_TRUE(says(answer.head, "Vary: Origin\r\n")) << answer.head;
    EXPECT_TRUE(says(answer.head, "Vary: Accept-Language\r\n")) << answer.head;
    EXPECT_FALSE(says(answer.head, "Accept\r\n")) << answer.head;
  }
  // What does not last goes with an error, and the other stays.
  const Answer failed = from(client, "https://a.example", "/fails");
  EXPECT_TRUE(says(failed.head, "Vary: Origin\r\n")) << failed.head;
  EXPECT_FALSE(says(failed.head, "Accept-Language")) << failed.head;
  EXPECT_EQ(from(client, "https://a.example", "/removed").field("vary"), "");
}

TEST(HeaderOptions, of_cors_are_checked) {
  EXPECT_TRUE(says(refusal([] { cors({.credentials = true}); }), "named"));
  EXPECT_TRUE(says(refusal([] {
                     cors(
                         {.origins = {"https://a.example"}, .headers = {"*"}, .credentials = true});
                   }),
                   "\"*\" among the headers"));
  EXPECT_TRUE(says(refusal([] { cors({.origins = {}}); }), "nobody"));
  for (const char* bad : {"a.example", "https://a.example/", "https://A.example", "https://",
                          "https://*", "https://a.*.example", "https://*.a.example/", "", "://a"}) {
    EXPECT_TRUE(says(refusal([&] { cors({.origins = {bad}}); }), "no origin")) << bad;
  }
  EXPECT_TRUE(says(refusal([] { cors({.methods = {"GET PUT"}}); }), "methods"));
  EXPECT_TRUE(says(refusal([] { cors({.expose = {"a:"}}); }), "expose"));
  EXPECT_TRUE(says(refusal([] { cors({.max_age = std::chrono::seconds(-1)}); }), "max_age"));
}

}  // namespace weft::app::test
