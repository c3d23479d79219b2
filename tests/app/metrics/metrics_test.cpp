// Metrics: figures of an application, of a server, and the text that both are shown as.
#include "weft/metrics.hpp"

#include <stdlib.h>

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "app/metrics/exposition.hpp"
#include "app/metrics/metrics_handler.hpp"
#include "app/metrics/worker_recorder.hpp"
#include "exposition_reader.hpp"
#include "gvt/turn_meter.hpp"
#include "http/server/server_test.hpp"
#include "ksvc/router/kernel_features.hpp"

namespace weft {

namespace {

using app::TextFormat;
using app::test::ExpositionReader;
using http::test::Answer;
using http::test::eventually;
using RawClient = http::test::Client;

std::string shown(const Metrics& metrics, TextFormat format) {
  app::Exposition exposition(format);
  metrics.write_to(exposition);
  return std::move(exposition).finish();
}

template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

class ShownMetrics : public testing::Test {
 protected:
  void SetUp() override {
    options.port = 0;
    options.quiet = true;
    app.get("/hello/{name}", [](Context& c) { c.text("hello"); });
    app.post("/hello/{name}", [](Context& c) { c.text(std::to_string(c.body().size())); });
    app.get("/throws", [](Context& c) { c.abort(503, "later"); });
  }
  void TearDown() override { app.stop(); }

  RawClient start(unsigned workers = 1) {
    options.workers = workers;
    app.start(options);
    return RawClient(app.port());
  }
  // The figures, which have been checked as a whole.
  ExpositionReader read(const std::string& accept = "application/openmetrics-text",
                        const std::string& path = "/metrics") const {
    RawClient client(app.port());
    const Answer answer =
        client.ask("GET " + path + " HTTP/1.1\r\nHost: a\r\nAccept: " + accept + "\r\n\r\n");
    EXPECT_EQ(answer.status, 200);
    ExpositionReader reader(answer.body, answer.field("content-type").starts_with("application/"));
    EXPECT_EQ(reader.wrong(), "") << answer.body;
    return reader;
  }

  Options options;
  App app;
};

}  // namespace

// ---- The figures of an application

TEST(Metrics, both_formats_are_as_they_are_written_down) {
  Metrics metrics;
  metrics.counter("jobs_total", "Jobs \"done\".\nAll of them.", {{"queue", "a\"b\\c\nd"}}).add(3);
  metrics.counter("jobs", "", {{"queue", "mail"}}).add();
  metrics.gauge("depth", "Depth.").set(-1.5);
  auto& times = metrics.histogram("took_seconds", "Time.", {0.5, 1, 256});
  times.observe(0.5);
  times.observe(0.75);
  times.observe(300);
  EXPECT_EQ(shown(metrics, TextFormat::prometheus),
            "# TYPE depth gauge\n"
            "# HELP depth Depth.\n"
            "depth -1.5\n"
            "# TYPE jobs_total counter\n"
            "# HELP jobs_total Jobs \"done\".\\nAll of them.\n"
            "jobs_total{queue=\"a\\\"b\\\\c\\nd\"} 3\n"
            "jobs_total{queue=\"mail\"} 1\n"
            "# TYPE took_seconds histogram\n"
            "# HELP took_seconds Time.\n"
            "took_seconds_bucket{le=\"0.5\"} 1\n"
            "took_seconds_bucket{le=\"1\"} 2\n"
            "took_seconds_bucket{le=\"256\"} 2\n"
            "took_seconds_bucket{le=\"+Inf\"} 3\n"
            "took_seconds_sum 301.25\n"
            "took_seconds_count 3\n");
  const std::string open = shown(metrics, TextFormat::openmetrics);
  EXPECT_NE(open.find("# TYPE jobs counter\n# HELP jobs Jobs \\\"done\\\".\\nAll of them.\n"
                      "jobs_total{queue=\"a\\\"b\\\\c\\nd\"} 3\n"),
            std::string::npos)
      << open;
  EXPECT_NE(open.find("took_seconds_bucket{le=\"256.0\"} 2\n"), std::string::npos) << open;
  EXPECT_TRUE(open.ends_with("# EOF\n"));
  EXPECT_EQ(ExpositionReader(open, true).wrong(), "");
  EXPECT_EQ(ExpositionReader(shown(metrics, TextFormat::prometheus), false).wrong(), "");
}

TEST(Metrics, what_is_no_utf8_does_not_spoil_the_rest) {
  Metrics metrics;
  metrics.gauge("a", "\xC3\xA9 \xC3", {{"name", "\xFF\"\xE2\x82"}}).set(1);
  EXPECT_EQ(shown(metrics, TextFormat::prometheus),
            "# TYPE a gauge\n# HELP a \xC3\xA9 \xEF\xBF\xBD\n"
            "a{name=\"\xEF\xBF\xBD\\\"\xEF\xBF\xBD\"} 1\n");
}

TEST(Metrics, a_counter_has_a_name_beside_its_ending) {
  Metrics metrics;
  EXPECT_NE(refusal([&] { metrics.counter("_total", ""); }), "(nothing was thrown)");
}

TEST(Metrics, the_reader_of_these_tests_finds_what_is_wrong) {
  for (const char* const text :
       {"# TYPE a gauge\n# HELP a A.\na 1\na 1\n# EOF\n", "a 1\n# EOF\n",
        "# TYPE a counter\n# HELP a A.\na 1\n# EOF\n", "# TYPE a gauge\n# HELP a A.\na x\n# EOF\n",
        "# TYPE a gauge\n# HELP a A.\na{b=\"c} 1\n# EOF\n", "# TYPE a gauge\n# HELP a A.\na 1\n",
        "# TYPE a histogram\n# HELP a A.\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum "
        "1\na_count 1\n# EOF\n"}) {
    EXPECT_NE(ExpositionReader(text, true).wrong(), "") << text;
  }
}

TEST(Metrics, one_name_and_labels_are_one_figure) {
  Metrics metrics;
  auto& a = metrics.counter("a_total", "A.", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(&metrics.counter("a", "A.", {{"y", "2"}, {"x", "1"}}), &a);
  EXPECT_NE(&metrics.counter("a", "A.", {{"x", "1"}}), &a);
  EXPECT_EQ(&metrics.gauge("g", ""), &metrics.gauge("g", ""));
  EXPECT_EQ(&metrics.histogram("h", ""), &metrics.histogram("h", ""));
}

TEST(Metrics, what_makes_no_sense_is_refused_and_says_what_to_do) {
  Metrics metrics;
  metrics.counter("taken_total", "T.");
  metrics.histogram("h", "H.", {1, 2});
  const auto counter = [&](const char* name, Metrics::Labels labels = {}) {
    return refusal([&] { metrics.counter(name, "", labels); });
  };
  EXPECT_EQ(counter("1a"),
            "metric \"1a\": a name has letters, digits, _ and :, and does not begin with a digit");
  EXPECT_NE(counter("").find("a name has"), std::string::npos);
  EXPECT_NE(counter("a-b").find("a name has"), std::string::npos);
  EXPECT_NE(counter("weft_x").find("take another"), std::string::npos);
  EXPECT_NE(counter("process_x").find("take another"), std::string::npos);
  EXPECT_NE(counter("a", {{"b c", ""}}).find("label \"b c\""), std::string::npos);
  EXPECT_NE(counter("a", {{"__b", ""}}).find("label \"__b\""), std::string::npos);
  EXPECT_NE(counter("a", {{"b", ""}, {"b", "1"}}).find("occurs twice"), std::string::npos);
  EXPECT_NE(counter("h_count").find("h_count"), std::string::npos);
  EXPECT_NE(refusal([&] { metrics.gauge("taken", ""); }).find("a counter already"),
            std::string::npos);
  EXPECT_NE(refusal([&] { metrics.gauge("h_sum", ""); }).find("one of h"), std::string::npos);
  EXPECT_NE(refusal([&] { metrics.histogram("h", "", {1, 3}); }).find("other bounds"),
            std::string::npos);
  EXPECT_NE(refusal([&] { metrics.histogram("i", "", {2, 1}); }).find("ascend"), std::string::npos);
  EXPECT_NE(refusal([&] { metrics.histogram("i", "", {1, INFINITY}); }).find("finite"),
            std::string::npos);
  EXPECT_NE(refusal([&] { metrics.histogram("i", "", {}, {{"le", "1"}}); }).find("le"),
            std::string::npos);
  EXPECT_EQ(ExpositionReader(shown(metrics, TextFormat::openmetrics), true).wrong(), "");
}

TEST(Metrics, there_is_an_end_to_how_many_there_are) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::kMostSeries; ++i) {
    metrics.gauge("users", "U.", {{"name", std::to_string(i)}});
  }
  EXPECT_THROW(metrics.gauge("users", "U.", {{"name", "one more"}}), std::length_error);
  EXPECT_EQ(&metrics.gauge("users", "U.", {{"name", "7"}}),
            &metrics.gauge("users", "U.", {{"name", "7"}}));
}

TEST(Metrics, nothing_is_lost_that_many_threads_count) {
  Metrics metrics;
  auto& counter = metrics.counter("c", "C.");
  auto& gauge = metrics.gauge("g", "G.");
  auto& histogram = metrics.histogram("h", "H.", {1, 2, 3});
  constexpr int kThreads = 20;
  constexpr int kTimes = 5'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kTimes; ++n) {
        counter.add(2);
        gauge.add(n % 2 == 0 ? 1 : -1);
        histogram.observe(n % 4 + 0.5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 2U * kThreads * kTimes);
  EXPECT_EQ(gauge.value(), 0);
  EXPECT_EQ(histogram.counts(), std::vector<std::uint64_t>(4, kThreads * kTimes / 4));
  EXPECT_EQ(histogram.sum(), kThreads * kTimes * 2.0);
  histogram.observe(std::nan(""));
  EXPECT_EQ(histogram.sum(), kThreads * kTimes * 2.0);
}

// ---- The parts

TEST(PowerBuckets, each_value_is_in_the_first_bucket_that_holds_it) {
  const auto expect_bucket = [](auto buckets, std::uint64_t value) {
    buckets.add(value);
    std::size_t wanted = 0;
    while (wanted < buckets.kBounds && value > buckets.bound(wanted)) ++wanted;
    EXPECT_EQ(buckets.count(wanted), 1U) << value;
  };
  for (unsigned bit = 0; bit < 63; ++bit) {
    for (const std::uint64_t value :
         {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit, (std::uint64_t{1} << bit) + 1}) {
      expect_bucket(app::PowerBuckets<4, 1, 21>(), value);
      expect_bucket(app::PowerBuckets<8, 2, 12>(), value);
    }
  }
}

TEST(TurnMeter, turns_are_counted_by_how_long_they_are) {
  gvt::TurnMeter meter;
  meter.turn_ends({1});
  EXPECT_EQ(meter.busy_ns(), 0U) << "nothing had begun";
  const std::int64_t took[] = {1, 16'000, 16'001, 64'000, 64'001, 10'000'000'000};
  std::int64_t now = 1'000;
  for (const std::int64_t ns : took) {
    meter.turn_begins({now}, 2);
    meter.turn_ends({now + ns});
    now += ns + 5;
  }
  EXPECT_EQ(meter.turns(), 6U);
  EXPECT_EQ(meter.completions(), 12U);
  EXPECT_EQ(meter.lag(0), 2U);
  EXPECT_EQ(meter.lag(1), 2U);
  EXPECT_EQ(meter.lag(2), 1U);
  EXPECT_EQ(meter.lag(gvt::TurnMeter::kBuckets), 1U);
}

TEST(PreferredFormat, is_what_accept_wants_more) {
  using app::preferred_format;
  const auto open = TextFormat::openmetrics;
  const auto old = TextFormat::prometheus;
  EXPECT_EQ(preferred_format(""), old);
  EXPECT_EQ(preferred_format("*/*"), old);
  EXPECT_EQ(preferred_format("text/plain"), old);
  EXPECT_EQ(preferred_format("application/openmetrics-text"), open);
  EXPECT_EQ(preferred_format("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;"
                             "version=0.0.4;q=0.25"),
            open);
  EXPECT_EQ(preferred_format("application/openmetrics-text; q=0.1, TEXT/Plain; q=0.9"), old);
  EXPECT_EQ(preferred_format("application/openmetrics-text;q=0"), old);
}

// ---- The figures of a server

TEST_F(ShownMetrics, requests_are_counted_by_route_method_and_status) {
  app.get("/metrics", metrics());
  RawClient client = start();
  for (int i = 0; i < 3; ++i) client.get("/hello/" + std::to_string(i));
  client.ask(http::test::post_request("/hello/x", "12345"));
  client.get("/throws");
  client.get("/none");
  client.get("/elsewhere");
  client.ask("DELETE /throws HTTP/1.1\r\nHost: a\r\n\r\n");
  RawClient(app.port()).ask("nonsense\r\n\r\n");
  const auto read = this->read();
  const std::string requests = "weft_http_requests_total";
  const auto count = [&](const char* route, const char* method, const char* status) {
    return read.sum(requests, {{"route", route}, {"method", method}, {"status", status}});
  };
  EXPECT_EQ(count("/hello/{name}", "GET", "2xx"), 3);
  EXPECT_EQ(count("/hello/{name}", "POST", "2xx"), 1);
  EXPECT_EQ(count("/throws", "GET", "5xx"), 1);
  EXPECT_EQ(count("none", "GET", "4xx"), 2);
  EXPECT_EQ(count("none", "DELETE", "4xx"), 1);
  EXPECT_EQ(read.sum(requests), 8);
  EXPECT_EQ(read.sum("weft_http_refused_requests_total", {{"status", "400"}}), 1);
  EXPECT_EQ(read.sum("weft_http_refused_requests_total"), 1);
  const app::test::LabelMap route{{"route", "/hello/{name}"}};
  EXPECT_EQ(read.sum("weft_http_request_duration_seconds_count", route), 4);
  EXPECT_GT(read.sum("weft_http_request_duration_seconds_sum", route), 0);
  EXPECT_EQ(read.sum("weft_http_response_size_bytes_sum", route), 3 * 5 + 1);
  EXPECT_EQ(read.sum("weft_http_request_size_bytes_sum", route), 5);
  EXPECT_EQ(read.sum("weft_http_requests_in_flight"), 1) << "the one that asks";
}

TEST_F(ShownMetrics, what_files_answer_in_front_of_routes_is_counted_under_their_mount) {
  std::string folder = "/tmp/weft-mount-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/a.txt") << "12345";
  std::ofstream(folder + "/page.html") << "page";
  app.use(static_files(folder, {.prefix = "/assets"}));
  app.use(static_files(folder, {.prefix = "/app/", .fallback = "page.html"}));
  app.get("/assets/made", [](Context& c) { c.text("made"); });
  app.get("/metrics", metrics());
  RawClient client = start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("/assets/a.txt").body, "12345");
  EXPECT_EQ(client.ask("GET /assets/a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n").status,
            206);
  EXPECT_EQ(client.get("/assets/made").body, "made");
  EXPECT_EQ(client.get("/assets/none").status, 404);
  EXPECT_EQ(client.get("/app/deep/link").body, "page");
  EXPECT_EQ(client.get("/app/page.html").body, "page");
  const auto read = this->read();
  std::filesystem::remove_all(folder);
  const auto count = [&](const char* route, const char* status) {
    return read.sum("weft_http_requests_total", {{"route", route}, {"status", status}});
  };
  EXPECT_EQ(count("/assets/*path", "2xx"), 4);
  EXPECT_EQ(count("/assets/made", "2xx"), 1);
  EXPECT_EQ(count("/app/*path", "2xx"), 2);
  EXPECT_EQ(count("none", "4xx"), 1);
  EXPECT_EQ(read.sum("weft_http_response_size_bytes_sum", {{"route", "/assets/*path"}}), 17);
}

TEST_F(ShownMetrics, the_server_and_the_process_are_there) {
  app.get("/metrics", metrics());
  RawClient client = start(2);
  client.get("/hello/x");
  weft::LogWriter log("/dev/null");
  const auto read = this->read();
  EXPECT_EQ(read.count("weft_build_info"), 1U);
  EXPECT_EQ(read.sum("weft_build_info", {{"version", std::string(version())}}), 1);
  EXPECT_EQ(read.sum("weft_workers"), 2);
  EXPECT_EQ(read.sum("weft_connections_accepted_total"), 2);
  EXPECT_EQ(read.sum("weft_connections_open"), 2);
  EXPECT_EQ(read.count("weft_loop_turns_total"), 2U);
  EXPECT_GT(read.sum("weft_loop_turns_total"), 0);
  EXPECT_GT(read.sum("weft_loop_completions_total"), 0);
  EXPECT_GT(read.sum("weft_loop_lag_seconds_count"), 0);
  // A worker accepts, soon the other one too, and each of the two clients is listened to.
  EXPECT_EQ(read.count("weft_loop_operations_in_flight"), 2U);
  EXPECT_GE(read.sum("weft_loop_operations_in_flight"), 3);
  EXPECT_EQ(read.sum("weft_pool_busy_threads"), 0);
  EXPECT_GT(read.sum("process_cpu_seconds_total"), 0);
  EXPECT_GT(read.sum("process_resident_memory_bytes"), 1e6);
  EXPECT_NEAR(read.sum("process_open_fds"), static_cast<double>(http::test::open_descriptors()), 8);
  EXPECT_GE(read.sum("process_max_fds"), read.sum("process_open_fds"));
  const double now = static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(
                                             std::chrono::system_clock::now().time_since_epoch())
                                             .count());
  EXPECT_LE(read.sum("process_start_time_seconds"), now + 1);
  EXPECT_GT(read.sum("process_start_time_seconds"), now - 24 * 3600);
  EXPECT_EQ(read.count("weft_log_lines_total"), 0U);
}

TEST_F(ShownMetrics, operations_are_in_flight_until_they_end) {
  for (const char* const backend : {"epoll", "io_uring"}) {
    const bool has_ring = ksvc::probe_kernel_features().io_uring;
    if (backend == std::string_view("io_uring") && !has_ring) continue;
    options.backend = backend;
    App own;
    own.get("/metrics", metrics());
    own.get("/hello", [](Context& c) { c.text("hello"); });
    own.start(options);
    const auto in_flight = [&own] {
      RawClient asking(own.port());
      const Answer answer = asking.get("/metrics");
      const ExpositionReader reader(answer.body, false);
      return reader.sum("weft_loop_operations_in_flight");
    };
    // The accept, and the receive of who asks, which a ring has ended with what it has brought.
    const double at_rest = backend == std::string_view("io_uring") ? 1 : 2;
    EXPECT_TRUE(eventually([&] { return in_flight() == at_rest; })) << backend;
    {
      RawClient first(own.port());
      RawClient second(own.port());
      EXPECT_EQ(first.get("/hello").status, 200);
      EXPECT_EQ(second.get("/hello").status, 200);
      EXPECT_TRUE(eventually([&] { return in_flight() == at_rest + 2; })) << backend;
    }
    EXPECT_TRUE(eventually([&] { return in_flight() == at_rest; })) << backend;
    own.stop();
  }
}

TEST_F(ShownMetrics, a_setting_shows_them_and_conflicts_are_told) {
  options.metrics_path = "/figures";
  options.access_log = "/dev/null";
  start().get("/hello/x");
  const auto read = this->read("text/plain", "/figures");
  EXPECT_EQ(read.sum("weft_http_requests_total", {{"route", "/hello/{name}"}}), 1);
  EXPECT_EQ(read.sum("weft_log_lines_total"), 1);
  EXPECT_EQ(read.sum("weft_log_dropped_lines_total"), 0);
  app.stop();
  start();
  EXPECT_EQ(this->read("text/plain", "/figures").sum("weft_http_requests_total"), 0);
  app.stop();
  options.metrics_path = "/throws";
  try {
    app.start(options);
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot show metrics: GET /throws"), std::string::npos)
        << error.what();
  }
  options.metrics_path = "figures";
  EXPECT_THROW(app.start(options), std::runtime_error);
}

TEST_F(ShownMetrics, figures_of_the_application_are_shown_beside_them) {
  const auto own = std::make_shared<Metrics>();
  own->counter("shop_orders_total", "Orders.").add(7);
  app.state(own);
  app.get("/metrics", metrics());
  const auto other = std::make_shared<Metrics>();
  other->gauge("other", "O.").set(1);
  app.get("/other", metrics({.registry = other, .server = false}));
  start();
  EXPECT_EQ(read().sum("shop_orders_total"), 7);
  EXPECT_EQ(read("text/plain").sum("shop_orders_total"), 7);
  const auto alone = read("application/openmetrics-text", "/other");
  EXPECT_EQ(alone.families().size(), 1U);
  EXPECT_EQ(alone.sum("other"), 1);
}

TEST_F(ShownMetrics, a_server_that_shows_none_counts_none) {
  app.get("/own", metrics({.registry = std::make_shared<Metrics>(), .server = false}));
  start().get("/hello/x");
  EXPECT_EQ(read("text/plain", "/own").families().size(), 0U);
}

TEST_F(ShownMetrics, labels_are_bounded_by_the_routes) {
  app.get("/metrics", metrics());
  RawClient client = start();
  for (int i = 0; i < 200; ++i) {
    client.get("/hello/" + std::to_string(i));
    client.get("/none/" + std::to_string(i));
  }
  EXPECT_EQ(read().count("weft_http_requests_total"), 2U);
  app.get("/late/{x}", [](Context& c) { c.text("late"); });
  client.get("/late/1");
  EXPECT_EQ(read().sum("weft_http_requests_total", {{"route", "/late/{x}"}}), 1);
}

TEST_F(ShownMetrics, sums_over_workers_are_right_under_load_and_histograms_agree) {
  app.get("/metrics", metrics());
  start(3);
  constexpr int kThreads = 6;
  constexpr int kRequests = 300;
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int connection = 0; connection < 3; ++connection) {
        RawClient client(app.port());
        for (int n = 0; n < kRequests / 3; ++n) {
          if (client.get("/hello/x").status == 200) ++answered;
        }
      }
    });
  }
  // What is read meanwhile holds together, too.
  for (int i = 0; i < 20; ++i) {
    const auto read = this->read();
    EXPECT_LE(read.sum("weft_http_requests_total", {{"route", "/hello/{name}"}}),
              kThreads * kRequests);
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(answered, kThreads * kRequests);
  const auto read = this->read();
  const app::test::LabelMap route{{"route", "/hello/{name}"}};
  EXPECT_EQ(read.sum("weft_http_requests_total", route), kThreads * kRequests);
  EXPECT_EQ(read.sum("weft_http_request_duration_seconds_count", route), kThreads * kRequests);
  EXPECT_EQ(read.sum("weft_http_response_size_bytes_count", route), kThreads * kRequests);
  EXPECT_EQ(read.sum("weft_http_response_size_bytes_sum", route), kThreads * kRequests * 5);
  EXPECT_EQ(read.sum("weft_http_requests_total"),
            read.sum("weft_http_request_duration_seconds_count"));
  EXPECT_EQ(read.sum("weft_http_requests_in_flight"), 1);
}

TEST_F(ShownMetrics, requests_that_wait_are_in_flight) {
  http::test::Gate gate;
  app.get("/metrics", metrics());
  app.get("/gate", [&gate](Context& c) {
    gate.pass();
    c.text("passed");
  });
  RawClient client = start();
  client.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  const auto during = read();
  EXPECT_EQ(during.sum("weft_http_requests_in_flight"), 2);
  EXPECT_EQ(during.sum("weft_http_requests_total", {{"route", "/gate"}}), 0);
  gate.open();
  EXPECT_EQ(client.read_answer().body, "passed");
  EXPECT_EQ(read().sum("weft_http_requests_in_flight"), 1);
  app.stop();
}

TEST_F(ShownMetrics, head_and_middleware_work_as_for_any_route) {
  app.get(
      "/metrics",
      [](Context& c, Next& next) {
        if (c.header("x-secret") != "s") return c.abort(401, "no");
        next();
      },
      metrics());
  RawClient client = start();
  EXPECT_EQ(client.get("/metrics").status, 401);
  const Answer answer = client.ask("GET /metrics HTTP/1.1\r\nHost: a\r\nX-Secret: s\r\n\r\n");
  EXPECT_EQ(answer.field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const ExpositionReader read(answer.body, false);
  EXPECT_EQ(read.wrong(), "");
  EXPECT_EQ(read.sum("weft_http_requests_total", {{"status", "4xx"}, {"route", "/metrics"}}), 1);
}

}  // namespace weft
