// What decides how a request ends: recover(), body_limit(), timeout(), health().

#include <atomic>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "http/server/stream_client.hpp"
#include "plain_app.hpp"

namespace weft::app::test {

namespace {

using http::test::announce;
using http::test::announce_chunks;
using http::test::chunk;
using Recovered = PlainApp;
using Limited = PlainApp;
using Timed = PlainApp;
using Healthy = PlainApp;

void add_failures(App& app) {
  app.get("/throws", [](Context& c) {
    c.set_header("Content-Disposition", "attachment");
    c.json({{"half", 1}});
    throw std::runtime_error("secret \"words\"");
  });
  app.get("/number", [](Context&) { throw 7; });
  app.get("/http", [](Context&) { throw HttpError(409, "taken\n"); });
  app.get("/coroutine", [](Context&) -> Task<void> {
    co_await coro::yield();
    throw std::runtime_error("awaited");
  });
  app.get("/begun", [](Context& c) {
    auto out = c.stream("text/plain", 100);
    out.write("half").flush();
    throw std::runtime_error("late");
  });
  app.get("/not-begun", [](Context& c) {
    (void)c.stream("text/plain", 100);
    throw std::runtime_error("early");
  });
}

}  // namespace

// ---- recover()

TEST_F(Recovered, what_is_thrown_becomes_an_answer_of_500) {
  app.use(recover());
  add_failures(app);
  RawClient client = start();
  for (const char* path : {"/throws", "/number", "/coroutine", "/not-begun"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 500) << path;
    EXPECT_EQ(answer.body, "Internal Server Error\n") << path;
    EXPECT_EQ(answer.field("content-type"), "text/plain; charset=utf-8") << path;
    EXPECT_EQ(answer.field("content-disposition"), "") << path;
  }
  const Answer conflict = client.get("/http");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body, "taken\n");
}

TEST_F(Recovered, answers_may_be_json_those_of_http_errors_too) {
  app.get("/plain", recover({.shape = ErrorFormat::json}),
          [](Context&) { throw HttpError(409, "taken\n"); });
  app.use(recover({.shape = ErrorFormat::json, .http_errors = true}));
  add_failures(app);
  app.get("/worded", [](Context&) {
    throw HttpError(422, R"({"errors":[{"field":"age"}]})", "application/json");
  });
  RawClient client = start();
  EXPECT_EQ(client.get("/worded").body, R"({"errors":[{"field":"age"}]})");
  for (const char* path : {"/throws", "/not-begun"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body, R"({"error":"Internal Server Error"})");
    EXPECT_EQ(answer.field("content-type"), "application/json");
  }
  const Answer conflict = client.get("/http");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body, R"({"error":"taken"})");
  EXPECT_EQ(client.get("/plain").body, "taken\n");
}

TEST_F(Recovered, a_function_words_the_answer_and_may_fail_itself) {
  app.use(recover({.answer = [](Context& c, const std::exception& error) {
    if (c.path() == "/number") throw 8;
    c.status(503).text(std::string("so: ") + error.what());
  }}));
  add_failures(app);
  RawClient client = start();
  const Answer answer = client.get("/throws");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "so: secret \"words\"");
  const Answer plain = client.get("/number");
  EXPECT_EQ(plain.status, 500);
  EXPECT_EQ(plain.body, "Internal Server Error\n");
}

TEST_F(Recovered, an_answer_that_has_begun_is_cut_off) {
  app.use(recover());
  add_failures(app);
  RawClient client = start();
  client.send("GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string all = client.read_to_end();
  EXPECT_TRUE(says(all, "Content-Length: 100")) << all;
  EXPECT_TRUE(all.ends_with("half")) << all;
}

TEST_F(Recovered, a_request_whose_time_is_over_ends_as_it_does_without) {
  options.limits.request_timeout = std::chrono::milliseconds(20);
  std::atomic<int> worded{0};
  app.use(recover({.answer = [&](Context&, const std::exception&) { ++worded; }}));
  app.get("/", [](Context&) { weft::sleep(std::chrono::seconds(20)); });
  app.post("/body", [](Context& c) { c.text(c.body()); });
  RawClient client = start();
  EXPECT_EQ(client.get("/").status, 503);
  RawClient other(app.port());
  EXPECT_EQ(other.ask(announce("/body", 5)).status, 408);
  EXPECT_EQ(worded, 0);
}

// ---- body_limit()

TEST_F(Limited, a_body_that_announces_more_is_refused_before_its_handler_runs) {
  std::atomic<int> reached{0};
  app.post("/", body_limit(4), [&](Context& c) {
    ++reached;
    c.text(c.body());
  });
  app.post("/none", body_limit(0), [](Context& c) { c.text("none"); });
  RawClient client = start();
  EXPECT_EQ(client.ask(http::test::post_request("/", "four")).body, "four");
  const Answer refused = client.ask(http::test::post_request("/", "fives"));
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(reached, 1);
  // The connection goes on behind what was little.
  EXPECT_EQ(client.ask(http::test::post_request("/none", "")).body, "none");
  EXPECT_EQ(client.ask(http::test::post_request("/none", "x")).status, 413);
  // Nothing is asked for that would be refused.
  RawClient waiting(app.port());
  EXPECT_EQ(waiting.ask(announce("/", 5, "Expect: 100-continue\r\n")).status, 413);
}

TEST_F(Limited, a_body_in_chunks_is_refused_while_it_is_read) {
  app.post("/whole", body_limit(4), [](Context& c) { c.text(c.body()); });
  app.post("/parts", body_limit(4), [](Context& c) {
    std::string all;
    auto reader = c.body_stream();
    for (auto part = reader.read(); !part.empty(); part = reader.read()) all += part;
    c.text(all);
  });
  start();
  for (const char* path : {"/whole", "/parts"}) {
    RawClient good(app.port());
    EXPECT_EQ(good.ask(announce_chunks(path) + chunk("ab") + chunk("cd") + "0\r\n\r\n").body,
              "abcd");
    RawClient bad(app.port());
    EXPECT_EQ(bad.ask(announce_chunks(path) + chunk("ab") + chunk("cde")).status, 413) << path;
    // In pieces, with the handler parked between them.
    RawClient slow(app.port());
    slow.send(announce_chunks(path) + chunk("ab"));
    slow.send(chunk("cde"));
    EXPECT_EQ(slow.read_answer().status, 413) << path;
  }
}

TEST_F(Limited, the_innermost_limit_counts_within_that_of_the_server) {
  options.limits.body_bytes = 20;
  app.use(body_limit(4));
  app.post("/small", [](Context& c) { c.text(c.body()); });
  auto big = app.group("/big", body_limit(10));
  big.post("", [](Context& c) { c.text(c.body()); });
  big.post("/huge", body_limit(1000), [](Context& c) { c.text(c.body()); });
  RawClient client = start();
  const auto status = [&](const std::string& path, std::size_t size) {
    RawClient one(app.port());
    return one.ask(http::test::post_request(path, std::string(size, 'x'))).status;
  };
  EXPECT_EQ(status("/small", 4), 200);
  EXPECT_EQ(status("/small", 5), 413);
  EXPECT_EQ(status("/big", 10), 200);
  EXPECT_EQ(status("/big", 11), 413);
  EXPECT_EQ(status("/big/huge", 20), 200);
  EXPECT_EQ(status("/big/huge", 21), 413);
  const auto in_chunks = [&](std::size_t size) {
    RawClient one(app.port());
    return one.ask(announce_chunks("/big/huge") + chunk(std::string(size, 'x')) + "0\r\n\r\n")
        .status;
  };
  EXPECT_EQ(in_chunks(20), 200);
  EXPECT_EQ(in_chunks(21), 413);
}

// ---- timeout()

TEST_F(Timed, a_handler_that_parks_for_too_long_is_answered_for) {
  const auto soon = std::chrono::milliseconds(5);
  const auto long_time = std::chrono::hours(1);
  std::atomic<int> cancelled{0};
  app.use(timeout(soon));
  app.get("/parks", [&](Context&) {
    try {
      weft::sleep(long_time);
    } catch (const Cancelled& cause) {
      cancelled += cause.timed_out() ? 1 : 100;
      throw;
    }
  });
  app.get("/coroutine", [&](Context&) -> Task<void> { co_await coro::sleep(long_time); });
  app.get("/respond", [&](Context&, Respond respond) {
    weft::spawn([respond = std::move(respond)]() mutable {
      weft::sleep(std::chrono::milliseconds(50));
      respond([](Context& c) { c.text("late"); });
    }).detach();
  });
  app.get("/stream", [&](Context& c) {
    (void)c.stream("text/plain");
    weft::sleep(long_time);
  });
  app.get("/quick", [](Context& c) { c.text("quick"); });
  RawClient client = start();
  for (const char* path : {"/parks", "/coroutine", "/respond", "/stream"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_EQ(answer.body, "The request took too long\n") << path;
  }
  EXPECT_EQ(cancelled, 1);
  // The connection is as good as before.
  EXPECT_EQ(client.get("/quick").body, "quick");
}

TEST_F(Timed, the_status_its_text_and_when_to_come_back_are_options) {
  app.get("/",
          timeout(std::chrono::milliseconds(5),
                  {.status = 504, .text = "upstream\n", .retry_after = std::chrono::seconds(7)}),
          [](Context&) { weft::sleep(std::chrono::hours(1)); });
  RawClient client = start();
  const Answer answer = client.get("/");
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.body, "upstream\n");
  EXPECT_EQ(answer.field("retry-after"), "7");
}

TEST_F(Timed, an_answer_whose_head_is_sent_is_cut_off) {
  app.get("/", timeout(std::chrono::milliseconds(50)), [](Context& c) {
    auto out = c.stream("text/plain");
    out.write("begun").flush();
    weft::sleep(std::chrono::hours(1));
  });
  RawClient client = start();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Answer head = client.read_answer();
  EXPECT_EQ(head.status, 200);
  const auto body = http::test::take_chunks(client.read_to_end());
  EXPECT_EQ(body.body, "begun");
  EXPECT_FALSE(body.is_whole);
}

TEST_F(Timed, a_body_that_does_not_come_is_not_waited_for) {
  app.use(timeout(std::chrono::milliseconds(10)));
  app.post("/whole", [](Context& c) { c.text(c.body()); });
  app.post("/parts", [](Context& c) {
    auto reader = c.body_stream();
    while (!reader.read().empty()) {
    }
  });
  app.post("/again", [](Context& c) {
    try {
      c.body();
    } catch (const Cancelled&) {
      // What had come of it is gone, and it is not read once more.
      c.text(shielded([&] { return c.body(); }));
    }
  });
  start();
  for (const char* path : {"/whole", "/parts"}) {
    RawClient client(app.port());
    client.send(announce(path, 10) + "half ");
    EXPECT_EQ(client.read_answer().status, 503) << path;
    // Of what is left of the body nobody knows where it ends.
    if (std::string(path) == "/whole") {
      EXPECT_TRUE(client.is_ended());
    }
  }
  RawClient again(app.port());
  again.send(announce("/again", 10) + "half ");
  EXPECT_EQ(again.read_answer().status, 408);
}

TEST_F(Timed, who_answers_in_spite_of_it_has_answered_and_the_nearest_counts) {
  app.get("/stubborn", timeout(std::chrono::milliseconds(5)), [](Context& c) {
    try {
      weft::sleep(std::chrono::hours(1));
    } catch (const Cancelled&) {
      c.text("stale, but here");
    }
  });
  app.use(timeout(std::chrono::milliseconds(5), {.text = "outer\n"}));
  app.get("/nested", timeout(std::chrono::hours(1), {.text = "inner\n"}),
          [](Context&) { weft::sleep(std::chrono::hours(1)); });
  RawClient client = start();
  EXPECT_EQ(client.get("/stubborn").body, "stale, but here");
  EXPECT_EQ(client.get("/nested").body, "outer\n");
}

TEST_F(Timed, recover_gives_the_answer_its_shape) {
  app.use(recover({.shape = ErrorFormat::json, .http_errors = true}));
  app.get("/", timeout(std::chrono::milliseconds(5)),
          [](Context&) { weft::sleep(std::chrono::hours(1)); });
  RawClient client = start();
  const Answer answer = client.get("/");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"error":"The request took too long"})");
}

TEST(FlowOptions, of_timeout_are_checked) {
  using std::chrono::seconds;
  EXPECT_TRUE(says(refusal([] { timeout(seconds(0)); }), "positive"));
  EXPECT_TRUE(says(refusal([] { timeout(seconds(1), {.status = 200}); }), "not 200"));
  EXPECT_TRUE(says(refusal([] { timeout(seconds(1), {.retry_after = seconds(-1)}); }), "negative"));
}

// ---- health()

TEST_F(Healthy, it_lives_and_is_ready_without_any_route) {
  app.use(health());
  app.post("/livez", [](Context& c) { c.text("a route"); });
  RawClient client = start();
  for (const char* path : {"/livez", "/readyz"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.body, "ok\n") << path;
    EXPECT_EQ(answer.field("cache-control"), "no-store");
    EXPECT_EQ(ask(client, "HEAD", path).status, 200);
  }
  EXPECT_EQ(ask(client, "POST", "/livez").body, "a route");
  EXPECT_EQ(client.get("/livez/x").status, 404);
}

TEST_F(Healthy, checks_decide_whether_it_is_ready_and_not_whether_it_lives) {
  std::atomic<bool> up{false};
  app.use(health({.checks = {{"flag", [&] { return up.load(); }}, {"fine", [] { return true; }}},
                  .fresh = std::chrono::milliseconds(0)}));
  RawClient client = start();
  EXPECT_EQ(client.get("/livez").status, 200);
  const Answer down = client.get("/readyz");
  EXPECT_EQ(down.status, 503);
  EXPECT_EQ(down.body, "not ready\n");
  up = true;
  EXPECT_EQ(client.get("/readyz").status, 200);
}

TEST_F(Healthy, details_name_each_check_and_what_is_wrong) {
  app.use(health({.ready_path = "/ready",
                  .checks = {{"good", [] { return true; }},
                             {"no", [] { return false; }},
                             {"throws", []() -> bool { throw std::runtime_error("no \"db\""); }},
                             {"slow",
                              [] {
                                weft::sleep(std::chrono::hours(1));
                                return true;
                              },
                              std::chrono::milliseconds(5)}},
                  .details = true}));
  RawClient client = start();
  const Answer answer = client.get("/ready");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("content-type"), "application/json");
  const auto document = JsonDocument::parse(answer.body);
  ASSERT_TRUE(std::holds_alternative<JsonDocument>(document)) << answer.body;
  EXPECT_EQ(std::get<JsonDocument>(document).root()["status"].as_string(), "not ready");
  EXPECT_TRUE(says(answer.body, R"({"name":"good","ready":true,"ms":)")) << answer.body;
  EXPECT_TRUE(says(answer.body, R"({"name":"no","ready":false,"ms":)")) << answer.body;
  EXPECT_TRUE(says(answer.body, R"("error":"no \"db\""})")) << answer.body;
  EXPECT_TRUE(says(answer.body, R"("error":"it took longer than it may"})")) << answer.body;
}

TEST_F(Healthy, what_checks_say_is_said_again_for_a_while) {
  std::atomic<int> asked{0};
  app.use(health(
      {.checks = {{"counted", [&] { return ++asked > 0; }}}, .fresh = std::chrono::hours(1)}));
  start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(RawClient(app.port()).get("/readyz").status, 200); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(asked, 1);
}

TEST_F(Healthy, a_server_that_is_about_to_end_is_not_ready_but_lives) {
  http::test::Gate gate;
  app.use(health({.details = true}));
  app.get("/gate", [&](Context& c) {
    gate.pass();
    c.text("through");
  });
  RawClient busy = start();
  RawClient probe(app.port());
  EXPECT_EQ(probe.get("/readyz").status, 200);
  busy.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(http::test::eventually([&] { return gate.waiting() == 1; }));
  std::thread stopping([&] { app.stop(); });
  // Until the drain has begun the probe is told that all is well, on connections that are kept.
  Answer answer;
  EXPECT_TRUE(http::test::eventually([&] {
    answer = probe.get("/readyz");
    return answer.status != 200;
  }));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"status":"draining","checks":[]})");
  gate.open();
  EXPECT_EQ(busy.read_answer().body, "through");
  stopping.join();
}

TEST(FlowOptions, of_health_are_checked) {
  const auto yes = [] { return true; };
  EXPECT_TRUE(says(refusal([] { health({.live_path = "livez"}); }), "begin with '/'"));
  EXPECT_TRUE(says(refusal([&] { health({.checks = {{"", yes}}}); }), "no name"));
  EXPECT_TRUE(says(refusal([&] { health({.checks = {{"a", nullptr}}}); }), "no function"));
  EXPECT_TRUE(says(refusal([&] { health({.checks = {{"a", yes}, {"a", yes}}}); }), "two checks"));
  EXPECT_TRUE(says(refusal([&] { health({.checks = {{"a", yes, std::chrono::milliseconds(0)}}}); }),
                   "positive"));
}

}  // namespace weft::app::test
