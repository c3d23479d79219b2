// A whole server process, examples/hello: its answers, its signals, and running out of descriptors.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "hello_process.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

class Process : public HelloTest {};
INSTANTIATE_TEST_SUITE_P(Backends, Process, every_backend, backend_of);

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace

TEST_P(Process, hello_answers_each_of_its_routes) {
  HelloProcess hello(arguments());
  const std::uint16_t port = hello.wait_until_it_listens();
  ASSERT_NE(port, 0) << hello.log();
  EXPECT_NE(hello.log().find(" on " + GetParam() + ", 1 worker "), std::string::npos)
      << hello.log();
  Client client(port);
  const Answer text = client.get("/");
  EXPECT_EQ(text.body, "Hello, World!");
  EXPECT_EQ(text.field("content-type"), "text/plain; charset=utf-8");
  const Answer json = client.get("/users/7%2F8");
  EXPECT_EQ(json.body, R"({"id":"7/8","name":"user7/8"})");
  EXPECT_EQ(json.field("content-type"), "application/json");
  EXPECT_EQ(client.get("/sleep/1").body, "slept 1 ms\n");
  EXPECT_EQ(client.get("/sleep/x").status, 400);
  EXPECT_EQ(client.get("/sleep/60001").status, 400);
  EXPECT_EQ(client.get("/park").body, "Hello, World!");
  EXPECT_EQ(client.get("/nowhere").status, 404);
  hello.signal(SIGTERM);
  EXPECT_EQ(hello.wait_for_exit(), 0) << hello.log();
}

TEST_P(Process, sigterm_and_sigint_let_requests_finish_and_end_with_0) {
  for (const int number : {SIGTERM, SIGINT}) {
    HelloProcess hello(arguments());
    const std::uint16_t port = hello.wait_until_it_listens();
    ASSERT_NE(port, 0) << hello.log();
    Client idle(port);
    EXPECT_EQ(idle.get("/").body, "Hello, World!");
    Client client(port);
    client.send(get_request("/park") + get_request("/sleep/200"));
    EXPECT_EQ(client.read_answer().status, 200);  // so it has the other one, too
    hello.signal(number);
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.body, "slept 200 ms\n");
    EXPECT_TRUE(client.is_ended());
    client.close();
    EXPECT_EQ(hello.wait_for_exit(), 0) << hello.log();
  }
}

TEST_P(Process, sighup_opens_the_access_log_anew_where_there_is_one) {
  std::string folder = "/tmp/weft-hello-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/access.log";
  const auto text_of = [](const std::string& of) {
    std::ostringstream text;
    text << std::ifstream(of).rdbuf();
    return text.str();
  };
  auto all = arguments();
  all.insert(all.end(), {"--access-log", path, "--access-log-format", "%U %s"});
  HelloProcess hello(all);
  const std::uint16_t port = hello.wait_until_it_listens();
  ASSERT_NE(port, 0) << hello.log();
  Client client(port);
  client.get("/");
  EXPECT_TRUE(eventually([&] { return text_of(path) == "/ 200\n"; })) << text_of(path);
  std::filesystem::rename(path, path + ".1");
  hello.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(path); }));
  client.get("/park");
  hello.signal(SIGTERM);
  EXPECT_EQ(hello.wait_for_exit(), 0) << hello.log();
  EXPECT_EQ(text_of(path), "/park 200\n");
  EXPECT_EQ(text_of(path + ".1"), "/ 200\n");
  std::filesystem::remove_all(folder);

  HelloProcess without(arguments());
  ASSERT_NE(without.wait_until_it_listens(), 0) << without.log();
  without.signal(SIGHUP);
  EXPECT_EQ(without.wait_for_exit(), 128 + SIGHUP);
}

TEST_P(Process, a_second_signal_cuts_requests_off) {
  HelloProcess hello(arguments());
  const std::uint16_t port = hello.wait_until_it_listens();
  ASSERT_NE(port, 0) << hello.log();
  Client idle(port);
  EXPECT_EQ(idle.get("/").body, "Hello, World!");
  Client client(port);
  client.send(get_request("/park") + get_request("/sleep/60000"));
  EXPECT_EQ(client.read_answer().status, 200);
  hello.signal(SIGTERM);
  EXPECT_TRUE(idle.is_ended());  // the first was taken
  hello.signal(SIGTERM);
  EXPECT_EQ(hello.wait_for_exit(), 0) << hello.log();
  EXPECT_TRUE(client.is_ended());
}

TEST_P(Process, a_port_in_use_is_said_and_ends_with_1) {
  HelloProcess first(arguments());
  const std::uint16_t port = first.wait_until_it_listens();
  ASSERT_NE(port, 0) << first.log();
  HelloProcess second({"--port", std::to_string(port), "--backend", GetParam()});
  EXPECT_EQ(second.wait_for_exit(), 1);
  const std::string place = "127.0.0.1:" + std::to_string(port);
  EXPECT_NE(second.log().find("weft: cannot listen on " + place), std::string::npos)
      << second.log();
  EXPECT_NE(second.log().find("Address already in use"), std::string::npos) << second.log();
}

TEST_P(Process, without_descriptors_it_neither_spins_nor_floods_and_recovers) {
  // UndefinedBehaviorSanitizer opens a pipe for some checks and takes its failure for a bad
  // pointer.
  if (sanitized) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  HelloProcess hello(arguments(), 32);
  const std::uint16_t port = hello.wait_until_it_listens();
  ASSERT_NE(port, 0) << hello.log();
  const std::size_t log_before = hello.log().size();
  std::deque<Client> clients;
  for (int i = 0; i < 60; ++i) {
    clients.emplace_back(port);
    clients.back().send(get_request("/"));
  }
  ASSERT_TRUE(eventually([&] { return hello.log().size() > log_before; }));
  const milliseconds before = hello.processor_time();
  std::this_thread::sleep_for(milliseconds(800));
  EXPECT_LT(hello.processor_time() - before, milliseconds(300));
  const std::string messages = hello.log().substr(log_before);
  EXPECT_NE(messages.find("cannot accept connections"), std::string::npos) << messages;
  EXPECT_LE(std::count(messages.begin(), messages.end(), '\n'), 8) << messages;
  // Every answered client makes room for one that waits.
  for (Client& client : clients) {
    EXPECT_EQ(client.read_answer().body, "Hello, World!");
    client.close();
  }
  Client later(port);
  EXPECT_EQ(later.get("/").body, "Hello, World!");
  later.close();
  hello.signal(SIGTERM);
  EXPECT_EQ(hello.wait_for_exit(), 0) << hello.log();
}

}  // namespace weft::http::test
