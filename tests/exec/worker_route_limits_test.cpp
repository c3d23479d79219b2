// Worker routes, what is the same with every model: limits, modes and figures.
#include "exec/worker_routes.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace weft::http::test {

INSTANTIATE_TEST_SUITE_P(Backends, WorkerRoutesOnce, every_backend, backend_of);

TEST_P(WorkerRoutesOnce, blocking_in_it_runs_in_place_so_that_one_thread_is_enough) {
  options.worker_pool_size = 1;
  app.get("/nested", worker(), [](Context& c) {
    const auto outer = std::this_thread::get_id();
    const auto inner = weft::blocking([] { return std::this_thread::get_id(); });
    c.text(outer == inner ? "in place" : "elsewhere");
  });
  start();
  EXPECT_EQ(connect().get("/nested").body, "in place");
}

TEST_P(WorkerRoutesOnce, one_that_asks_its_own_server_on_the_last_thread_is_told_so_in_time) {
  options.worker_pool_size = 1;
  app.get("/inner", worker({.queue_time = milliseconds(50)}), [](Context& c) { c.text("inner"); });
  app.get("/outer", worker(), [this](Context& c) {
    Client client = connect();
    c.text(std::to_string(client.get("/inner").status));
  });
  start();
  EXPECT_EQ(connect().get("/outer").body, "503");
}

TEST_P(WorkerRoutesOnce, a_client_of_the_library_works_in_it) {
  app.get("/asks", worker(), [this](Context& c) {
    weft::Client client({.base_url = "http://127.0.0.1:" + std::to_string(app.port())});
    const auto answer = client.get("/echo/inner");
    c.text(answer ? answer->body() : answer.error().message());
  });
  start();
  EXPECT_EQ(connect().get("/asks").body, "inner");
}

TEST_P(WorkerRoutesOnce, a_route_and_an_executor_have_their_limits) {
  options.worker_pool_size = 8;
  app.executor("two", {.concurrency = 2});
  Spinners shared;
  Spinners alone;
  const WorkerOptions patient{.executor = "two", .concurrency = 0, .queue_time = seconds(30)};
  for (const char* path : {"/a", "/b"}) {
    app.get(path, worker(patient), [&](Context& c) {
      shared.spin();
      c.text("shared");
    });
  }
  app.get("/one", worker({.executor = "", .concurrency = 1, .queue_time = seconds(30)}),
          [&](Context& c) {
            alone.spin();
            c.text("alone");
          });
  start();
  std::vector<Client> clients;
  for (const char* path : {"/a", "/b", "/a", "/b", "/one", "/one"}) {
    clients.push_back(connect());
    clients.back().send(get_request(path));
  }
  ASSERT_TRUE(waiting_comes_to(6));
  ASSERT_TRUE(shared.reach(2));
  ASSERT_TRUE(alone.reach(1));
  shared.release();
  alone.release();
  for (Client& client : clients) EXPECT_EQ(client.read_final_answer().status, 200);
  EXPECT_EQ(shared.most(), 2);
  EXPECT_EQ(alone.most(), 1);
}

TEST_P(WorkerRoutesOnce, figures_tell_what_has_become_of_its_requests) {
  app.get("/metrics", metrics());
  app.get("/quick", worker(), [](Context& c) { c.text("quick"); });
  app.get("/impatient", worker({.queue_time = milliseconds(1)}), [](Context& c) { c.text("ran"); });
  start();
  EXPECT_EQ(connect().get("/quick").body, "quick");
  occupy(2);
  EXPECT_EQ(connect().get("/impatient").status, 503);
  EXPECT_TRUE(metric_says(
      "weft_worker_requests_total{route=\"/quick\",method=\"GET\",outcome=\"begun\"} 1"));
  EXPECT_TRUE(metric_says(
      "weft_worker_requests_total{route=\"/impatient\",method=\"GET\",outcome=\"rejected\"} 1"));
  EXPECT_TRUE(metric_says("weft_worker_queue_seconds_count{route=\"/quick\",method=\"GET\"} 1"));
  EXPECT_TRUE(metric_says("weft_executor_running{executor=\"default\"} 2"));
  EXPECT_TRUE(metric_says("weft_worker_pool_busy_threads 2"));
  // Two that spin, and the one that asks: what was handed over has been seen to end.
  EXPECT_TRUE(metric_says("weft_http_requests_in_flight 3\n"));
  spinners.release();
}

TEST_P(WorkerRoutesOnce, without_a_pool_it_runs_where_others_do) {
  options.worker_pool = "off";
  app.get("/where", worker(), [](Context& c) { c.text(on_pool() ? "pool" : "loop"); });
  app.get("/streams", worker(), [](Context& c) { c.stream("text/plain", 8).write("streamed"); });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/where").body, "loop");
  EXPECT_EQ(client.get("/streams").body, "streamed");
}

TEST_P(WorkerRoutesOnce, a_group_says_it_for_its_routes_and_a_route_may_say_otherwise) {
  const auto where = [](Context& c) { c.text(on_pool() ? "pool" : "loop"); };
  auto group = app.group("/group");
  group.get("/before", where);
  group.worker();
  group.get("/behind", where).get("/other", on_loop(), where);
  group.group("/below").get("/it", where);
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/group/before").body, "loop");
  EXPECT_EQ(client.get("/group/behind").body, "pool");
  EXPECT_EQ(client.get("/group/other").body, "loop");
  EXPECT_EQ(client.get("/group/below/it").body, "pool");
}

TEST_P(WorkerRoutesOnce, in_worker_mode_all_plain_calls_run_on_the_pool) {
  options.mode = "worker";
  options.worker_pool = "on";
  const auto where = [](Context& c) { c.text(on_pool() ? "pool" : "loop"); };
  app.get("/plain", where);
  app.get("/around", [](Context&, Next& next) { next(); }, where);
  app.get("/stays", on_loop(), where);
  app.get("/later", [](Context& c) -> Task<void> {
    co_await coro::yield();
    c.text(on_pool() ? "pool" : "loop");
  });
  app.files("/files", std::string(WEFT_SOURCE_DIR) + "/tests/exec");
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/plain").body, "pool");
  EXPECT_EQ(client.get("/around").body, "pool");
  EXPECT_EQ(client.get("/stays").body, "loop");
  EXPECT_EQ(client.get("/later").body, "loop");
  EXPECT_EQ(client.get("/files/worker_routes_test.cpp").status, 200);
}

TEST_P(WorkerRoutesOnce, in_worker_mode_one_that_streams_stays_on_the_loop_from_then_on) {
  options.mode = "worker";
  app.get("/streams", [](Context& c) { c.stream("text/plain", 8).write("streamed"); });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/streams").status, 500);
  EXPECT_EQ(client.get("/streams").body, "streamed");
}

TEST_P(WorkerRoutesOnce, in_adaptive_mode_a_route_that_holds_the_worker_up_goes_to_the_pool) {
  options.mode = "adaptive";
  app.get("/metrics", metrics());
  app.get("/slow", [](Context& c) {
    const auto until = std::chrono::steady_clock::now() + milliseconds(3);
    while (std::chrono::steady_clock::now() < until) {
    }
    c.text(on_pool() ? "pool" : "loop");
  });
  app.get(
      "/around", [](Context&, Next& next) { next(); },
      [](Context& c) {
        const auto until = std::chrono::steady_clock::now() + milliseconds(3);
        while (std::chrono::steady_clock::now() < until) {
        }
        c.text(on_pool() ? "pool" : "loop");
      });
  app.get("/fast", [](Context& c) { c.text(on_pool() ? "pool" : "loop"); });
  start();
  Client client = connect();
  EXPECT_EQ(client.get("/slow").body, "loop");
  for (const char* path : {"/slow", "/around"}) {
    bool moved = false;
    for (int i = 0; i < 2'000 && !moved; ++i) moved = client.get(path).body == "pool";
    EXPECT_TRUE(moved) << path;
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.get("/fast").body, "loop");
  EXPECT_TRUE(metric_says("weft_route_moves_total{route=\"/slow\",method=\"GET\",to=\"pool\"} 1"));
  EXPECT_TRUE(metric_says("weft_route_moves_total{route=\"/fast\",method=\"GET\",to=\"pool\"} 0"));
}

TEST_P(WorkerRoutesOnce, in_adaptive_mode_one_that_parks_or_streams_stays) {
  options.mode = "adaptive";
  app.get("/parks", [](Context& c) {
    weft::sleep(milliseconds(3));
    c.text(on_pool() ? "pool" : "loop");
  });
  app.get("/streams", [](Context& c) {
    const auto until = std::chrono::steady_clock::now() + milliseconds(2);
    while (std::chrono::steady_clock::now() < until) {
    }
    c.stream("text/plain", 4).write(on_pool() ? "pool" : "loop");
  });
  start();
  Client client = connect();
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(client.get("/parks").body, "loop");
    EXPECT_EQ(client.get("/streams").body, "loop");
  }
}

TEST_P(WorkerRoutesOnce, one_that_joins_a_running_server_runs_on_the_pool) {
  start();
  app.get("/late", worker(), [](Context& c) { c.text(on_pool() ? "pool" : "loop"); });
  EXPECT_EQ(connect().get("/late").body, "pool");
}

TEST_P(WorkerRoutesOnce, a_test_client_sees_what_clients_see) {
  app.get("/where", worker(), [](Context& c) { c.text(on_pool() ? "pool" : "loop"); });
  TestClient client(app);
  EXPECT_EQ(client.get("/where").body(), "pool");
}

TEST_P(WorkerRoutesOnce, forms_values_and_cookies_are_there) {
  app.post(
      "/form",
      [](Context& c, Next& next) {
        c.set<int>(7);
        next();
      },
      worker(),
      [](Context& c) {
        c.set_cookie("seen", "yes");
        c.json({{"name", c.form("name")}, {"kept", *c.get<int>()}});
      });
  start();
  const Answer answer = connect().ask(
      post_request("/form", "name=Ada+L", "Content-Type: application/x-www-form-urlencoded\r\n"));
  EXPECT_EQ(answer.body, R"({"name":"Ada L","kept":7})");
  EXPECT_NE(answer.field("set-cookie").find("seen=yes"), std::string::npos);
}

TEST(WorkerRouteRefusals, mistakes_are_named) {
  App app;
  const auto nothing = [](Context&) {};
  EXPECT_THROW(worker({.queue_time = milliseconds(-1)}), std::invalid_argument);
  EXPECT_THROW(app.get("/co", worker(), [](Context&) -> Task<void> { co_return; }),
               std::invalid_argument);
  EXPECT_THROW(app.get("/ask", worker(), [](Context&, Respond respond) { respond(); }),
               std::invalid_argument);
  EXPECT_THROW(app.executor("", {}), std::invalid_argument);
  EXPECT_THROW(app.executor("default", {}), std::invalid_argument);
  app.executor("mine", {});
  EXPECT_THROW(app.executor("mine", {}), std::invalid_argument);
  app.get("/lost", worker({.executor = "nobody's"}), nothing);
  Options options;
  options.port = 0;
  options.quiet = true;
  try {
    app.start(options);
    ADD_FAILURE() << "it has started";
  } catch (const std::invalid_argument& refused) {
    EXPECT_STREQ(refused.what(),
                 "worker route /lost: there is no executor \"nobody's\"; make it with "
                 "App::executor()");
  }
}

TEST(WorkerRouteRefusals, settings_that_make_no_sense_are_refused) {
  for (const auto& [pool, mode, size] :
       {std::tuple("often", "spawn", 0U), std::tuple("auto", "sometimes", 0U),
        std::tuple("auto", "spawn", 65U)}) {
    App app;
    Options options;
    options.port = 0;
    options.quiet = true;
    options.worker_pool = pool;
    options.mode = mode;
    options.worker_pool_size = size;
    EXPECT_THROW(app.start(options), std::runtime_error) << pool << " " << mode << " " << size;
  }
}

}  // namespace weft::http::test
