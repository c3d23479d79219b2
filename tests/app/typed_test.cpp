// Typed handlers, over sockets.
#include <variant>

#include "pets.hpp"

namespace weft::app::test {

namespace {

INSTANTIATE_TEST_SUITE_P(Backends, Typed,
                         testing::Values(std::string("epoll"), std::string("io_uring"),
                                         std::string("epoll_coroutine"),
                                         std::string("io_uring_callback")),
                         http::test::backend_of);

}  // namespace

TEST_P(Typed, a_body_becomes_the_parameter_and_the_result_becomes_json) {
  app.post("/logins", typed([](Login in) -> Created<Login> {
             ++in.pin;
             return {in};
           }));
  app.post("/either", typed([](const FromBody<Login>& in) { return *in; }));
  start();
  http::test::Answer answer = post("/logins", R"({"name":"Zoë","pin":41})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.field("content-type"), "application/json");
  EXPECT_EQ(answer.body, R"({"name":"Zoë","pin":42})");
  // A page of another site can have a browser send this.
  EXPECT_EQ(post("/logins", "name=a+b&pin=1", "application/x-www-form-urlencoded").status, 415);
  answer = post("/either", "name=a+b&pin=1", "application/x-www-form-urlencoded");
  EXPECT_EQ(answer.body, R"({"name":"a b","pin":1})");
  EXPECT_EQ(post("/either", R"({"name":"n","pin":1})").body, R"({"name":"n","pin":1})");
  EXPECT_EQ(post("/logins", "{").status, 400);
  EXPECT_EQ(post("/logins", "x", "text/plain").status, 415);
  answer = post("/logins", R"({"name":1})");
  EXPECT_EQ(answer.status, 422);
  EXPECT_NE(answer.body.find(R"("path":"$.pin")"), std::string::npos) << answer.body;
}

TEST_P(Typed, values_of_the_path_come_in_the_order_of_the_pattern) {
  app.get("/sum/{a}/{b:int}/{rest:path}",
          typed([](std::uint8_t a, std::int64_t b, std::string_view rest, Context& c) {
            return std::string(rest) + " " + std::to_string(a + b) + " " + std::string(c.method());
          }));
  app.get("/colour/{colour}/{yes}", typed([](Colour colour, bool yes) -> int {
            return colour == Colour::dark_green && yes ? 1 : 0;
          }));
  start();
  http::test::Answer answer = get("/sum/200/-7/x%2Fy/z");
  EXPECT_EQ(answer.body, "x/y/z 193 GET");
  EXPECT_EQ(answer.field("content-type"), "text/plain; charset=utf-8");
  answer = get("/sum/256/1/x");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "a must be an integer from 0 to 255\n");
  answer = get("/colour/dark%20green/true");
  EXPECT_EQ(answer.body, "1");
  EXPECT_EQ(answer.field("content-type"), "application/json");
  EXPECT_EQ(get("/colour/blue/true").body, "colour must be one of red, dark green\n");
}

TEST_P(Typed, parts_of_the_request_say_where_they_are_from) {
  app.post("/all/{shelf}/{box}",
           typed([](FromPath<Slot> slot, const FromQuery<Wanted>& wanted, FromHeader<Keys> keys,
                    FromJson<std::vector<int>> numbers) {
             std::map<std::string, std::string> made;
             made["box"] = slot->box + std::to_string(slot->shelf);
             made["q"] = wanted->q + std::to_string(wanted->page);
             made["key"] = (*keys).key;
             made["numbers"] = std::to_string(numbers->size());
             return made;
           }));
  app.post("/form", typed([](FromForm<Login> login) { return std::vector<Login>{*login}; }));
  start();
  http::test::Client client = connect();
  const std::string head = "Content-Type: application/json\r\nX-Key: k\r\n";
  http::test::Answer answer =
      client.ask(http::test::post_request("/all/3/b?q=x&page=7", "[1,2]", head));
  EXPECT_EQ(answer.body, R"({"box":"b3","key":"k","numbers":"2","q":"x7"})");
  EXPECT_EQ(client.ask(http::test::post_request("/all/30/b?q=x", "[1,2]", head)).status, 422);
  EXPECT_EQ(client.ask(http::test::post_request("/all/3/b", "[1,2]", head)).status, 422);
  EXPECT_EQ(post("/form", "name=n&pin=2", "application/x-www-form-urlencoded").body,
            R"([{"name":"n","pin":2}])");
  EXPECT_EQ(post("/form", R"({"name":"n","pin":2})").status, 415);
}

TEST_P(Typed, parameters_may_be_of_types_that_read_themselves) {
  app.get("/shelves/{at}", typed([](Position at, const Asker& asker) {
            return std::to_string(at.shelf) + at.box + asker.name;
          }));
  start();
  const std::string ask = " HTTP/1.1\r\nHost: a\r\nX-User: ada\r\n\r\n";
  EXPECT_EQ(connect().ask("GET /shelves/7-b" + ask).body, "7bada");
  EXPECT_EQ(connect().ask("GET /shelves/b7" + ask).body, "at is malformed\n");
  EXPECT_EQ(get("/shelves/7-b").status, 401);
}

TEST_P(Typed, a_result_may_be_missing_empty_a_status_or_one_of_several) {
  app.get("/maybe/{n}",
          typed([](int n) { return n > 0 ? std::optional<Login>({"n", 1}) : std::nullopt; }));
  app.del("/gone", typed([] {}));
  app.get("/own", typed([](Context& c) { c.status(203).text("own"); }));
  app.get("/accepted", typed([] { return WithStatus<202>(); }));
  app.get("/either/{n}", typed([](int n) -> std::variant<Login, WithStatus<409, Slot>> {
            if (n > 0) return Login{"n", 1};
            return WithStatus<409, Slot>{{7, "b"}};
          }));
  start();
  EXPECT_EQ(get("/maybe/1").body, R"({"name":"n","pin":1})");
  EXPECT_EQ(get("/maybe/0").status, 404);
  EXPECT_EQ(connect().ask("DELETE /gone HTTP/1.1\r\nHost: a\r\n\r\n").status, 204);
  EXPECT_EQ(get("/own").status, 203);
  EXPECT_EQ(get("/own").body, "own");
  EXPECT_EQ(get("/accepted").status, 202);
  EXPECT_EQ(get("/either/1").body, R"({"name":"n","pin":1})");
  http::test::Answer answer = get("/either/0");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.body, R"({"shelf":7,"box":"b"})");
}

TEST_P(Typed, a_coroutine_gives_its_result_later) {
  app.post("/later/{n:uint}", typed([](std::uint64_t n, Login in) -> Task<Created<Login>> {
             co_await coro::sleep(std::chrono::milliseconds(1));
             in.pin += static_cast<std::uint32_t>(n);
             co_return Created<Login>{in};
           }));
  app.get("/nothing", typed([]() -> Task<void> { co_await coro::yield(); }));
  start();
  http::test::Answer answer = post("/later/2", R"({"name":"n","pin":1})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, R"({"name":"n","pin":3})");
  EXPECT_EQ(post("/later/2", "[]").status, 422);
  EXPECT_EQ(get("/nothing").status, 204);
}

TEST(TypedRoutes, what_cannot_be_is_refused_when_it_is_added) {
  App app;
  const auto refusal = [](const auto& add) -> std::string {
    try {
      add();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_EQ(refusal([&] { app.get("/a/{x}", typed([](int, int) { return 1; })); }),
            "route GET /a/{x}: its handler takes 2 parameters of the path, in their order, and the "
            "pattern has 1 parameter");
  EXPECT_EQ(refusal([&] { app.get("/a", typed([](Login login) { return login; })); }),
            "route GET /a: its handler takes a struct out of the body, and such requests have "
            "none: take a weft::FromQuery of it");
  EXPECT_EQ(refusal([&] { app.get("/a/{box}", typed([](const FromPath<Slot>&) { return 1; })); }),
            "route GET /a/{box}: its handler takes a parameter \"shelf\" of the path, which the "
            "pattern has not");
  EXPECT_NE(refusal([&] { describe_route().answers(99, "odd"); }), "");
  EXPECT_NE(refusal([&] { app.openapi({.path = "nowhere"}); }), "");
  EXPECT_NE(refusal([&] { app.openapi({.docs_path = "/{x}"}); }), "");
  EXPECT_NE(refusal([&] { app.openapi({.security = {"who"}}); }), "");
  EXPECT_NE(refusal([&] { app.openapi({.security_schemes = {{.name = "a b"}}}); }), "");
  EXPECT_NE(refusal([&] { app.openapi({.security_schemes = {{.name = "a"}, {.name = "a"}}}); }),
            "");
  EXPECT_NE(
      refusal([&] {
        app.openapi({.security_schemes = {{.name = "a", .kind = SecurityScheme::Kind::header}}});
      }),
      "");
  app.get("/taken", plain);
  EXPECT_NE(refusal([&] { app.openapi({.path = "/taken"}); }), "");
  app.get("/before", describe_route({.security = {"late"}}), plain);
  EXPECT_EQ(refusal([&] { app.openapi({}); }),
            "route /before names the security scheme \"late\", which "
            "OpenApiOptions::security_schemes has not");
  app.openapi({.security_schemes = {{.name = "late"}}});
  EXPECT_EQ(refusal([&] { app.get("/after", describe_route({.security = {"never"}}), plain); }),
            "route /after names the security scheme \"never\", which "
            "OpenApiOptions::security_schemes has not");
  EXPECT_THROW(app.openapi({}), std::logic_error);
}

}  // namespace weft::app::test
