// Groups, any, typed parameters and the slash at the end, as an application uses them.

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using app::test::refusal;
using http::test::Answer;
using RawClient = http::test::Client;

class Routes : public testing::Test {
 protected:
  void TearDown() override { app.stop(); }

  static Handler says(const char* text) {
    return [text](Context& c) { c.text(text); };
  }
  RawClient start() {
    options.port = 0;
    options.backend = "epoll";
    options.quiet = true;
    app.start(options);
    return RawClient(app.port());
  }
  static Answer ask(RawClient& client, const std::string& method, const std::string& target) {
    client.send(method + " " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    return client.read_answer(method == "HEAD");
  }

  Options options;
  App app;
};

}  // namespace

TEST_F(Routes, a_group_puts_its_prefix_before_each_pattern) {
  auto v1 = app.group("/v1");
  v1.get("/users", says("users")).get("", says("root")).get("/", says("slash"));
  auto user = v1.group("/users/{id:int}");
  user.get("", [](Context& c) { c.text(c.param("id")); });
  user.group("/posts/").get("/{post}", [](Context& c) {
    c.text(std::string(c.param("id")) + "-" + std::string(c.param("post")));
  });
  app.group("/").get("/top", says("top"));
  RawClient client = start();
  EXPECT_EQ(client.get("/v1/users").body, "users");
  EXPECT_EQ(client.get("/v1").body, "root");
  EXPECT_EQ(client.get("/v1/").body, "slash");
  EXPECT_EQ(client.get("/v1/users/7").body, "7");
  EXPECT_EQ(client.get("/v1/users/me").status, 404);
  EXPECT_EQ(client.get("/v1/users/7/posts/x").body, "7-x");
  EXPECT_EQ(client.get("/top").body, "top");
}

TEST_F(Routes, a_group_takes_routes_while_the_server_runs) {
  auto v1 = app.group("/v1");
  RawClient client = start();
  EXPECT_EQ(client.get("/v1/a").status, 404);
  v1.get("/a", says("a"));
  EXPECT_EQ(client.get("/v1/a").body, "a");
}

TEST_F(Routes, what_is_wrong_in_a_group_is_said_with_the_whole_pattern) {
  auto v1 = app.group("/v1").get("/users/{id}", says(""));
  EXPECT_NE(refusal([&] { v1.get("users", says("")); }).find("in group \"/v1\""),
            std::string::npos);
  EXPECT_EQ(refusal([&] { v1.get("/users/:id", says("")); }),
            "GET /v1/users/:id is registered already, as GET /v1/users/{id}");
  EXPECT_NE(refusal([&] { (void)app.group("v2"); }).find("v2"), std::string::npos);
  EXPECT_NE(refusal([&] { (void)app.group("/files/*rest"); }).find("/files/*rest"),
            std::string::npos);
  EXPECT_NE(refusal([&] { (void)app.group("/{id:float}"); }).find("/{id:float}"),
            std::string::npos);
}

TEST_F(Routes, every_method_may_be_registered_and_head_and_options_have_answers_of_their_own) {
  app.group("/a").get("", says("get")).post("", says("post"));
  app.head("/b", [](Context& c) { c.set_header("X-Way", "head").text("four"); });
  app.get("/b", says("get")).options("/b", says("options"));
  RawClient client = start();
  EXPECT_EQ(ask(client, "OPTIONS", "/a").status, 204);
  EXPECT_EQ(ask(client, "OPTIONS", "/a").field("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(ask(client, "DELETE", "/a").status, 405);
  EXPECT_EQ(ask(client, "DELETE", "/a").field("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(ask(client, "HEAD", "/a").field("content-length"), "3");
  EXPECT_EQ(ask(client, "HEAD", "/b").field("x-way"), "head");
  EXPECT_EQ(ask(client, "OPTIONS", "/b").body, "options");
}

TEST_F(Routes, any_answers_every_method_that_has_no_route_of_its_own) {
  app.any("/a", [](Context& c) { c.text("any " + std::string(c.method())); });
  app.get("/a", says("get"));
  app.group("/g").any("/*rest", says("rest"));
  RawClient client = start();
  EXPECT_EQ(client.get("/a").body, "get");
  for (const std::string method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    EXPECT_EQ(ask(client, method, "/a").body, "any " + method);
  }
  EXPECT_EQ(ask(client, "TRACE", "/a").status, 405);
  EXPECT_EQ(ask(client, "PUT", "/g/x/y").body, "rest");
  EXPECT_EQ(refusal([&] { app.any("/a", says("")); }), "ANY /a is registered already, as ANY /a");
}

TEST_F(Routes, a_value_that_does_not_fit_its_type_goes_to_the_next_best_pattern) {
  app.get("/{id:int}", says("int")).get("/{key:uuid}", says("uuid")).get("/{name}", says("name"));
  app.get("/files/{path:path}", [](Context& c) { c.text(c.param("path")); });
  RawClient client = start();
  EXPECT_EQ(client.get("/-12").body, "int");
  EXPECT_EQ(client.get("/123e4567-e89b-12d3-a456-426614174000").body, "uuid");
  EXPECT_EQ(client.get("/12a").body, "name");
  EXPECT_EQ(client.get("/files/a/b%20c").body, "a/b c");
}

TEST_F(Routes, a_slash_at_the_end_is_another_path_unless_told_otherwise) {
  app.get("/a", says("a"));
  RawClient client = start();
  EXPECT_EQ(client.get("/a/").status, 404);
}

TEST_F(Routes, the_policy_redirect_sends_clients_to_the_path_that_there_is) {
  app.get("/x/a", says("a")).post("/dir/", says("dir"));
  app.get("/:name/", says("name"));
  options.trailing_slash = TrailingSlash::redirect;
  RawClient client = start();
  const Answer get = client.get("/x/a/?x=1&y=%2F");
  EXPECT_EQ(get.status, 301);
  EXPECT_EQ(get.field("location"), "/x/a?x=1&y=%2F");
  EXPECT_EQ(ask(client, "HEAD", "/x/a/").status, 301);
  const Answer post = ask(client, "POST", "/dir");
  EXPECT_EQ(post.status, 308);
  EXPECT_EQ(post.field("location"), "/dir/");
  EXPECT_EQ(client.ask("GET http://b/x/a/ HTTP/1.1\r\nHost: a\r\n\r\n").field("location"), "/x/a");
  EXPECT_EQ(ask(client, "PUT", "/dir").status, 405);
  EXPECT_EQ(ask(client, "OPTIONS", "/dir").field("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(ask(client, "OPTIONS", "*").status, 204);
  EXPECT_EQ(client.get("/no/where").status, 404);
  EXPECT_EQ(client.get("/b").field("location"), "/b/");
  // Browsers would take this one for another server.
  EXPECT_EQ(client.get("/\\evil").status, 404);
}

TEST_F(Routes, the_policy_ignore_answers_either_path) {
  app.get("/a/{x}", [](Context& c) { c.text(c.param("x")); }).get("/b/", says("b"));
  app.get("/files/*rest", [](Context& c) { c.text("[" + std::string(c.param("rest")) + "]"); });
  options.trailing_slash = TrailingSlash::ignore;
  RawClient client = start();
  EXPECT_EQ(client.get("/a/7/").body, "7");
  EXPECT_EQ(client.get("/b").body, "b");
  EXPECT_EQ(client.get("/files").body, "[]");
  EXPECT_EQ(ask(client, "POST", "/b").field("allow"), "GET, HEAD, OPTIONS");
}

}  // namespace weft
