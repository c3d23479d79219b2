// The client against servers that do exactly what a test says, in green threads on both back ends
// and on OS threads.

#include "weft/client.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "http/client/scripted_server.hpp"
#include "net/modes.hpp"
#include "weft/cancel.hpp"
#include "weft/green.hpp"
#include "weft/net.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

class ClientTest : public EveryMode {};

// What came of it, as one word or the body.
std::string outcome(const ClientResult<ClientAnswer>& got) {
  return got ? got->body() : std::string(name(got.error().code));
}

ClientRequest request_of(std::string method, std::string url) {
  ClientRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  return request;
}

ClientRequest upload(std::string url) {
  ClientRequest request = request_of("POST", std::move(url));
  request.body_of_unknown_length = true;
  return request;
}

}  // namespace

TEST_P(ClientTest, an_answer_has_status_fields_in_their_order_and_body) {
  std::promise<std::string> asked;
  ScriptedServer server([&](Peer& peer) {
    asked.set_value(peer.read_request());
    peer.send("HTTP/1.1 201 Made\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nok");
  });
  run_here([&] {
    Client client;
    const auto got = client.get(server.url("/a?b=c"));
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->status(), 201);
    EXPECT_EQ(got->reason(), "Made");
    EXPECT_EQ(got->header("X-a"), "1");
    EXPECT_EQ(got->header("none", "fallback"), "fallback");
    EXPECT_EQ(got->body(), "ok");
    const auto fields = got->headers();
    ASSERT_EQ(fields.size(), 3U);
    EXPECT_EQ(fields[1].name, "x-a");
    EXPECT_EQ(fields[1].value, "2");
  });
  EXPECT_EQ(asked.get_future().get(),
            "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                "\r\nUser-Agent: weft\r\n\r\n");
}

TEST_P(ClientTest, headers_and_bodies_are_sent_as_they_are_given) {
  std::promise<std::string> asked;
  ScriptedServer server([&](Peer& peer) {
    asked.set_value(peer.read_request(5));
    peer.send(answer_with("ok"));
  });
  run_here([&] {
    ClientOptions options;
    options.headers = {{"X-Both", "client's"}, {"X-Client", "1"}};
    options.user_agent = "tester";
    Client client(options);
    ClientRequest request = request_of("PUT", server.url());
    request.headers = {{"x-both", "request's"}, {"Host", "other:1"}};
    request.body = "hello";
    EXPECT_EQ(outcome(client.request(request)), "ok");
  });
  EXPECT_EQ(asked.get_future().get(),
            "PUT / HTTP/1.1\r\nx-both: request's\r\nHost: other:1\r\nX-Client: 1\r\n"
            "User-Agent: tester\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_P(ClientTest, connections_are_kept_and_used_again) {
  ScriptedServer server(always(answer_with("ok")));
  run_here([&] {
    Client client;
    for (int i = 0; i < 10; ++i) EXPECT_EQ(outcome(client.get(server.url())), "ok");
    EXPECT_EQ(client.stats().connections_made, 1U);
    EXPECT_EQ(client.stats().connections_reused, 9U);
    EXPECT_EQ(client.stats().connections_kept, 1U);
    EXPECT_EQ(client.stats().connections_in_use, 0U);
    client.close_idle();
    EXPECT_EQ(client.stats().connections_kept, 0U);
  });
  EXPECT_EQ(server.accepted(), 1U);
}

TEST_P(ClientTest, what_may_not_be_kept_is_not) {
  for (const std::string& answer :
       {answer_with("ok", "Connection: close\r\n"), answer_with("ok") + "more",
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")}) {
    ScriptedServer server([&](Peer& peer) {
      if (!peer.read_request().empty()) peer.send(answer);
      EXPECT_TRUE(peer.client_ends());
    });
    run_here([&] {
      Client client;
      for (int i = 0; i < 2; ++i) EXPECT_EQ(outcome(client.get(server.url())), "ok");
    });
    EXPECT_EQ(server.accepted(), 2U) << answer;
  }
}

TEST_P(ClientTest, every_framing_is_read) {
  const std::pair<const char*, const char*> answers[] = {
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
       "abcde"},
      {"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "a"},
      {"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na", "protocol_error"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", "protocol_error"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na", "connection_lost"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "connection_lost"},
      {"HTTP/1.1 200 OK\r\nContent-Len", "connection_lost"},
      {"", "connection_lost"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "too_large"},
  };
  ScriptedServer server([&](Peer& peer) {
    const std::string request = peer.read_request();
    const std::size_t which = std::stoul(request.substr(request.find('/') + 1));
    peer.send(answers[which].first);
    peer.shutdown_write();
    peer.drain();
  });
  run_here([&] {
    ClientOptions options;
    options.limits.body_bytes = 100;
    Client client(options);
    for (std::size_t i = 0; i < std::size(answers); ++i) {
      const auto got = client.get(server.url("/" + std::to_string(i)));
      EXPECT_EQ(outcome(got), answers[i].second) << answers[i].first;
      EXPECT_TRUE(got || !got.error().text.empty());
    }
    EXPECT_EQ(client.stats().connections_in_use, 0U);
  });
}

TEST_P(ClientTest, an_answer_that_comes_byte_by_byte_is_the_same) {
  const std::string answer =
      "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\nX-T: v\r\n\r\n";
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    for (const char& byte : answer) peer.send({&byte, 1});
    EXPECT_TRUE(peer.client_ends());
  });
  run_here([&] {
    Client client;
    const auto got = client.get(server.url());
    EXPECT_EQ(outcome(got), "hello");
    EXPECT_EQ(got->trailer("x-t"), "v");
  });
}

TEST_P(ClientTest, a_kept_connection_that_the_server_has_ended_is_not_used) {
  std::promise<void> ended;
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    peer.send(answer_with("ok"));
    if (peer.number() == 0) {
      peer.close();
      ended.set_value();
    }
  });
  run_here([&] {
    Client client;
    EXPECT_EQ(outcome(client.post(server.url(), "", "text/plain")), "ok");
    ended.get_future().wait();
    EXPECT_EQ(outcome(client.post(server.url(), "", "text/plain")), "ok");
    EXPECT_EQ(client.stats().connections_reused, 0U);
  });
}

// The server takes the second request and ends without an answer, as when its idle timeout and the
// request cross.
TEST_P(ClientTest, what_a_kept_connection_loses_is_sent_once_more_if_it_may_be) {
  for (const bool with_reset : {false, true}) {
    ScriptedServer server([&](Peer& peer) {
      peer.read_request();
      peer.send(answer_with("ok"));
      if (peer.read_request().empty()) return;
      if (with_reset) peer.reset();
    });
    run_here([&] {
      Client client;
      EXPECT_EQ(outcome(client.get(server.url())), "ok");
      EXPECT_EQ(outcome(client.get(server.url())), "ok");
      EXPECT_EQ(client.stats().connections_made, 2U);
      ClientRequest post = request_of("POST", server.url());
      EXPECT_EQ(outcome(client.request(post)), "connection_lost");
      EXPECT_EQ(outcome(client.get(server.url())), "ok");
      post.idempotent = true;
      EXPECT_EQ(outcome(client.request(post)), "ok");
    });
  }
}

TEST_P(ClientTest, a_new_connection_that_is_lost_is_not_tried_again) {
  ScriptedServer server([&](Peer& peer) { peer.read_request(); });
  run_here([&] {
    Client client;
    EXPECT_EQ(outcome(client.get(server.url())), "connection_lost");
  });
  EXPECT_EQ(server.accepted(), 1U);
}

TEST_P(ClientTest, a_silent_server_is_given_up) {
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    EXPECT_TRUE(peer.client_ends());
  });
  run_here([&] {
    ClientOptions options;
    options.idle_timeout = milliseconds(30);
    Client client(options);
    const auto idle = client.get(server.url());
    EXPECT_EQ(outcome(idle), "timed_out");
    EXPECT_NE(idle.error().text.find("sent nothing for 30 ms"), std::string::npos);
    ClientRequest request = request_of("GET", server.url());
    request.timeout = milliseconds(10);
    const auto late = client.request(request);
    EXPECT_EQ(outcome(late), "timed_out");
    EXPECT_NE(late.error().text.find("took longer than 10 ms"), std::string::npos);
  });
}

TEST_P(ClientTest, the_callers_deadline_and_cancellation_end_a_request) {
  std::atomic<int> asked{0};
  CancelSource source;
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    if (++asked == 2) source.cancel();
    EXPECT_TRUE(peer.client_ends());
  });
  run_here([&] {
    Client client;
    std::string got;
    static_cast<void>(
        with_timeout(milliseconds(20), [&] { got = outcome(client.get(server.url())); }));
    EXPECT_EQ(got, "timed_out");
    static_cast<void>(
        with_cancel(source.token(), [&] { got = outcome(client.get(server.url())); }));
    EXPECT_EQ(got, "cancelled");
    EXPECT_EQ(client.stats().connections_in_use, 0U);
  });
}

TEST_P(ClientTest, who_is_not_there_is_told_apart) {
  std::string nobody;
  {
    ScriptedServer server([](Peer&) {});
    nobody = server.url();
  }
  run_here([&] {
    Client client;
    const auto got = client.get(nobody);
    EXPECT_EQ(outcome(got), "connect_failed");
    EXPECT_EQ(got.error().os_errno, ECONNREFUSED);
    EXPECT_EQ(outcome(client.get("https://127.0.0.1/")), "refused_url");
    EXPECT_EQ(outcome(client.get("http://127.0.0.1/a b")), "refused_url");
    EXPECT_EQ(outcome(client.get("http://127.0.0.1/\r\nX: y")), "refused_url");
    EXPECT_EQ(outcome(client.get("http://name.invalid/")), "not_found");
    ClientRequest request = request_of("GET", "http://a/");
    request.unix_socket = "@weft-nobody-" + std::to_string(::getpid());
    EXPECT_EQ(outcome(client.request(request)), "connect_failed");
  });
}

TEST_P(ClientTest, what_would_break_out_of_its_line_is_refused) {
  run_here([&] {
    Client client;
    const auto refused = [&](ClientRequest request) {
      return outcome(client.request(request)) == "refused_request";
    };
    EXPECT_TRUE(refused(request_of("GET / HTTP/1.1\r\nX:", "http://127.0.0.1/")));
    EXPECT_TRUE(refused(request_of("", "http://127.0.0.1/")));
    EXPECT_TRUE(refused(request_of("CONNECT", "http://127.0.0.1/")));
    const ClientField fields[] = {{"A", "b\r\nC: d"}, {"A\r\nB", "c"},
                                  {"A", "b\nc"},      {"", "b"},
                                  {"A:", "b"},        {"A", {"\0", 1}},
                                  {"Host", "a b"},    {"Content-Length", "5"},
                                  {"A b", "c"},       {"Transfer-Encoding", "chunked"}};
    for (const ClientField& field : fields) {
      ClientRequest request = request_of("GET", "http://127.0.0.1/");
      request.headers.push_back(field);
      EXPECT_TRUE(refused(request)) << field.name;
    }
    ClientRequest two_hosts = request_of("GET", "http://127.0.0.1/");
    two_hosts.headers = {{"Host", "a"}, {"host", "a"}};
    EXPECT_TRUE(refused(two_hosts));
    EXPECT_TRUE(refused(upload("http://127.0.0.1/")));
  });
  EXPECT_THROW(Client({.headers = {{"A", "b\r\n"}}}), std::invalid_argument);
  EXPECT_THROW(Client({.base_url = "127.0.0.1"}), std::invalid_argument);
  EXPECT_THROW(Client({.connections = 0}), std::invalid_argument);
}

TEST_P(ClientTest, no_more_connections_than_the_bound_and_the_others_wait) {
  constexpr unsigned kMost = 3;
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  ScriptedServer server([&](Peer& peer) {
    while (!peer.read_request().empty()) {
      const int now = ++at_once;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      --at_once;
      peer.send(answer_with("ok"));
    }
  });
  run_here([&] {
    ClientOptions options;
    options.connections_per_origin = kMost;
    Client client(options);
    std::atomic<int> good{0};
    std::vector<Function> all(on_os_threads() ? 20 : 200, [&] {
      for (int i = 0; i < 3; ++i) good += outcome(client.get(server.url())) == "ok" ? 1 : 0;
    });
    const std::size_t count = all.size();
    together(std::move(all));
    EXPECT_EQ(good, static_cast<int>(count) * 3);
    EXPECT_LE(client.stats().connections_made, kMost);
  });
  EXPECT_LE(server.accepted(), kMost);
  EXPECT_LE(most, static_cast<int>(kMost));
}

TEST_P(ClientTest, who_waits_for_too_long_for_a_connection_is_told) {
  ScriptedServer server(always(answer_with("ok")));
  run_here([&] {
    ClientOptions options;
    options.connections = 1;
    options.connection_wait = milliseconds(10);
    Client client(options);
    {
      auto held = client.stream(request_of("GET", server.url()));
      ASSERT_TRUE(held);
      const auto got = client.get(server.url());
      EXPECT_EQ(outcome(got), "timed_out");
      EXPECT_NE(got.error().text.find("no connection"), std::string::npos);
    }
    EXPECT_EQ(outcome(client.get(server.url())), "ok");
  });
}

TEST_P(ClientTest, a_kept_connection_gives_way_to_another_origin) {
  ScriptedServer first(always(answer_with("first")));
  ScriptedServer second(always(answer_with("second")));
  run_here([&] {
    ClientOptions options;
    options.connections = 1;
    Client client(options);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(outcome(client.get(first.url())), "first");
      EXPECT_EQ(outcome(client.get(second.url())), "second");
      EXPECT_EQ(client.stats().connections_kept, 1U);
    }
  });
}

TEST_P(ClientTest, redirects_are_followed_only_when_asked_to) {
  ScriptedServer server([&](Peer& peer) {
    for (std::string asked; !(asked = peer.read_request()).empty();) {
      const bool again = asked.find(" /again") != std::string::npos;
      if (asked.starts_with("GET /a/end")) {
        peer.send(answer_with(asked.find("Authorization") == std::string::npos ? "no" : "yes"));
      } else {
        peer.send("HTTP/1.1 303 See\r\nContent-Length: 0\r\nLocation: " +
                  std::string(again ? "again" : "end?x#y") + "\r\n\r\n");
      }
    }
  });
  run_here([&] {
    Client plain;
    const auto got = plain.get(server.url());
    ASSERT_TRUE(got);
    EXPECT_EQ(got->status(), 303);
    ClientOptions options;
    options.redirects = 3;
    Client client(options);
    ClientRequest request = request_of("POST", server.url("/a/b"));
    request.headers = {{"Authorization", "secret"}};
    const auto followed = client.request(request);
    EXPECT_EQ(outcome(followed), "yes");
    EXPECT_EQ(followed->url(), server.url("/a/end?x"));
    EXPECT_EQ(outcome(client.get(server.url("/again"))), "too_many_redirects");
  });
}

TEST_P(ClientTest, secrets_do_not_follow_a_redirect_to_another_origin) {
  std::promise<std::string> asked;
  ScriptedServer other([&](Peer& peer) {
    asked.set_value(peer.read_request());
    peer.send(answer_with("there"));
  });
  ScriptedServer server(
      always("HTTP/1.1 307 T\r\nContent-Length: 0\r\nLocation: " + other.url("/x") + "\r\n\r\n"));
  run_here([&] {
    ClientOptions options;
    options.redirects = 1;
    Client client(options);
    ClientRequest request = request_of("DELETE", server.url());
    request.headers = {{"Authorization", "secret"}, {"Cookie", "secret"}, {"X-Kept", "1"}};
    EXPECT_EQ(outcome(client.request(request)), "there");
  });
  const std::string got = asked.get_future().get();
  EXPECT_TRUE(got.starts_with("DELETE /x HTTP/1.1\r\n")) << got;
  EXPECT_EQ(got.find("secret"), std::string::npos) << got;
  EXPECT_NE(got.find("X-Kept: 1"), std::string::npos) << got;
}

TEST_P(ClientTest, what_may_be_tried_again_is_as_often_as_asked_for) {
  std::atomic<int> asked{0};
  ScriptedServer server([&](Peer& peer) {
    while (!peer.read_request().empty()) {
      const bool busy = ++asked % 3 != 0;
      peer.send(busy ? "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy"
                     : answer_with("ok"));
    }
  });
  run_here([&] {
    ClientOptions options;
    options.retries.most = 2;
    options.retries.first_pause = milliseconds(1);
    Client client(options);
    asked = 0;
    EXPECT_EQ(outcome(client.get(server.url())), "ok");
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(outcome(client.post(server.url(), "", "text/plain")), "busy");
    EXPECT_EQ(asked, 4);
  });
}

TEST_P(ClientTest, a_retry_after_that_is_too_long_is_not_waited_for) {
  ScriptedServer server(
      always("HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 4\r\n\r\nbusy"));
  run_here([&] {
    ClientOptions options;
    options.retries.most = 2;
    Client client(options);
    EXPECT_EQ(outcome(client.get(server.url())), "busy");
  });
}

TEST_P(ClientTest, a_streamed_body_goes_out_in_chunks_with_trailers_and_the_answer_comes_back) {
  std::promise<std::string> asked;
  ScriptedServer server([&](Peer& peer) {
    const std::string head = peer.read_request();
    asked.set_value(head + peer.read_until("0\r\nX-Sum: 3\r\n\r\n"));
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n");
    peer.read_request();
    peer.send(answer_with("again"));
  });
  run_here([&] {
    Client client;
    auto exchange = client.stream(upload(server.url()));
    ASSERT_TRUE(exchange) << exchange.error().message();
    EXPECT_TRUE(exchange->write("abc"));
    EXPECT_TRUE(exchange->write("defghijklmnopqrs"));
    EXPECT_TRUE(exchange->trailer("X-Sum", "3"));
    EXPECT_FALSE(exchange->trailer("X", "a\r\nb"));
    EXPECT_FALSE(exchange->trailer("Content-Length", "3"));
    EXPECT_TRUE(exchange->finish());
    EXPECT_FALSE(exchange->write("more"));
    const auto head = exchange->answer();
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status(), 200);
    char bytes[1];
    EXPECT_EQ(*exchange->read(bytes), 1U);
    EXPECT_EQ(bytes[0], 'o');
    EXPECT_EQ(*exchange->read(bytes), 1U);
    EXPECT_EQ(*exchange->read(bytes), 0U);
    EXPECT_EQ(exchange->trailer("a"), "b");
    EXPECT_EQ(exchange->trailers(), "A: b\r\n");
    EXPECT_EQ(outcome(client.get(server.url())), "again");
    EXPECT_EQ(client.stats().connections_made, 1U);
  });
  const std::string got = asked.get_future().get();
  EXPECT_NE(
      got.find("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\ndefghijklmnopqrs\r\n0\r\n"),
      std::string::npos)
      << got;
}

TEST_P(ClientTest, a_streamed_body_is_of_the_length_that_was_announced) {
  ScriptedServer server([&](Peer& peer) {
    if (peer.read_request(5).empty()) return;
    peer.send(answer_with("ok"));
  });
  run_here([&] {
    Client client;
    ClientRequest request = request_of("PUT", server.url());
    request.body_length = 5;
    auto exchange = client.stream(request);
    ASSERT_TRUE(exchange);
    EXPECT_TRUE(exchange->write("abc"));
    EXPECT_FALSE(exchange->write("def"));
    EXPECT_FALSE(exchange->finish());
    EXPECT_FALSE(exchange->trailer("A", "b"));
    EXPECT_TRUE(exchange->write("de"));
    EXPECT_TRUE(exchange->finish());
    char bytes[1];
    EXPECT_EQ(*exchange->read(bytes), 1U);
    EXPECT_EQ(*exchange->read(), "k");
    EXPECT_EQ(*exchange->read(), "");
  });
}

TEST_P(ClientTest, an_exchange_that_is_given_up_closes_its_connection) {
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    EXPECT_TRUE(peer.client_ends());
  });
  run_here([&] {
    Client client;
    auto exchange = client.stream(request_of("GET", server.url()));
    ASSERT_TRUE(exchange);
    EXPECT_EQ(*exchange->read(), "abc");
    exchange = ClientError{};
    EXPECT_EQ(client.stats().connections_in_use, 0U);
    EXPECT_EQ(client.stats().connections_kept, 0U);
  });
}

TEST_P(ClientTest, an_early_answer_to_a_long_body_is_seen) {
  if (on_os_threads()) GTEST_SKIP() << "one OS thread cannot write and read";
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    peer.drain();
  });
  run_here([&] {
    Client client;
    const auto got = client.post(server.url(), std::string(32 * 1024 * 1024, 'a'), "text/plain");
    EXPECT_EQ(outcome(got), "no");
    EXPECT_EQ(client.stats().connections_in_use, 0U);
  });
}

TEST_P(ClientTest, an_upgraded_exchange_is_bytes_in_both_directions) {
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhello");
    peer.send(peer.read_until("!"));
  });
  run_here([&] {
    Client client;
    ClientRequest request = request_of("GET", server.url());
    EXPECT_EQ(outcome(client.request(request)), "protocol_error");
    request.headers = {{"Upgrade", "echo"}, {"Connection", "upgrade"}};
    auto exchange = client.stream(request);
    ASSERT_TRUE(exchange);
    ASSERT_EQ(exchange->answer()->status(), 101);
    EXPECT_TRUE(exchange->write("back!"));
    exchange->shutdown_write();
    std::string all;
    for (auto part = exchange->read(); part && !part->empty(); part = exchange->read()) {
      all += *part;
    }
    EXPECT_EQ(all, "helloback!");
  });
}

TEST_P(ClientTest, a_client_that_was_used_by_a_worker_may_be_used_and_destroyed_elsewhere) {
  ScriptedServer server(always(answer_with("ok")));
  {
    Client client;
    run_here([&] { EXPECT_EQ(outcome(client.get(server.url())), "ok"); });
    std::thread([&] { EXPECT_EQ(outcome(client.get(server.url())), "ok"); }).join();
    run_here([&] { EXPECT_EQ(outcome(client.get(server.url())), "ok"); });
    std::thread([&] { client.close_idle(); }).join();
    EXPECT_EQ(client.stats().connections_kept, 0U);
    run_here([&] { EXPECT_EQ(outcome(client.get(server.url())), "ok"); });
  }
}

INSTANTIATE_TEST_SUITE_P(All, ClientTest, every_mode(), mode_name);

}  // namespace weft::http::test
