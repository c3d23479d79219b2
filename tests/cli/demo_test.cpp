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

// A connection of its own that one request was sent on; -1 when there is none.
int open_request(std::uint16_t port, const std::string& request_line,
                 const std::string& body = {}) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request = request_line + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" +
                              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    return fd;
  }
  ::close(fd);
  return -1;
}

// The whole answer to one request.
std::string ask(std::uint16_t port, const std::string& request_line, const std::string& body = {}) {
  const int fd = open_request(port, request_line, body);
  std::string answer;
  std::array<char, 4096> block{};
  ssize_t got = 1;
  while (got > 0) {
    got = ::recv(fd, block.data(), block.size(), 0);
    if (got > 0) answer.append(block.data(), static_cast<std::size_t>(got));
  }
  if (fd >= 0) ::close(fd);
  return answer;
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
  expect_says(answer, "default-src 'none'");
  expect_says(answer, "</html>");
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
