// App::error_format(): every error that is not a handler's own has one shape, whoever answers it.
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "middleware/plain_app.hpp"
#include "weft/test_client.hpp"

namespace weft::app::test {

namespace {

using std::chrono_literals::operator""ms;

struct Item {
  std::string name;
  int count = 0;
};

}  // namespace

}  // namespace weft::app::test

template <>
struct weft::Schema<weft::app::test::Item> {
  using Item = weft::app::test::Item;
  static constexpr auto fields = weft::fields(weft::field("name", &Item::name, length(1, 5)),
                                              weft::field("count", &Item::count));
};

namespace weft::app::test {

namespace {

class Formatted : public PlainApp {
 protected:
  void add_failures() {
    app.get("/abort", [](Context&) { Context::abort(404, "no such item\n"); });
    app.get("/empty", [](Context&) { throw HttpError(410); });
    app.get("/odd", [](Context&) { throw HttpError(599, "odd \"words\""); });
    app.get("/own", [](Context&) { throw HttpError(409, R"({"code":7})", "application/json"); });
    app.get("/said", [](Context& c) { c.status(404).text("a handler's own"); });
    app.get("/throws", [](Context& c) {
      c.set_header("Content-Disposition", "attachment");
      throw std::runtime_error("secret");
    });
    app.get("/not-begun", [](Context& c) {
      (void)c.stream("text/plain", 100);
      throw std::runtime_error("early");
    });
    app.get("/file", [](Context& c) { (void)c.file("/nowhere/at/all"); });
    app.post("/items", [](Context& c) { c.json(c.bind<Item>()); });
    app.post("/body", [](Context& c) { c.text(c.body()); });
  }
  // What a server sends for these bytes.
  std::string raw(const std::string& bytes) {
    RawClient client(app.port());
    client.send(bytes);
    client.shutdown_write();
    return client.read_to_end();
  }
};

std::string problem(int status, const std::string& title, const std::string& rest = {}) {
  return "{\"type\":\"about:blank\",\"title\":\"" + title +
         "\",\"status\":" + std::to_string(status) + rest + "}";
}
std::string detail(const std::string& text) { return ",\"detail\":\"" + text + "\""; }

}  // namespace

TEST_F(Formatted, as_problems_what_handlers_throw_and_no_route_answers) {
  app.error_format(ErrorFormat::problem);
  add_failures();
  RawClient client = start();
  const Answer missing = client.get("/abort");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.field("content-type"), "application/problem+json");
  EXPECT_EQ(missing.body, problem(404, "Not Found", detail("no such item")));
  EXPECT_EQ(client.get("/empty").body, problem(410, "Gone"));
  EXPECT_EQ(client.get("/odd").body,
            R"({"type":"about:blank","status":599,"detail":"odd \"words\""})");
  for (const char* path : {"/throws", "/not-begun"}) {
    const Answer failed = client.get(path);
    EXPECT_EQ(failed.body, problem(500, "Internal Server Error")) << path;
    EXPECT_EQ(failed.field("content-disposition"), "") << path;
  }
  EXPECT_EQ(client.get("/nowhere").body, problem(404, "Not Found"));
  EXPECT_EQ(client.get("/file").body, problem(404, "Not Found"));
  const Answer refused = ask(client, "POST", "/abort");
  EXPECT_EQ(refused.body, problem(405, "Method Not Allowed"));
  EXPECT_EQ(refused.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask(client, "HEAD", "/abort").field("content-type"), "application/problem+json");
}

TEST_F(Formatted, what_brings_words_of_its_own_keeps_them) {
  app.error_format(ErrorFormat::problem);
  app.not_found([](Context& c) { c.json({{"where", c.path()}}); });
  app.on_error([](Context& c, const std::exception&) { c.text("our fault"); });
  add_failures();
  RawClient client = start();
  const Answer own = client.get("/own");
  EXPECT_EQ(own.status, 409);
  EXPECT_EQ(own.field("content-type"), "application/json");
  EXPECT_EQ(own.body, R"({"code":7})");
  EXPECT_EQ(client.get("/said").body, "a handler's own");
  EXPECT_EQ(client.get("/nowhere").body, R"({"where":"/nowhere"})");
  EXPECT_EQ(client.get("/throws").body, "our fault");
  EXPECT_EQ(client.get("/throws").field("content-type"), "text/plain; charset=utf-8");
}

TEST_F(Formatted, what_is_wrong_with_a_body_is_listed_in_it) {
  app.error_format(ErrorFormat::problem);
  add_failures();
  start();
  TestClient client(app);
  const TestResponse fields = client.post_json("/items", {{"name", ""}, {"count", "x"}});
  EXPECT_EQ(fields.status(), 422);
  EXPECT_EQ(fields.header("content-type"), "application/problem+json");
  EXPECT_EQ(fields.json()["title"].as_string(), "Unprocessable Content");
  EXPECT_EQ(fields.json()["status"].as_int(), 422);
  EXPECT_EQ(fields.json()["detail"].as_string(), "Some fields are not as they must be");
  ASSERT_EQ(fields.json()["errors"].size(), 2U);
  EXPECT_EQ(fields.json()["errors"].at(1)["path"].as_string(), "$.count");
  const TestResponse broken = client.post("/items", "{", "application/json");
  EXPECT_EQ(broken.status(), 400);
  EXPECT_EQ(broken.json()["detail"].as_string(), "the body is no JSON");
  EXPECT_EQ(broken.json()["line"].as_int(), 1);
  const TestResponse other = client.post("/items", "x", "text/plain");
  EXPECT_EQ(other.status(), 415);
  EXPECT_EQ(other.json()["status"].as_int(), 415);
  EXPECT_FALSE(std::string(*other.json()["detail"].as_string()).ends_with('\n'));
}

TEST_F(Formatted, json_has_the_text_as_its_error) {
  app.error_format(ErrorFormat::json);
  add_failures();
  start();
  TestClient client(app);
  const TestResponse missing = client.get("/abort");
  EXPECT_EQ(missing.header("content-type"), "application/json");
  EXPECT_EQ(missing.body(), R"({"error":"no such item"})");
  EXPECT_EQ(client.get("/empty").body(), R"({"error":"Gone"})");
  EXPECT_EQ(client.get("/throws").body(), R"({"error":"Internal Server Error"})");
  EXPECT_EQ(client.get("/nowhere").body(), R"({"error":"Not Found"})");
  EXPECT_EQ(client.post("/items", "{", "application/json").body(),
            R"({"error":"the body is no JSON","message":"a name in double quotes is missing",)"
            R"("line":1,"column":2,"offset":1})");
  EXPECT_EQ(client.post_json("/items", {{"name", "n"}}).body(),
            R"({"error":"Some fields are not as they must be","errors":[{"field":"count",)"
            R"("path":"$.count","message":"is missing"}]})");
}

TEST_F(Formatted, what_the_server_says_by_itself_has_the_shape_too) {
  app.error_format(ErrorFormat::problem);
  options.limits.body_bytes = 100;
  options.limits.head_bytes = 1024;
  options.limits.request_timeout = 50ms;
  add_failures();
  app.get("/late", [](Context&) { weft::sleep(std::chrono::seconds(20)); });
  RawClient client = start();
  const std::string malformed = raw("GET / HTTP/1.1\nHost: a\n\n");
  EXPECT_TRUE(malformed.starts_with("HTTP/1.1 400 ")) << malformed;
  EXPECT_TRUE(says(malformed, "Content-Type: application/problem+json\r\n")) << malformed;
  EXPECT_TRUE(says(malformed, "\"title\":\"Bad Request\",\"status\":400,\"detail\":\""))
      << malformed;
  const std::string long_head =
      raw("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(4096, 'x') + "\r\n\r\n");
  EXPECT_TRUE(says(long_head, "\"status\":431")) << long_head;
  const std::string long_body =
      raw("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x'));
  EXPECT_TRUE(says(long_body, "\"status\":413,\"detail\":\"The body is too large.\"}"))
      << long_body;
  const std::string short_body =
      raw("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
  EXPECT_TRUE(says(short_body, "\"status\":400,\"detail\":\"the body ended too early\"}"))
      << short_body;
  EXPECT_EQ(client.get("/late").body,
            problem(503, "Service Unavailable", detail("The request took too long")));
}

TEST_F(Formatted, a_client_too_slow_is_told_in_the_same_shape) {
  app.error_format(ErrorFormat::problem);
  options.limits.head_timeout = 20ms;
  options.limits.body_timeout = 20ms;
  add_failures();
  start();
  for (const char* const begun :
       {"GET / HTTP/1.1\r\nHost:", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
        "POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{"}) {
    RawClient client(app.port());
    client.send(begun);
    const std::string all = client.read_to_end();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 408 ")) << all;
    EXPECT_TRUE(says(all, "Content-Type: application/problem+json\r\n")) << all;
    EXPECT_TRUE(says(all, "Connection: close\r\n")) << all;
    EXPECT_TRUE(says(all, "\"title\":\"Request Timeout\",\"status\":408,\"detail\":\"")) << all;
  }
}

TEST_F(Formatted, a_client_too_many_is_told_in_the_same_shape) {
  app.error_format(ErrorFormat::json);
  options.limits.connections = 1;
  add_failures();
  RawClient client = start();
  EXPECT_EQ(client.get("/said").status, 404);  // so that its connection is counted
  RawClient more(app.port());
  const std::string all = more.read_to_end();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 503 ")) << all;
  EXPECT_TRUE(says(all, "Content-Type: application/json\r\n")) << all;
  EXPECT_TRUE(says(all, "Retry-After: 1\r\n")) << all;
  EXPECT_TRUE(all.ends_with("\r\n\r\n{\"error\":\"Too many connections\"}")) << all;
}

TEST_F(Formatted, middleware_refuses_in_the_same_shape) {
  app.error_format(ErrorFormat::problem);
  auto limited = app.group("/limited", limiter({.requests = 1}));
  limited.get("", [](Context& c) { c.text("in"); });
  app.group("/inside", basic_auth([](auto&&...) { return false; })).get("", [](Context& c) {
    c.text("in");
  });
  app.get("/slow", timeout(10ms), [](Context&) { weft::sleep(std::chrono::seconds(20)); });
  app.post("/small", body_limit(5), [](Context& c) { c.text(c.body()); });
  app.post("/once", idempotency({.required = true}),
           [](Context&) { Context::abort(409, "taken"); });
  RawClient client = start();
  EXPECT_EQ(client.get("/limited").body, "in");
  const Answer often = client.get("/limited");
  EXPECT_EQ(often.status, 429);
  EXPECT_EQ(often.field("content-type"), "application/problem+json");
  EXPECT_NE(often.field("retry-after"), "");
  EXPECT_EQ(often.body,
            problem(429, "Too Many Requests", detail("Too many requests; try again later")));
  const Answer nobody = client.get("/inside");
  EXPECT_EQ(nobody.body, problem(401, "Unauthorized", detail("A name and a password are needed")));
  EXPECT_TRUE(says(nobody.head, "WWW-Authenticate: Basic ")) << nobody.head;
  RawClient slow(app.port());
  EXPECT_EQ(slow.get("/slow").body,
            problem(503, "Service Unavailable", detail("The request took too long")));
  RawClient large(app.port());
  EXPECT_TRUE(says(large.ask(http::test::post_request("/small", "123456")).body, "\"status\":413"));
  EXPECT_TRUE(says(ask(client, "POST", "/once").body, "\"status\":400"));
  const std::string key = "Idempotency-Key: \"k1\"\r\n";
  const Answer first = ask(client, "POST", "/once", key);
  const Answer again = ask(client, "POST", "/once", key);
  EXPECT_EQ(first.body, problem(409, "Conflict", detail("taken")));
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.field("content-type"), "application/problem+json");
  EXPECT_EQ(again.field("idempotency-replayed"), "true");
}

TEST_F(Formatted, recover_takes_the_applications_shape_unless_it_has_its_own) {
  app.error_format(ErrorFormat::problem);
  app.get("/plain", recover({.shape = ErrorFormat::text}),
          [](Context&) { throw std::runtime_error("x"); });
  app.use(recover({.http_errors = true, .log = false}));
  std::string seen;
  app.get(
      "/seen",
      [&](Context& c, Next& next) {
        next();
        seen = c.answer().body();
      },
      recover({.http_errors = true}), [](Context&) { Context::abort(404, "gone\n"); });
  add_failures();
  RawClient client = start();
  EXPECT_EQ(client.get("/throws").body, problem(500, "Internal Server Error"));
  EXPECT_EQ(client.get("/plain").body, "Internal Server Error\n");
  EXPECT_EQ(client.get("/own").body, R"({"code":7})");
  EXPECT_EQ(client.get("/seen").body, problem(404, "Not Found", detail("gone")));
  EXPECT_EQ(seen, problem(404, "Not Found", detail("gone")));
  EXPECT_TRUE(says(
      client.ask(http::test::post_request("/items", "{}", "Content-Type: application/json\r\n"))
          .body,
      "\"status\":422"));
}

TEST_F(Formatted, it_is_chosen_before_the_start) {
  start();
  EXPECT_THROW(app.error_format(ErrorFormat::json), std::logic_error);
}

TEST_F(Formatted, plain_text_stays_as_it_is_without_it) {
  add_failures();
  RawClient client = start();
  EXPECT_EQ(client.get("/abort").body, "no such item\n");
  EXPECT_EQ(client.get("/empty").body, "");
  EXPECT_EQ(client.get("/nowhere").body, "Not Found\n");
  EXPECT_TRUE(says(raw("GET / HTTP/1.1\nHost: a\n\n"), "\r\n\r\nBad Request: "));
}

}  // namespace weft::app::test
