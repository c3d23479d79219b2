// Serves the demonstration from the built `weft` program and asks it over real connections.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/program.hpp"

namespace weft::cli {
namespace {

// The port of "weft: http://127.0.0.1:PORT on …", or 0.
std::uint16_t port_of(const std::string& line) {
  const std::string before = "http://127.0.0.1:";
  const std::size_t place = line.find(before);
  if (place == std::string::npos) return 0;
  return static_cast<std::uint16_t>(std::atoi(line.c_str() + place + before.size()));
}

// A connection of its own that one request was sent on; -1 when there is none. `fields` are whole
// lines, with their ends.
int open_request(std::uint16_t port, const std::string& request_line, const std::string& body = {},
                 const std::string& fields = {}) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request = request_line + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" +
                              "Content-Length: " + std::to_string(body.size()) + "\r\n" + fields +
                              "\r\n" + body;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    return fd;
  }
  ::close(fd);
  return -1;
}

// Receives until that text has come, or no more does.
std::string read_until(int fd, const std::string& end) {
  std::string answer;
  std::array<char, 4096> block{};
  ssize_t got = 1;
  while (got > 0 && (end.empty() || answer.find(end) == std::string::npos)) {
    got = ::recv(fd, block.data(), block.size(), 0);
    if (got > 0) answer.append(block.data(), static_cast<std::size_t>(got));
  }
  return answer;
}

// The whole answer to one request.
std::string ask(std::uint16_t port, const std::string& request_line, const std::string& body = {},
                const std::string& fields = {}) {
  const int fd = open_request(port, request_line, body, fields);
  std::string answer = read_until(fd, {});
  if (fd >= 0) ::close(fd);
  return answer;
}

std::string body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : answer.substr(end + 4);
}

// What follows "NAME: " in the head, or nothing.
std::string field_of(const std::string& answer, const std::string& name) {
  const std::string before = "\r\n" + name + ": ";
  const std::size_t place = answer.find(before);
  if (place == std::string::npos || place > answer.find("\r\n\r\n")) return {};
  const std::size_t begin = place + before.size();
  return answer.substr(begin, answer.find("\r\n", begin) - begin);
}

bool has_answer(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0;
}

void expect_says(const std::string& text, const std::string& words) {
  EXPECT_NE(text.find(words), std::string::npos) << "no \"" << words << "\" in:\n" << text;
}

// On a port the system chooses.
class Demo : public testing::TestWithParam<const char*> {
 protected:
  Demo()
      : program_({"demo", "--port", "0"}, {std::string("WEFT_BACKEND=") + GetParam()}),
        start_line_(program_.read_line()),
        port_(port_of(start_line_)) {}

  void SetUp() override { ASSERT_NE(port_, 0) << start_line_; }

  Program program_;
  std::string start_line_;
  std::uint16_t port_;
};

TEST_P(Demo, start_line_names_the_back_end_and_the_reason) {
  expect_says(start_line_, " on ");
  expect_says(start_line_, "(");
}

TEST_P(Demo, page_is_one_file_that_may_load_nothing_from_elsewhere) {
  const std::string answer = ask(port_, "GET /");
  expect_says(answer, "HTTP/1.1 200 OK");
  const std::string policy = field_of(answer, "Content-Security-Policy");
  expect_says(policy, "default-src 'none'; style-src 'sha256-");
  expect_says(policy, "script-src 'sha256-");
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  for (const char* const never : {"@style@", "@script@", "src=", " style=", " onclick="}) {
    EXPECT_EQ(answer.find(never), std::string::npos) << never;
  }
  expect_says(answer, "</html>");
}

TEST_P(Demo, page_that_is_known_is_not_sent_again) {
  const std::string tag = field_of(ask(port_, "GET /"), "ETag");
  ASSERT_FALSE(tag.empty());
  const std::string again = ask(port_, "GET /", {}, "If-None-Match: " + tag + "\r\n");
  expect_says(again, "HTTP/1.1 304 ");
  EXPECT_EQ(body_of(again), "");
}

TEST_P(Demo, what_the_page_links_to_answers) {
  expect_says(ask(port_, "GET /livez"), "HTTP/1.1 200 ");
  expect_says(ask(port_, "GET /readyz"), "HTTP/1.1 200 ");
  expect_says(ask(port_, "GET /openapi.json"), "\"/orders\"");
  const std::string docs = ask(port_, "GET /docs");
  expect_says(field_of(docs, "Content-Security-Policy"), "script-src 'sha256-");
  expect_says(docs, "</html>");
  const std::string metrics = ask(port_, "GET /metrics");
  expect_says(metrics, "weft_connections");
  expect_says(metrics, "demo_orders_total 0");
  expect_says(ask(port_, "GET /metrics", {}, "Accept: application/openmetrics-text\r\n"), "# EOF");
}

TEST_P(Demo, every_answer_has_a_name_and_runs_nothing) {
  for (const char* const request :
       {"GET /users/1", "GET /nowhere", "POST /visits", "GET /sleep/x"}) {
    const std::string answer = ask(port_, request);
    EXPECT_EQ(field_of(answer, "X-Request-Id").size(), 32u) << answer;
    EXPECT_EQ(field_of(answer, "X-Content-Type-Options"), "nosniff") << answer;
    expect_says(field_of(answer, "Content-Security-Policy"), "default-src 'none'");
  }
}

TEST_P(Demo, routes_answer) {
  expect_says(ask(port_, "GET /users/42"), "{\"id\":\"42\"}");
  expect_says(ask(port_, "GET /sleep/1"), "{\"slept_ms\":");
  expect_says(ask(port_, "POST /echo", "warp and weft"), "\r\n\r\nwarp and weft");
}

TEST_P(Demo, hundred_green_threads_park_on_one_worker_and_all_wake) {
  expect_says(ask(port_, "POST /park/100/20"), "{\"finished\":100,");
}

TEST_P(Demo, too_much_sleep_is_refused_with_400) {
  expect_says(ask(port_, "GET /sleep/10001"), "HTTP/1.1 400 ");
  expect_says(ask(port_, "GET /sleep/-1"), "HTTP/1.1 400 ");
  expect_says(ask(port_, "POST /park/1001/1"), "HTTP/1.1 400 ");
}

TEST_P(Demo, sleepers_of_all_requests_together_are_bounded) {
  std::array<int, 5> parked{};
  for (int& fd : parked) fd = open_request(port_, "POST /park/1000/10000");
  const auto asleep = [&] {
    return ask(port_, "GET /api/stats").find("\"asleep\":5000,") != std::string::npos;
  };
  bool all_asleep = asleep();
  while (!all_asleep && !has_answer(parked.front())) all_asleep = asleep();
  ASSERT_TRUE(all_asleep);
  for (const char* const one_more : {"POST /park/1/1", "GET /sleep/1"}) {
    const std::string answer = ask(port_, one_more);
    if (has_answer(parked.front())) GTEST_SKIP() << "this machine takes more than ten seconds";
    expect_says(answer, "HTTP/1.1 503 ");
    expect_says(answer, "too many green threads are asleep");
  }
  for (const int fd : parked) ::close(fd);
}

TEST_P(Demo, sleepers_that_woke_make_place_for_others) {
  for (int round = 0; round < 6; ++round) {
    expect_says(ask(port_, "POST /park/1000/1"), "{\"finished\":1000,");
  }
  expect_says(ask(port_, "GET /sleep/1"), "{\"slept_ms\":");
  expect_says(ask(port_, "GET /api/stats"), "\"asleep\":0,");
}

TEST_P(Demo, stats_count_the_requests_before) {
  static_cast<void>(ask(port_, "GET /"));
  const std::string stats = ask(port_, "GET /api/stats");
  expect_says(stats, "\"requests\":");
  expect_says(stats, "\"workers\":1");
  expect_says(stats, "\"backend\":{\"name\":\"");
}

TEST_P(Demo, figures_are_pushed_until_the_client_goes) {
  const auto streams = [&] { return ask(port_, "GET /api/stats"); };
  const int fd = open_request(port_, "GET /api/events");
  const std::string first = read_until(fd, "}\n\n");
  EXPECT_EQ(field_of(first, "Content-Type"), "text/event-stream");
  expect_says(first, "event: figures\nretry: 1000\ndata: {\"version\":");
  expect_says(first, "\"streams\":1,");
  expect_says(read_until(fd, "}\n\n"), "event: figures\n");
  expect_says(streams(), "\"streams\":1,");
  ::close(fd);
  while (streams().find("\"streams\":0,") == std::string::npos) {
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(Demo, streams_are_bounded) {
  std::array<int, 64> open{};
  for (int& fd : open) {
    fd = open_request(port_, "GET /api/events");
    expect_says(read_until(fd, "\r\n\r\n"), "HTTP/1.1 200 ");
  }
  const std::string one_more = ask(port_, "GET /api/events");
  expect_says(one_more, "HTTP/1.1 503 ");
  EXPECT_EQ(field_of(one_more, "Retry-After"), "1");
  for (const int fd : open) ::close(fd);
}

TEST_P(Demo, order_is_answered_201_or_with_all_that_is_wrong) {
  const std::string json = "Content-Type: application/json\r\n";
  const std::string good =
      ask(port_, "POST /orders", R"({"name":"Ada","weave":"twill","metres":2,"mail":null})", json);
  expect_says(good, "HTTP/1.1 201 ");
  EXPECT_EQ(body_of(good), R"({"name":"Ada","weave":"twill","metres":2,"cents":800})");
  const std::string bad = ask(port_, "POST /orders",
                              R"({"name":"","weave":"velvet","metres":51,"mail":"nowhere"})", json);
  expect_says(bad, "HTTP/1.1 422 ");
  for (const char* const field : {"$.name", "$.weave", "$.metres", "$.mail"}) {
    expect_says(bad, std::string("\"path\":\"") + field + "\"");
  }
  expect_says(ask(port_, "GET /metrics"), "demo_orders_total 1\n");
}

TEST_P(Demo, bodies_that_make_no_sense_or_are_too_long_are_refused) {
  const std::string json = "Content-Type: application/json\r\n";
  expect_says(ask(port_, "POST /orders", "{\"name\"", json), "HTTP/1.1 400 ");
  expect_says(ask(port_, "POST /orders", "x", "Content-Type: text/plain\r\n"), "HTTP/1.1 415 ");
  const std::string too_long(64 * 1024 + 1, 'x');
  expect_says(ask(port_, "POST /orders", too_long, json), "HTTP/1.1 413 ");
  expect_says(ask(port_, "POST /echo", too_long), "HTTP/1.1 413 ");
}

TEST_P(Demo, visits_are_counted_in_a_cookie_that_only_this_process_can_write) {
  const std::string here = "Origin: http://test\r\n";
  const auto count = [&](std::uint16_t port, const std::string& fields) {
    return ask(port, "POST /visits", {}, here + fields);
  };
  const auto cookie_of = [](const std::string& answer) {
    const std::string set = field_of(answer, "Set-Cookie");
    return set.substr(0, set.find(';'));
  };
  const std::string first = count(port_, {});
  EXPECT_EQ(body_of(first), "{\"visits\":1}");
  expect_says(field_of(first, "Set-Cookie"), "; HttpOnly; SameSite=Strict");
  const std::string cookie = cookie_of(first);
  const std::string second = count(port_, "Cookie: " + cookie + "\r\n");
  EXPECT_EQ(body_of(second), "{\"visits\":2}");
  std::string changed = cookie;
  changed.back() = changed.back() == 'A' ? 'Q' : 'A';
  EXPECT_EQ(body_of(count(port_, "Cookie: " + changed + "\r\n")), "{\"visits\":1}");
  const std::string gone =
      ask(port_, "DELETE /visits", {}, here + "Cookie: " + cookie_of(second) + "\r\n");
  EXPECT_EQ(body_of(gone), "{\"visits\":0}");
  expect_says(field_of(gone, "Set-Cookie"), "weft-demo-visits=;");

  Program other({"demo", "--port", "0"});
  const std::uint16_t other_port = port_of(other.read_line());
  EXPECT_EQ(body_of(count(other_port, "Cookie: " + cookie + "\r\n")), "{\"visits\":1}");
}

TEST_P(Demo, visits_from_another_site_are_refused_with_403) {
  for (const char* const from : {"", "Origin: http://elsewhere.example\r\n",
                                 "Origin: http://test\r\nSec-Fetch-Site: cross-site\r\n"}) {
    for (const char* const request : {"POST /visits", "DELETE /visits"}) {
      const std::string answer = ask(port_, request, {}, from);
      expect_says(answer, "HTTP/1.1 403 ");
      EXPECT_EQ(field_of(answer, "Set-Cookie"), "");
    }
  }
}

TEST_P(Demo, upload_is_measured) {
  const std::string form = "Content-Type: multipart/form-data; boundary=b\r\n";
  const auto with_file = [](const std::string& field, const std::string& content) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + field +
           "\"; filename=\"../a b.png\"\r\nContent-Type: image/png\r\n\r\n" + content +
           "\r\n--b--\r\n";
  };
  const std::string answer =
      ask(port_, "POST /upload", with_file("file", std::string(300'000, 'x')), form);
  EXPECT_EQ(body_of(answer), R"({"name":"a b.png","size":300000,"type":"image/png"})");
  EXPECT_EQ(body_of(ask(port_, "POST /upload", with_file("file", {}), form)),
            R"({"name":"a b.png","size":0,"type":"image/png"})");
  expect_says(ask(port_, "POST /upload", with_file("other", "x"), form), "HTTP/1.1 400 ");
  expect_says(ask(port_, "POST /upload", "x"), "HTTP/1.1 415 ");
  expect_says(ask(port_, "POST /upload", with_file("file", std::string(1024 * 1024, 'x')), form),
              "HTTP/1.1 413 ");
}

// One more may be let in every two seconds, so there is no saying how many come at most.
TEST_P(Demo, limiter_lets_five_through_and_says_when_to_come_again) {
  int let_in = 0;
  std::string answer = ask(port_, "GET /limited");
  for (; let_in < 1'000 && answer.find("HTTP/1.1 200 ") == 0; ++let_in) {
    answer = ask(port_, "GET /limited");
  }
  EXPECT_GE(let_in, 5);
  expect_says(answer, "HTTP/1.1 429 ");
  const int seconds = std::atoi(field_of(answer, "Retry-After").c_str());
  EXPECT_GE(seconds, 1);
  EXPECT_LE(seconds, 2);
}

TEST_P(Demo, text_is_packed_and_not_sent_to_whom_has_it) {
  const std::string plain = ask(port_, "GET /text");
  EXPECT_EQ(field_of(plain, "Content-Encoding"), "");
  const std::string accept = "Accept-Encoding: gzip\r\n";
  const std::string packed = ask(port_, "GET /text", {}, accept);
  EXPECT_EQ(field_of(packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(field_of(packed, "Content-Length"), std::to_string(body_of(packed).size()));
  EXPECT_LT(body_of(packed).size() * 2, body_of(plain).size());
  const std::string again =
      ask(port_, "GET /text", {}, accept + "If-None-Match: " + field_of(packed, "ETag") + "\r\n");
  expect_says(again, "HTTP/1.1 304 ");
  EXPECT_EQ(body_of(again), "");
}

TEST_P(Demo, sigterm_ends_streams_too) {
  const int fd = open_request(port_, "GET /api/events");
  expect_says(read_until(fd, "\r\n\r\n"), "HTTP/1.1 200 ");
  program_.send_signal(SIGTERM);
  EXPECT_EQ(program_.finish().status, 0);
  ::close(fd);
}

TEST_P(Demo, sigterm_ends_it_with_status_0) {
  program_.send_signal(SIGTERM);
  EXPECT_EQ(program_.finish().status, 0);
}

INSTANTIATE_TEST_SUITE_P(BackEnds, Demo, testing::Values("auto", "epoll"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(DemoFlags, port_out_of_range_exits_2) {
  const Outcome outcome = run_weft({"demo", "--port", "65536"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome.text, "--port must be a number from 0 to 65535, not '65536'");
}

TEST(DemoFlags, figures_may_be_asked_for_where_they_are_anyway) {
  Program program({"demo", "--port", "0", "--metrics-path", "/metrics"});
  const std::string line = program.read_line();
  ASSERT_NE(port_of(line), 0) << line;
  expect_says(ask(port_of(line), "GET /metrics"), "demo_orders_total 0");
}

TEST(DemoFlags, misspelt_back_end_exits_2_and_suggests_the_right_one) {
  const Outcome outcome = run_weft({"demo", "--backend=iouring"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome.text, "did you mean io_uring?");
}

TEST(DemoFlags, unknown_back_end_in_the_environment_is_an_error_that_lists_them) {
  const Outcome outcome = run_weft({"demo", "--port", "0"}, {"WEFT_BACKEND=kqueue"});
  EXPECT_EQ(outcome.status, 2);
  expect_says(outcome.text, "WEFT_BACKEND must be one of auto, io_uring, epoll, not 'kqueue'");
}

}  // namespace
}  // namespace weft::cli
