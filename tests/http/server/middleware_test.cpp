// Middleware around handlers of every kind, and what requests and applications keep.

#include <stdexcept>
#include <string>

#include "http/failing_new.hpp"
#include "server_test.hpp"

namespace weft::http::test {

namespace {

class MiddlewareTest : public ServerTest {
 protected:
  // Writes its name before and after the rest, so that the order shows.
  static Middleware named(std::string name) {
    return [name](Context& c, Next& next) {
      std::string& trace = c.get<std::string>("trace") != nullptr ? *c.get<std::string>("trace")
                                                                  : c.set<std::string>("trace", {});
      trace += name;
      next();
      trace += "/" + name;
      if (!c.answer().head_is_sent()) c.set_header("x-trace", trace);
    };
  }
  Answer ask(const std::string& method, const std::string& target) {
    Client client = connect();
    client.send(method + " " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    return client.read_answer(method == "HEAD");
  }
};
INSTANTIATE_TEST_SUITE_P(Topologies, MiddlewareTest, every_topology, backend_of);

struct Counter {
  std::atomic<int> value{0};
};

}  // namespace

TEST_P(MiddlewareTest, runs_around_routes_from_the_outermost_in_and_back_out) {
  app.use(named("a"), named("b"));
  auto v1 = app.group("/v1", named("g"));
  v1.get("/x", named("r"), [](Context& c) { c.text("x"); });
  v1.group("/in", named("h")).get("", [](Context& c) { c.text("in"); });
  app.get("/top", [](Context& c) { c.text("top"); });
  start();
  EXPECT_EQ(ask("GET", "/v1/x").field("x-trace"), "abgr/r/g/b/a");
  EXPECT_EQ(ask("GET", "/v1/in").field("x-trace"), "abgh/h/g/b/a");
  EXPECT_EQ(ask("GET", "/top").field("x-trace"), "ab/b/a");
}

TEST_P(MiddlewareTest, is_not_around_routes_that_were_there_before) {
  app.use(named("a"));
  start();
  EXPECT_EQ(ask("GET", "/").field("x-trace"), "");
}

TEST_P(MiddlewareTest, waits_for_handlers_of_every_kind) {
  app.use(named("a"));
  app.get("/parks", [](Context& c) {
    weft::sleep(std::chrono::milliseconds(1));
    c.text("parked");
  });
  app.get("/coroutine", [](Context& c) -> Task<void> {
    co_await coro::sleep(std::chrono::milliseconds(1));
    c.text("awaited");
  });
  app.get("/later", [](Context&, Respond respond) {
    weft::spawn([respond = std::move(respond)]() mutable {
      weft::sleep(std::chrono::milliseconds(1));
      respond([](Context& c) { c.text("responded"); });
    }).detach();
  });
  app.get("/thread", [](Context&, Respond respond) {
    std::thread([respond = std::move(respond)]() mutable {
      respond([](Context& c) { c.text("from a thread"); });
    }).detach();
  });
  app.get("/now",
          [](Context&, Respond respond) { respond([](Context& c) { c.text("at once"); }); });
  start();
  for (const auto& [path, text] : {std::pair{"/parks", "parked"},
                                   {"/coroutine", "awaited"},
                                   {"/later", "responded"},
                                   {"/thread", "from a thread"},
                                   {"/now", "at once"}}) {
    const Answer answer = ask("GET", path);
    EXPECT_EQ(answer.body, text);
    EXPECT_EQ(answer.field("x-trace"), "a/a") << path;
  }
}

TEST_P(MiddlewareTest, sees_what_handlers_of_every_kind_throw) {
  app.use([](Context& c, Next& next) {
    try {
      next();
    } catch (const std::runtime_error& error) {
      c.status(503).text(error.what());
    }
  });
  app.get("/throws", [](Context&) { throw std::runtime_error("call"); });
  app.get("/coroutine", [](Context&) -> Task<void> {
    co_await coro::yield();
    throw std::runtime_error("coroutine");
  });
  app.get("/ask", [](Context&, Respond) { throw std::runtime_error("ask"); });
  app.get("/dropped", [](Context&, Respond respond) { respond = {}; });
  app.get("/fill", [](Context&, Respond respond) {
    respond([](Context&) { throw std::runtime_error("fill"); });
  });
  // Fails with its Respond on the way: that one must have come round first.
  app.get("/both", [](Context&, Respond respond) {
    weft::spawn([respond = std::move(respond)]() mutable { respond(); }).detach();
    weft::yield();
    throw std::runtime_error("both");
  });
  start();
  for (const char* kind : {"call", "coroutine", "ask", "fill", "both"}) {
    const std::string path = std::string(kind) == "call" ? "/throws" : std::string("/") + kind;
    const Answer answer = ask("GET", path);
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_EQ(answer.body, kind);
  }
  EXPECT_EQ(ask("GET", "/dropped").status, 503);
}

TEST_P(MiddlewareTest, that_gets_no_memory_to_wait_for_a_respond_fails_and_leaves_it_be) {
  app.use(named("a"));
  Respond kept;
  std::atomic<int> filled{0};
  const auto fill = [&filled](Context&) { ++filled; };
  app.get("/kept", [&](Context&, Respond respond) {
    kept = std::move(respond);
    fail_next_allocation();
  });
  // What was called already comes round to a request that has ended.
  app.get("/on-its-way", [&](Context&, Respond respond) {
    std::thread([&] { respond(fill); }).join();
    fail_next_allocation();
  });
  app.get("/met", [](Context& c) { c.text(call_off_failed_allocation() ? "no" : "yes"); });
  app.get("/now", [&](Context& c) {
    kept(fill);
    c.text("too late");
  });
  start();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(ask("GET", "/kept").status, 500);
    EXPECT_EQ(ask("GET", "/met").body, "yes");
    EXPECT_EQ(ask("GET", "/now").body, "too late");
    EXPECT_EQ(ask("GET", "/on-its-way").status, 500);
    EXPECT_EQ(ask("GET", "/met").body, "yes");
  }
  expect_still_serving();
  EXPECT_EQ(filled, 0);
}

TEST_P(MiddlewareTest, may_answer_in_place_of_the_rest) {
  std::atomic<int> reached{0};
  app.get(
      "/closed", [](Context& c, Next&) { c.status(401).text("no"); }, [&](Context&) { ++reached; });
  app.get(
      "/aborted", [](Context&, Next&) { Context::abort(403, "never"); },
      [&](Context&) { ++reached; });
  start();
  EXPECT_EQ(ask("GET", "/closed").status, 401);
  const Answer aborted = ask("GET", "/aborted");
  EXPECT_EQ(aborted.status, 403);
  EXPECT_EQ(aborted.body, "never");
  EXPECT_EQ(reached, 0);
}

TEST_P(MiddlewareTest, that_calls_next_twice_is_told) {
  std::atomic<bool> refused{false};
  app.get(
      "/twice",
      [&](Context&, Next& next) {
        next();
        try {
          next();
        } catch (const std::logic_error&) {
          refused = true;
        }
      },
      [](Context& c) { c.text("once"); });
  start();
  EXPECT_EQ(ask("GET", "/twice").body, "once");
  EXPECT_TRUE(refused);
}

TEST_P(MiddlewareTest, sees_requests_that_no_route_fits) {
  app.use(named("a"));
  app.group("/v1", named("g")).get("/x/{id}", [](Context& c) { c.text("x"); });
  app.group("/users/{id}", named("u")).get("/posts", [](Context& c) { c.text("posts"); });
  start();
  const Answer missing = ask("GET", "/nowhere");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "Not Found\n");
  EXPECT_EQ(missing.field("x-trace"), "a/a");
  EXPECT_EQ(ask("GET", "/v1/y").field("x-trace"), "ag/g/a");
  EXPECT_EQ(ask("GET", "/v1").field("x-trace"), "ag/g/a");
  EXPECT_EQ(ask("GET", "/v12").field("x-trace"), "a/a");
  EXPECT_EQ(ask("GET", "/users/7/likes").field("x-trace"), "au/u/a");
  EXPECT_EQ(ask("GET", "/users//likes").field("x-trace"), "a/a");
  const Answer refused = ask("POST", "/v1/x/1");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(refused.field("x-trace"), "ag/g/a");
  const Answer asked = ask("OPTIONS", "/v1/x/1");
  EXPECT_EQ(asked.status, 204);
  EXPECT_EQ(asked.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(asked.field("x-trace"), "ag/g/a");
}

TEST_P(MiddlewareTest, the_application_words_what_no_route_fits_and_what_fails) {
  app.not_found([](Context& c) { c.text("nothing at " + std::string(c.path())); });
  app.method_not_allowed([](Context& c) { c.text("not so"); });
  app.on_error([](Context& c, const std::exception& error) { c.json({{"error", error.what()}}); });
  app.get("/fails", [](Context&) { throw std::runtime_error("it broke"); });
  app.get("/refuses", [](Context&) { throw HttpError(418, "teapot"); });
  start();
  const Answer missing = ask("GET", "/nowhere");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "nothing at /nowhere");
  const Answer refused = ask("POST", "/fails");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.body, "not so");
  EXPECT_EQ(refused.field("allow"), "GET, HEAD, OPTIONS");
  const Answer failed = ask("GET", "/fails");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body, R"({"error":"it broke"})");
  const Answer teapot = ask("GET", "/refuses");
  EXPECT_EQ(teapot.status, 418);
  EXPECT_EQ(teapot.body, "teapot");
}

TEST_P(MiddlewareTest, an_error_handler_that_fails_leaves_the_plain_answer) {
  app.on_error([](Context& c, const std::exception&) {
    c.text("half an answer");
    throw std::runtime_error("again");
  });
  app.get("/fails", [](Context&) { throw std::runtime_error("it broke"); });
  start();
  const Answer failed = ask("GET", "/fails");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body, "Internal Server Error\n");
  expect_still_serving();
}

TEST_P(MiddlewareTest,
       what_the_application_shares_is_one_object_and_what_is_not_there_is_an_error) {
  auto counter = std::make_shared<Counter>();
  app.state(counter);
  app.get("/count", [](Context& c) { c.text(std::to_string(++c.state<Counter>().value)); });
  app.get("/other", [](Context& c) { c.text(c.state<std::string>()); });
  start();
  EXPECT_EQ(ask("GET", "/count").body, "1");
  EXPECT_EQ(ask("GET", "/count").body, "2");
  EXPECT_EQ(counter->value, 2);
  EXPECT_EQ(ask("GET", "/other").status, 500);
}

TEST_P(MiddlewareTest, values_are_kept_by_type_and_name_until_the_request_has_ended) {
  app.get("/values", [](Context& c) {
    EXPECT_EQ(c.get<int>(), nullptr);
    c.set(1);
    c.set("two", 2);
    c.set(std::string("text"));
    c.set(3);
    weft::yield();
    ASSERT_NE(c.get<std::string>(), nullptr);
    c.text(std::to_string(*c.get<int>()) + std::to_string(*c.get<int>("two")) +
           *c.get<std::string>());
  });
  start();
  EXPECT_EQ(ask("GET", "/values").body, "32text");
  EXPECT_EQ(ask("GET", "/values").body, "32text");
}

TEST_P(MiddlewareTest, the_answer_can_be_seen_and_changed_behind_the_handler) {
  app.get(
      "/changed",
      [](Context& c, Next& next) {
        next();
        AnswerView answer = c.answer();
        EXPECT_EQ(answer.status(), 201);
        EXPECT_EQ(answer.body(), "body");
        EXPECT_EQ(answer.size(), 4U);
        EXPECT_EQ(answer.header("X-One"), "1");
        EXPECT_EQ(answer.header("x-none"), "");
        EXPECT_EQ(answer.header("x-none", "none"), "none");
        EXPECT_FALSE(answer.streamed());
        answer.replace_body(answer.body().substr(2));
        answer.remove_header("x-one");
        c.set_header("x-two", "22").add_header("X-Two", "23");
      },
      [](Context& c) {
        c.status(201).set_header("x-one", "1").set_header("X-Two", "2").add_header("x-one", "0");
        c.text("body");
      });
  app.get(
      "/cleared",
      [](Context& c, Next& next) {
        next();
        c.answer().clear();
        c.text("anew");
      },
      [](Context& c) { c.status(500).set_header("x-one", "1").html("old"); });
  start();
  const Answer changed = ask("GET", "/changed");
  EXPECT_EQ(changed.status, 201);
  EXPECT_EQ(changed.body, "dy");
  EXPECT_EQ(changed.fields.count("x-one"), 0U);
  EXPECT_NE(changed.head.find("\r\nx-two: 22\r\nX-Two: 23\r\n"), std::string::npos) << changed.head;
  EXPECT_EQ(changed.head.find("X-Two: 2\r\n"), std::string::npos) << changed.head;
  const Answer cleared = ask("GET", "/cleared");
  EXPECT_EQ(cleared.status, 200);
  EXPECT_EQ(cleared.body, "anew");
  EXPECT_EQ(cleared.fields.count("x-one"), 0U);
  EXPECT_EQ(cleared.field("content-type"), "text/plain; charset=utf-8");
}

TEST_P(MiddlewareTest, a_streamed_answer_shows_its_size_and_no_more_can_be_changed) {
  std::atomic<std::uint64_t> size{0};
  std::atomic<bool> refused{false};
  app.get(
      "/stream",
      [&](Context& c, Next& next) {
        next();
        size = c.answer().size();
        EXPECT_TRUE(c.answer().streamed());
        EXPECT_TRUE(c.answer().head_is_sent());
        EXPECT_THROW(c.answer().replace_body(""), std::logic_error);
        try {
          c.answer().remove_header("x");
        } catch (const std::logic_error&) {
          refused = true;
        }
      },
      [](Context& c) { c.stream("text/plain", 5).write("12345").flush(); });
  start();
  EXPECT_EQ(ask("GET", "/stream").body, "12345");
  // The client may have it all before the handler has returned.
  EXPECT_TRUE(eventually([&] { return refused.load(); }));
  EXPECT_EQ(size, 5U);
}

TEST_P(MiddlewareTest, a_request_knows_its_route_and_its_peer) {
  app.get("/users/{id:int}/x", [](Context& c) {
    c.text(std::string(c.route()) + " " + (c.peer() ? c.peer()->host() : "nobody"));
  });
  app.not_found([](Context& c) { c.text("[" + std::string(c.route()) + "]"); });
  start();
  EXPECT_EQ(ask("GET", "/users/1/x").body, "/users/{id:int}/x 127.0.0.1");
  EXPECT_EQ(ask("GET", "/users/a/x").body, "[]");
}

TEST_P(MiddlewareTest, is_around_routes_that_are_added_while_the_server_runs) {
  app.use(named("a"));
  auto v1 = app.group("/v1", named("g"));
  start();
  v1.get("/new", [](Context& c) { c.text("new"); });
  EXPECT_EQ(ask("GET", "/v1/new").field("x-trace"), "ag/g/a");
  EXPECT_THROW(app.use(named("late")), std::logic_error);
  EXPECT_THROW(app.state(std::make_shared<Counter>()), std::logic_error);
}

TEST_P(MiddlewareTest, a_client_that_goes_cancels_the_handler_behind_it) {
  std::atomic<bool> reached{false};
  std::atomic<bool> cancelled{false};
  app.get(
      "/waits",
      [&](Context&, Next& next) {
        try {
          next();
        } catch (const Cancelled&) {
          cancelled = true;
          throw;
        }
      },
      [&](Context& c, Respond respond) {
        c.set(std::make_shared<Respond>(std::move(respond)));
        reached = true;
      });
  start();
  {
    Client client = connect();
    client.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return reached.load(); }));
    client.reset();
  }
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
  EXPECT_TRUE(all_connections_closed());
}

TEST(Middleware, an_empty_function_is_refused) {
  App app;
  EXPECT_THROW(app.use(std::function<void(Context&, Next&)>()), std::invalid_argument);
  EXPECT_THROW(app.group("/g", Middleware(std::function<void(Context&, Next&)>())),
               std::invalid_argument);
}

}  // namespace weft::http::test
