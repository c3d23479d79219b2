// Worker routes, asked by clients: what their handlers see, how they wait, and how that ends.

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "http/server/server_test.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string thread_name() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return name.data();
}
bool on_pool() { return thread_name().starts_with("weft-work"); }

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

// Handlers that compute until a test lets them go.
class Spinners {
 public:
  void spin() {
    const int now = ++spinning_;
    int most = most_.load();
    while (most < now && !most_.compare_exchange_weak(most, now)) {
    }
    ++begun_;
    while (!released_.load(std::memory_order_relaxed)) std::this_thread::yield();
    --spinning_;
  }
  void release() { released_ = true; }
  bool reach(int count) {
    return eventually([&] { return begun_ >= count; });
  }
  int begun() const { return begun_; }
  int most() const { return most_; }

 private:
  std::atomic<bool> released_{false};
  std::atomic<int> spinning_{0};
  std::atomic<int> most_{0};
  std::atomic<int> begun_{0};
};

class WorkerRoutes : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    options.worker_pool_size = 2;
    app.get("/spin", worker({.queue_time = seconds(30)}), [this](Context& c) {
      spinners.spin();
      c.text("spun");
    });
  }
  void TearDown() override {
    spinners.release();
    // The server lingers for those who are still there.
    busy.clear();
    ServerTest::TearDown();
  }
  // So many threads spin, each for a client of its own.
  void occupy(int threads) {
    for (int i = 0; i < threads; ++i) {
      busy.push_back(connect());
      busy.back().send(get_request("/spin"));
    }
    ASSERT_TRUE(spinners.reach(threads));
  }
  // Counted at the beginning of each turn, so that it takes a request to have it counted.
  bool waiting_comes_to(std::uint64_t count) {
    Client client = connect();
    return eventually(
        [&] { return client.get("/").status == 200 && app.stats().green_threads_parked == count; });
  }
  void expect_all_spun() {
    for (Client& client : busy) EXPECT_EQ(client.read_final_answer().body, "spun");
  }
  bool metric_says(const std::string& line) {
    Client client = connect();
    return client.get("/metrics").body.find(line) != std::string::npos;
  }

  Spinners spinners;
  std::vector<Client> busy;
};
INSTANTIATE_TEST_SUITE_P(Topologies, WorkerRoutes, every_topology, backend_of);

// What does not depend on the model or the back end.
class WorkerRoutesOnce : public WorkerRoutes {};
INSTANTIATE_TEST_SUITE_P(Backends, WorkerRoutesOnce, every_backend, backend_of);

}  // namespace

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

// ---- What is the same with every model

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
