// Worker routes, asked by clients: what their handlers see, how they wait, and how that ends.
#include "exec/worker_routes.hpp"

namespace weft::http::test {

INSTANTIATE_TEST_SUITE_P(Topologies, WorkerRoutes, every_topology, backend_of);

TEST_P(WorkerRoutes, its_handler_sees_the_request_and_runs_on_the_pool) {
  app.post("/all/{id:int}", worker(), [](Context& c) {
    c.status(201).set_header("x-thread", on_pool() ? "pool" : "loop");
    c.text(std::string(c.method()) + " " + std::string(c.param("id")) + " " +
           std::string(c.query("q")) + " " + std::string(c.header("x-mine")) + " " +
           std::string(c.body()) + " " + std::string(c.route()));
  });
  start();
  Client client = connect();
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client.ask(
        post_request("/all/" + std::to_string(i) + "?q=a%20b", "the body", "X-Mine: 7\r\n"));
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.field("x-thread"), "pool");
    EXPECT_EQ(answer.body, "POST " + std::to_string(i) + " a b 7 the body /all/{id:int}");
  }
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(WorkerRoutes, a_body_that_comes_in_pieces_is_whole_for_the_handler) {
  app.post("/sum", worker(), [](Context& c) {
    std::uint64_t sum = 0;
    for (const char byte : c.body()) sum += static_cast<unsigned char>(byte);
    std::uint64_t again = 0;
    auto stream = c.body_stream();
    for (auto part = stream.read(); !part.empty(); part = stream.read()) {
      for (const char byte : part) again += static_cast<unsigned char>(byte);
    }
    c.text(std::to_string(sum) + " " + std::to_string(again));
  });
  start();
  Client client = connect();
  const std::string body(100'000, '\x03');
  const std::string request = post_request("/sum", body);
  client.send(request.substr(0, 50'000));
  client.send(request.substr(50'000));
  EXPECT_EQ(client.read_answer().body, "300000 300000");
  client.send("POST /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n");
  client.send("abc\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "294 294");
}

TEST_P(WorkerRoutes, others_are_answered_while_every_pool_thread_spins) {
  start();
  occupy(2);
  Client other = connect();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(other.get("/").body, "hello");
  spinners.release();
  expect_all_spun();
}

TEST_P(WorkerRoutes, what_waits_begins_when_a_thread_is_free_and_answers_come_in_order) {
  app.get("/next/:n", worker({.queue_time = seconds(30)}),
          [](Context& c) { c.text(c.param("n")); });
  start();
  occupy(2);
  Client client = connect();
  client.send(get_request("/next/1") + get_request("/echo/2") + get_request("/next/3"));
  Client other = connect();
  other.send(get_request("/next/4"));
  ASSERT_TRUE(waiting_comes_to(4));
  spinners.release();
  EXPECT_EQ(client.read_final_answer().body, "1");
  EXPECT_EQ(client.read_final_answer().body, "2");
  EXPECT_EQ(client.read_final_answer().body, "3");
  EXPECT_EQ(other.read_final_answer().body, "4");
  expect_all_spun();
}

TEST_P(WorkerRoutes, a_request_that_waits_holds_no_stack) {
  app.get("/stacks",
          [](Context& c) { c.text(std::to_string(weft::snapshot({.backtraces = false}).size())); });
  start();
  Client client = connect();
  const std::string before = client.get("/stacks").body;
  occupy(2);
  for (int i = 0; i < 20; ++i) {
    busy.push_back(connect());
    busy.back().send(get_request("/spin"));
  }
  ASSERT_TRUE(waiting_comes_to(22));
  EXPECT_EQ(client.get("/stacks").body, before);
  spinners.release();
  expect_all_spun();
}

TEST_P(WorkerRoutes, one_that_has_waited_too_long_is_answered_503_with_retry_after) {
  app.get("/impatient", worker({.queue_time = milliseconds(20)}),
          [](Context& c) { c.text("ran"); });
  start();
  occupy(2);
  Client client = connect();
  const Answer refused = client.get("/impatient");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("retry-after"), "1");
  EXPECT_FALSE(refused.announces_close());
  spinners.release();
  expect_all_spun();
  EXPECT_EQ(client.get("/impatient").body, "ran");
}

TEST_P(WorkerRoutes, one_whose_client_has_gone_never_begins) {
  std::atomic<int> ran{0};
  app.get("/counted", worker({.queue_time = seconds(30)}), [&ran](Context& c) {
    ++ran;
    c.text("ran");
  });
  app.get("/metrics", metrics());
  start();
  occupy(2);
  {
    Client client = connect();
    client.send(get_request("/counted"));
    ASSERT_TRUE(waiting_comes_to(3));
    client.reset();
  }
  ASSERT_TRUE(waiting_comes_to(2));
  EXPECT_TRUE(metric_says("outcome=\"dropped\"} 1"));
  spinners.release();
  expect_all_spun();
  EXPECT_EQ(connect().get("/counted").body, "ran");
  EXPECT_EQ(ran, 1);
}

TEST_P(WorkerRoutes, the_time_of_a_request_is_over_in_the_line_too) {
  app.get("/patient", worker({.queue_time = seconds(30)}), [](Context& c) { c.text("ran"); });
  options.limits.request_timeout = milliseconds(50);
  start();
  occupy(2);
  const Answer answer = connect().get("/patient");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "The request took too long\n");
  spinners.release();
}

TEST_P(WorkerRoutes, a_wait_on_the_pool_ends_with_the_time_of_the_request) {
  app.get("/forever", worker(), [](Context& c) {
    weft::sleep(std::chrono::hours(1));
    c.text("slept");
  });
  options.limits.request_timeout = milliseconds(50);
  start();
  const Answer answer = connect().get("/forever");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "The request took too long\n");
}

TEST_P(WorkerRoutes, a_wait_on_the_pool_ends_when_the_client_has_gone) {
  std::atomic<bool> begun{false};
  std::atomic<bool> cancelled{false};
  app.get("/forever", worker(), [&](Context&) {
    begun = true;
    try {
      weft::sleep(std::chrono::hours(1));
    } catch (const Cancelled&) {
      cancelled = true;
      throw;
    }
  });
  start();
  {
    Client client = connect();
    client.send(get_request("/forever"));
    ASSERT_TRUE(eventually([&] { return begun.load(); }));
    client.reset();
  }
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
  expect_still_serving();
}

TEST_P(WorkerRoutes, what_it_throws_is_answered_as_what_others_throw) {
  app.get("/teapot", worker(), [](Context&) { throw HttpError(418, "a teapot\n"); });
  app.get("/broken", worker(), [](Context&) { throw std::runtime_error("broken"); });
  std::atomic<bool> told_on_loop{false};
  app.on_error([&](Context& c, const std::exception& error) {
    told_on_loop = !on_pool();
    c.text(std::string("told: ") + error.what());
  });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/teapot").status, 418);
  const Answer broken = client.get("/broken");
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.body, "told: broken");
  EXPECT_TRUE(told_on_loop);
}

TEST_P(WorkerRoutes, a_drain_waits_for_what_is_queued) {
  start();
  occupy(2);
  busy.push_back(connect());
  busy.back().send(get_request("/spin"));
  ASSERT_TRUE(waiting_comes_to(3));
  std::thread stopping([this] { app.stop(); });
  ASSERT_TRUE(eventually([this] {
    try {
      connect();
      return false;
    } catch (const std::system_error&) {
      return true;
    }
  }));
  spinners.release();
  expect_all_spun();
  stopping.join();
  EXPECT_EQ(spinners.begun(), 3);
}

TEST_P(WorkerRoutes, at_the_end_of_the_grace_period_what_is_queued_never_begins) {
  options.limits.drain_grace = milliseconds(50);
  start();
  occupy(2);
  Client queued = connect();
  queued.send(get_request("/spin"));
  ASSERT_TRUE(waiting_comes_to(3));
  std::thread stopping([this] { app.stop(); });
  EXPECT_EQ(queued.read_final_answer().status, 503);
  spinners.release();
  stopping.join();
  EXPECT_EQ(spinners.begun(), 2);
}

TEST_P(WorkerRoutes, one_that_runs_has_its_request_even_when_its_worker_has_stopped) {
  options.limits.drain_grace = milliseconds(50);
  std::string seen;
  app.post("/late/{id:int}", worker(), [&](Context& c) {
    spinners.spin();
    seen = std::string(c.param("id")) + " " + std::string(c.header("x-mine")) + " " +
           std::string(c.body()) + " " + (c.peer() ? "somebody" : "nobody");
  });
  start();
  Client client = connect();
  client.send(
      "POST /late/7 HTTP/1.1\r\nHost: a\r\nX-Mine: mine\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
  ASSERT_TRUE(spinners.reach(1));
  // The grace period, what comes behind it, and then the worker waits for this one alone.
  EXPECT_FALSE(app.stop_for(seconds(1)));
  spinners.release();
  app.stop();
  EXPECT_EQ(seen, "7 mine abcdef somebody");
}

TEST_P(WorkerRoutes, middleware_runs_on_the_loop_around_it) {
  std::atomic<int> order{0};
  const auto around = [&order](Context& c, Next& next) {
    EXPECT_FALSE(on_pool());
    ++order;
    next();
    EXPECT_FALSE(on_pool());
    EXPECT_EQ(order, 2);
    c.set_header("x-seen",
                 std::to_string(c.answer().status()) + " " + std::string(c.answer().body()));
  };
  app.post("/inside", around, worker(), [&order](Context& c) {
    EXPECT_TRUE(on_pool());
    ++order;
    c.status(201).text(c.body());
  });
  start();
  Client client = connect();
  const Answer answer = client.ask(post_request("/inside", "inner"));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.field("x-seen"), "201 inner");
}

TEST_P(WorkerRoutes, what_cannot_be_had_on_the_pool_is_refused_with_advice) {
  app.get("/stream", worker(), [](Context& c) { c.stream("text/plain").write("x"); });
  app.get("/events", worker(), [](Context& c) { c.events().send("x"); });
  app.get("/file", worker(),
          [](Context& c) { c.file(std::string(WEFT_SOURCE_DIR) + "/README.md"); });
  app.get("/upgrade", worker(), [](Context& c) { c.upgrade("other"); });
  app.on_error([](Context& c, const std::exception& error) { c.text(error.what()); });
  start();
  Client client = connect();
  for (const char* path : {"/stream", "/events", "/file", "/upgrade"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 500) << path;
    EXPECT_NE(answer.body.find("a worker route runs on a pool thread, where it cannot"),
              std::string::npos)
        << answer.body;
    EXPECT_NE(answer.body.find("let the route run on the loop"), std::string::npos) << answer.body;
  }
  EXPECT_EQ(client.get("/").body, "hello");
}

}  // namespace weft::http::test
