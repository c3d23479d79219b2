// TestClient: what it sees of an App is what a client on a port sees.
#include "weft/test_client.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/weft.hpp"

namespace weft {
namespace {

struct Sent {
  std::string name;
  int age = 0;
};

}  // namespace

template <>
struct Schema<Sent> {
  static constexpr auto fields = weft::fields(field("name", &Sent::name), field("age", &Sent::age));
};

namespace {

using std::chrono::milliseconds;

// Sanitizers need more stack.
TestClientOptions wide() {
  TestClientOptions options;
  options.server.stack_bytes = 256 * 1024;
  options.server.stall_after = milliseconds(0);
  return options;
}

TEST(TestClient, an_answer_has_its_status_fields_body_and_json) {
  App app;
  app.get("/users/{id}", [](Context& c) {
    c.set_header("X-Kind", "user").add_header("X-Kind", "second");
    c.json({{"id", c.param("id")}, {"tags", {"a", "b"}}});
  });
  TestClient client(app, wide());
  const TestResponse got = client.get("/users/7?x=1");
  EXPECT_EQ(got.status(), 200);
  EXPECT_EQ(got.header("x-kind"), "user");
  EXPECT_EQ(got.headers("X-KIND"), (std::vector<std::string_view>{"user", "second"}));
  EXPECT_EQ(got.header("content-type"), "application/json");
  EXPECT_EQ(got.body(), R"({"id":"7","tags":["a","b"]})");
  EXPECT_EQ(got.json()["tags"].at(1).as_string(), "b");
  EXPECT_EQ(got.target(), "/users/7?x=1");
  EXPECT_TRUE(got.complete());
  EXPECT_EQ(got.error(), "");
  EXPECT_TRUE(got.log().empty());
}

TEST(TestClient, a_body_that_is_no_json_says_where) {
  App app;
  app.get("/", [](Context& c) { c.text("{oh no"); });
  TestClient client(app, wide());
  const TestResponse got = client.get("/");
  try {
    static_cast<void>(got.json());
    ADD_FAILURE() << "it is JSON after all";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("line 1"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("{oh no"), std::string::npos) << error.what();
  }
}

TEST(TestClient, every_method_reaches_its_route_and_head_has_no_body) {
  App app;
  const auto say = [](Context& c) { c.text(c.method()); };
  app.get("/", say).post("/", say).put("/", say).patch("/", say).del("/", say);
  TestClient client(app, wide());
  EXPECT_EQ(client.get("/").body(), "GET");
  EXPECT_EQ(client.post("/").body(), "POST");
  EXPECT_EQ(client.put("/", "x").body(), "PUT");
  EXPECT_EQ(client.patch("/", "x").body(), "PATCH");
  EXPECT_EQ(client.del("/").body(), "DELETE");
  const TestResponse head = client.head("/");
  EXPECT_EQ(head.status(), 200);
  EXPECT_EQ(head.header("content-length"), "4");
  EXPECT_EQ(head.body(), "");
  EXPECT_EQ(client.options("/").header("allow"), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(client.request(TestRequest("PROPFIND", "/")).status(), 501);
  EXPECT_EQ(client.get("/nowhere").status(), 404);
  EXPECT_THROW(client.get("nowhere"), std::invalid_argument);
  EXPECT_THROW(client.request(TestRequest("NO GOOD", "/")), std::invalid_argument);
  EXPECT_THROW(client.request(TestRequest("GET", "/").header("a", "b\r\nc: d")),
               std::invalid_argument);
}

TEST(TestClient, json_is_sent_of_whatever_can_be_written) {
  App app;
  const auto echo = [](Context& c) {
    c.text(std::string(c.method()) + std::string(c.header("content-type")) + std::string(c.body()));
  };
  app.post("/", echo).put("/", echo).patch("/", echo);
  TestClient client(app, wide());
  const Sent sent{"Ada", 36};
  EXPECT_EQ(client.post_json("/", sent).body(), R"(POSTapplication/json{"name":"Ada","age":36})");
  EXPECT_EQ(client.put_json("/", std::vector<Sent>{sent}).body(),
            R"(PUTapplication/json[{"name":"Ada","age":36}])");
  EXPECT_EQ(client.put_json("/", {{"one", sent}}).body(),
            R"(PUTapplication/json{"one":{"name":"Ada","age":36}})");
  EXPECT_EQ(client.patch_json("/", {{"age", nullptr}}).body(),
            R"(PATCHapplication/json{"age":null})");
  EXPECT_EQ(client.request(TestRequest("POST", "/").json(sent)).body(),
            client.post_json("/", sent).body());
}

TEST(TestClient, state_that_is_missing_is_named_as_in_the_source) {
  App app;
  app.get("/", [](Context& c) { c.text(c.state<Sent>().name); });
  TestClient client(app, wide());
  const std::string error = client.get("/").error();
  EXPECT_NE(error.find("weft::"), std::string::npos) << error;
  EXPECT_NE(error.find("Sent;"), std::string::npos) << error;
}

TEST(TestClient, bodies_of_all_kinds_arrive_as_what_they_are) {
  App app;
  app.post("/json", [](Context& c) { c.text(*c.json_body().root()["name"].as_string()); });
  app.post("/form",
           [](Context& c) { c.text(std::string(c.form("a")) + "|" + std::string(c.form("b c"))); });
  app.post("/upload", [](Context& c) {
    Upload* file = c.upload("file");
    c.text(std::string(c.form("title")) + "|" + file->sent_file_name() + "|" +
           file->content_type() + "|" + *file->read());
  });
  app.post("/chunks", [](Context& c) {
    std::string all;
    BodyReader in = c.body_stream();
    for (auto part = in.read(); !part.empty(); part = in.read()) all += part;
    c.text(all + "|" + std::string(c.trailer("x-sum")) + "|" +
           std::string(c.header("transfer-encoding")));
  });
  TestClient client(app, wide());
  EXPECT_EQ(client.post_json("/json", {{"name", "Ada"}}).body(), "Ada");
  EXPECT_EQ(
      client.post_form("/form", TestForm().field("a", "1 & 2=\xC3\xA4").field("b c", "+")).body(),
      "1 & 2=\xC3\xA4|+");
  const TestForm with_file = TestForm()
                                 .field("title", "weft-form-0")
                                 .file("file", "a \"b\".txt", "--weft-form-0\r\nx", "text/plain");
  EXPECT_EQ(client.post_form("/upload", with_file).body(),
            "weft-form-0|a \"b\".txt|text/plain|--weft-form-0\r\nx");
  const TestResponse chunked =
      client.request(TestRequest("POST", "/chunks").chunks({"ab", "cd"}).trailer("X-Sum", "4"));
  EXPECT_EQ(chunked.body(), "abcd|4|chunked");
  EXPECT_EQ(client.post("/json", "{", "application/json").status(), 400);
}

TEST(TestClient, a_streamed_answer_is_collected_with_its_trailers) {
  App app;
  app.get("/", [](Context& c) {
    ResponseWriter out = c.stream("text/plain");
    for (int i = 0; i < 3; ++i) {
      out.write("line\n").flush();
      weft::sleep(milliseconds(1));
    }
    out.trailer("X-Lines", "3");
  });
  TestClient client(app, wide());
  const TestResponse got = client.get("/");
  EXPECT_EQ(got.body(), "line\nline\nline\n");
  EXPECT_EQ(got.trailer("x-lines"), "3");
  EXPECT_TRUE(got.complete());
}

TEST(TestClient, a_long_body_that_is_echoed_while_it_is_read_does_not_hang) {
  App app;
  app.post("/", [](Context& c) {
    BodyReader in = c.body_stream();
    ResponseWriter out = c.stream("application/octet-stream");
    for (auto part = in.read(); !part.empty(); part = in.read()) out.write(part);
  });
  TestClientOptions options = wide();
  options.server.limits.body_bytes = 8 * 1024 * 1024;
  TestClient client(app, options);
  const std::string body(4 * 1024 * 1024, 'x');
  EXPECT_EQ(client.post("/", body).body(), body);
  const std::string too_long(9 * 1024 * 1024, 'x');
  EXPECT_EQ(client.post("/", too_long).status(), 413);
  run([&] { EXPECT_EQ(client.post("/", body).body(), body); }, {.stack_bytes = 256 * 1024});
}

TEST(TestClient, what_a_handler_throws_is_answered_and_told) {
  App app;
  app.get("/throws", [](Context&) { throw std::runtime_error("the disk\nis full"); });
  app.get("/odd", [](Context&) { throw 7; });
  app.get("/refuses", [](Context& c) { c.abort(418, "no"); });
  app.get("/breaks", [](Context& c) {
    c.stream("text/plain").write("half").flush();
    throw std::runtime_error("in the middle");
  });
  TestClient client(app, wide());
  const TestResponse thrown = client.get("/throws");
  EXPECT_EQ(thrown.status(), 500);
  EXPECT_EQ(thrown.error(), "the disk\nis full");
  ASSERT_EQ(thrown.log().size(), 1U);
  EXPECT_NE(thrown.log()[0].find("/throws"), std::string::npos);
  EXPECT_TRUE(thrown.complete());
  EXPECT_EQ(client.get("/odd").error(), "an exception that is no std::exception");
  const TestResponse refused = client.get("/refuses");
  EXPECT_EQ(refused.status(), 418);
  EXPECT_EQ(refused.error(), "");
  const TestResponse broken = client.get("/breaks");
  EXPECT_EQ(broken.status(), 200);
  EXPECT_EQ(broken.body(), "half");
  EXPECT_FALSE(broken.complete());
  EXPECT_EQ(broken.error(), "in the middle");
  EXPECT_EQ(client.log().size(), 3U);
}

TEST(TestClient, the_words_of_the_application_are_seen) {
  App app;
  app.not_found([](Context& c) { c.json({{"error", "nothing here"}}); });
  app.on_error([](Context& c, const std::exception& error) { c.text(error.what()); });
  app.use([](Context& c, Next& next) {
    c.set_header("x-before", "1");
    next();
    c.set_header("x-after", std::to_string(c.answer().status()));
  });
  app.get("/throws", [](Context&) { throw std::runtime_error("oh"); });
  TestClient client(app, wide());
  const TestResponse missing = client.get("/nowhere");
  EXPECT_EQ(missing.status(), 404);
  EXPECT_EQ(missing.json()["error"].as_string(), "nothing here");
  EXPECT_EQ(missing.header("x-after"), "404");
  EXPECT_EQ(client.get("/throws").body(), "oh");
}

TEST(TestClient, limits_are_those_of_its_options) {
  App app;
  app.post("/", [](Context& c) { c.text(c.body()); });
  TestClientOptions options = wide();
  options.server.limits.body_bytes = 4;
  options.server.limits.head_bytes = 512;
  TestClient client(app, options);
  EXPECT_EQ(client.post("/", "1234").status(), 200);
  EXPECT_EQ(client.post("/", "12345").status(), 413);
  EXPECT_EQ(client.request(TestRequest("GET", "/").header("x", std::string(600, 'x'))).status(),
            431);
}

TEST(TestClient, a_handler_that_takes_too_long_is_answered_503) {
  App app;
  app.get("/", [](Context&) { weft::sleep(std::chrono::hours(1)); });
  TestClientOptions options = wide();
  options.server.limits.request_timeout = milliseconds(20);
  EXPECT_EQ(TestClient(app, options).get("/").status(), 503);
}

TEST(TestClient, raw_bytes_are_sent_as_they_are) {
  App app;
  app.get("/", [](Context& c) { c.text("fine"); });
  TestClient client(app, wide());
  EXPECT_TRUE(client.send_raw("GET / HTTP/1.1\nHost: a\n\n").starts_with("HTTP/1.1 400 "));
  const std::string two = client.send_raw(
      "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(two.find("fine"), two.rfind("fine"));
  EXPECT_EQ(client.send_raw(""), "");
}

TEST(TestClient, cookies_are_kept_and_expire) {
  App app;
  app.get("/set/all", [](Context& c) {
    c.set_cookie("session", "abc", {.path = "/"});
    c.set_cookie("deep", "1", {.path = "/set"});
    c.add_header("Set-Cookie", "folder=2; Max-Age=100");
    c.add_header("Set-Cookie", "nonsense");
    c.add_header("Set-Cookie", "old=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT");
  });
  app.get("/clear", [](Context& c) { c.clear_cookie("session"); });
  app.get("/set/show", [](Context& c) { c.text(c.header("cookie")); });
  app.get("/settings", [](Context& c) { c.text(c.header("cookie")); });
  TestClient client(app, wide());
  EXPECT_EQ(client.get("/set/show").body(), "");
  client.get("/set/all");
  EXPECT_EQ(client.cookie("session"), "abc");
  EXPECT_EQ(client.cookie("old"), "");
  EXPECT_EQ(client.get("/set/show").body(), "deep=1; folder=2; session=abc");
  EXPECT_EQ(client.get("/settings").body(), "session=abc");
  EXPECT_EQ(client.request(TestRequest("GET", "/settings").header("Cookie", "own=1")).body(),
            "own=1");
  client.get("/clear");
  EXPECT_EQ(client.get("/settings").body(), "");
  client.set_cookie("mine", "2");
  EXPECT_EQ(client.get("/settings").body(), "mine=2");
  client.clear_cookies();
  EXPECT_EQ(client.get("/set/show").body(), "");
  TestClientOptions forgetful = wide();
  forgetful.keep_cookies = false;
  TestClient other(app, forgetful);
  other.get("/set/all");
  EXPECT_EQ(other.get("/set/show").body(), "");
}

TEST(TestClient, redirects_are_followed_when_that_is_wanted) {
  App app;
  app.post("/login", [](Context& c) {
    c.set_cookie("user", "ada");
    c.redirect("/home", 303);
  });
  app.post("/moved", [](Context& c) { c.redirect("http://localhost/echo", 307); });
  app.post("/echo", [](Context& c) { c.text(c.body()); });
  app.get("/home", [](Context& c) { c.text("hello " + std::string(c.cookie("user"))); });
  app.get("/away", [](Context& c) { c.redirect("http://example.com/"); });
  app.get("/round", [](Context& c) { c.redirect("/round"); });
  TestClient plain(app, wide());
  EXPECT_EQ(plain.post("/login", "x").status(), 303);
  TestClientOptions options = wide();
  options.redirects = 3;
  TestClient client(app, options);
  const TestResponse home = client.post("/login", "x");
  EXPECT_EQ(home.body(), "hello ada");
  EXPECT_EQ(home.target(), "/home");
  EXPECT_EQ(client.post("/moved", "kept").body(), "kept");
  EXPECT_EQ(client.get("/away").status(), 302);
  EXPECT_EQ(client.get("/round").status(), 302);
}

TEST(TestClient, headers_host_and_peer_are_what_the_options_say) {
  App app;
  app.get("/", [](Context& c) {
    const auto peer = c.peer();
    c.text(std::string(c.header("host")) + "|" + std::string(c.header("x-key")) + "|" +
           (peer ? peer->host() : "none"));
  });
  TestClientOptions options = wide();
  options.host = "example.com:81";
  options.peer = "2001:db8::7";
  options.headers = {{"X-Key", "k"}};
  TestClient client(app, options);
  EXPECT_EQ(client.get("/").body(), "example.com:81|k|2001:db8::7");
  TestClient plain(app, wide());
  EXPECT_EQ(plain.get("/").body(), "localhost||127.0.0.1");
  options.peer.clear();
  EXPECT_EQ(TestClient(app, options).get("/").body(), "example.com:81|k|none");
  options.peer = "somewhere";
  EXPECT_THROW(TestClient(app, options), std::invalid_argument);
}

class TestClientModels : public testing::TestWithParam<const char*> {};

TEST_P(TestClientModels, handlers_of_all_kinds_that_wait_are_waited_for) {
  App app;
  app.get("/call", [](Context& c) {
    weft::sleep(milliseconds(2));
    c.text("call");
  });
  app.get("/coroutine", [](Context& c) -> Task<void> {
    co_await coro::sleep(milliseconds(2));
    c.text("coroutine");
  });
  app.get("/callback", [](Context&, Respond respond) {
    std::thread([respond = std::move(respond)]() mutable {
      respond([](Context& c) { c.text("callback"); });
    }).detach();
  });
  TestClientOptions options = wide();
  options.server.model = GetParam();
  TestClient client(app, options);
  EXPECT_EQ(client.get("/call").body(), "call");
  EXPECT_EQ(client.get("/coroutine").body(), "coroutine");
  EXPECT_EQ(client.get("/callback").body(), "callback");
}

INSTANTIATE_TEST_SUITE_P(Each, TestClientModels, testing::Values("green", "coroutine", "callback"));

TEST(TestClient, several_at_once_on_green_threads_and_others_see_the_same_application) {
  App app;
  struct Count {
    std::atomic<int> value{0};
  };
  app.state(std::make_shared<Count>());
  app.get("/", [](Context& c) {
    weft::yield();
    c.text(std::to_string(++c.state<Count>().value));
  });
  constexpr int kEach = 10;
  const auto ask = [&app] {
    TestClient client(app, wide());
    for (int i = 0; i < kEach; ++i) EXPECT_EQ(client.get("/").status(), 200);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(ask);
  run(
      [&] {
        scope([&](Scope& all) {
          for (int i = 0; i < 3; ++i) all.spawn(ask);
        });
      },
      {.stack_bytes = 256 * 1024});
  for (std::thread& thread : threads) thread.join();
  TestClient last(app, wide());
  EXPECT_EQ(last.get("/").body(), std::to_string(6 * kEach + 1));
}

TEST(TestClient, a_handler_may_wait_for_the_green_thread_that_asks_and_for_another) {
  App app;
  Channel<std::string> said(1);
  app.get("/", [&said](Context& c) { c.text(said.receive().value_or("nothing")); });
  run(
      [&] {
        TestClient client(app, wide());
        spawn([&said] { said.send("hello"); });
        EXPECT_EQ(client.get("/").body(), "hello");
      },
      {.stack_bytes = 256 * 1024});
}

TEST(TestClient, an_answer_that_does_not_come_is_an_error_in_time_and_its_handler_is_cancelled) {
  App app;
  std::atomic<bool> cancelled{false};
  app.get("/", [&cancelled](Context&) {
    try {
      weft::sleep(std::chrono::hours(1));
    } catch (const Cancelled&) {
      cancelled = true;
      throw;
    }
  });
  TestClientOptions options = wide();
  options.timeout = milliseconds(50);
  {
    TestClient client(app, options);
    const TestResponse got = client.get("/");
    EXPECT_EQ(got.status(), 0);
    EXPECT_FALSE(got.complete());
    EXPECT_NE(got.error().find("timed_out"), std::string::npos) << got.error();
  }
  EXPECT_TRUE(cancelled);
}

TEST(TestClient, answers_without_end_and_other_protocols_go_through_the_client_behind_it) {
  App app;
  app.get("/events", [](Context& c) {
    Events events = c.events();
    for (int i = 0;; ++i) {
      events.send({.data = std::to_string(i)});
      weft::sleep(milliseconds(1));
    }
  });
  app.get("/echo", [](Context& c) {
    UpgradedStream stream = c.upgrade("echo");
    while (const auto part = stream.read()) {
      if (part->empty() || !stream.write(*part) || !stream.flush()) return;
    }
  });
  TestClient client(app, wide());
  ClientRequest events;
  events.url = "/events";
  auto exchange = client.client().stream(events);
  ASSERT_TRUE(exchange.ok());
  std::string seen;
  while (seen.find("data: 3") == std::string::npos) {
    const auto part = exchange->read();
    ASSERT_TRUE(part.ok() && !part->empty());
    seen += *part;
  }
  ClientRequest upgrade;
  upgrade.url = "/echo";
  upgrade.headers = {{"Connection", "upgrade"}, {"Upgrade", "echo"}};
  auto echo = client.client().stream(upgrade);
  ASSERT_TRUE(echo.ok());
  ASSERT_EQ(echo->answer()->status(), 101);
  ASSERT_TRUE(echo->write("hello").ok());
  EXPECT_EQ(*echo->read(), "hello");
}

TEST(TestClient, the_app_counts_as_started_while_there_is_one_and_may_serve_beside_it) {
  App app;
  app.get("/", [](Context& c) { c.text("one"); });
  {
    TestClient client(app, wide());
    EXPECT_THROW(app.use([](Context&, Next& next) { next(); }), std::logic_error);
    app.get("/later", [](Context& c) { c.text("two"); });
    EXPECT_EQ(client.get("/later").status(), 404);
    EXPECT_EQ(TestClient(app, wide()).get("/later").body(), "two");
    Options options = wide().server;
    options.port = 0;
    options.quiet = true;
    app.start(options);
    Client outside;
    EXPECT_EQ(outside.get("http://127.0.0.1:" + std::to_string(app.port()) + "/later")->body(),
              "two");
    EXPECT_EQ(client.get("/").body(), "one");
    app.stop();
    EXPECT_EQ(client.get("/").body(), "one");
  }
  app.use([](Context&, Next& next) { next(); });
}

}  // namespace
}  // namespace weft
