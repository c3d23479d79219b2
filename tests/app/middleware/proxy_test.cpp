// proxy(): through real sockets, before weft itself and before upstreams that misbehave.
#include "weft/middleware/proxy.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "http/client/scripted_server.hpp"
#include "http/server/client.hpp"
#include "weft/weft.hpp"

namespace weft {
namespace {

using http::test::always;
using http::test::Answer;
using http::test::Peer;
using http::test::ScriptedServer;
using RawClient = http::test::Client;
using std::chrono::milliseconds;

class ProxyTest : public testing::TestWithParam<const char*> {
 protected:
  Options options() const {
    Options made;
    made.port = 0;
    made.quiet = true;
    made.backend = GetParam();
    made.stack_bytes = 256 * 1024;  // sanitizers need more
    made.stall_after = milliseconds(0);
    made.limits.body_bytes = 64 * 1024 * 1024;
    return made;
  }
  void start(App& app) const {
    try {
      app.start(options());
    } catch (const std::runtime_error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  static std::string url_of(const App& app) {
    return "http://127.0.0.1:" + std::to_string(app.port());
  }
  // A proxy for everything.
  void proxy_with(const ProxyOptions& with) {
    front_.any("/*rest", proxy(with));
    front_.any("/", proxy(with));
    start(front_);
  }
  std::uint16_t port() const { return front_.port(); }
  Answer get(std::string_view target = "/") const { return RawClient(port()).get(target); }

  App upstream_;
  App front_;
  Client client_;
};

INSTANTIATE_TEST_SUITE_P(Each, ProxyTest, testing::Values("io_uring", "epoll"));

// What upstreams are sent; several connections at once.
class Heads {
 public:
  ScriptedServer::Script script(std::string answer) {
    return [this, answer = std::move(answer)](Peer& peer) {
      for (std::string head = peer.read_request(); !head.empty(); head = peer.read_request()) {
        {
          const std::lock_guard lock(mutex_);
          last_ = head;
        }
        peer.send(answer);
      }
    };
  }
  std::string last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  bool has(std::string_view line) const {
    return last().find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
  }
  // In whatever case.
  bool names(std::string_view name) const {
    std::string lower = last();
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return lower.find("\r\n" + std::string(name) + ":") != std::string::npos;
  }

 private:
  mutable std::mutex mutex_;
  std::string last_;
};

// An answer behind which the connection ends, so that no upstream waits for a proxy that keeps it.
std::string closing(std::string_view body, const std::string& fields = {}) {
  return http::test::answer_with(body, fields + "Connection: close\r\n");
}

std::string closed_port() {
  std::string url;
  {
    ScriptedServer server([](Peer&) {});
    url = server.url();
  }
  return url;
}

TEST_P(ProxyTest, a_request_goes_on_without_the_fields_of_its_connection) {
  Heads heads;
  ScriptedServer server(heads.script(closing("fine")));
  proxy_with({.upstreams = {server.url()}, .headers = {{"X-Key", "proxy"}}});
  RawClient client(port());
  const Answer got = client.ask(
      "GET /a%20b/c?q=1&r HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive, X-Drop\r\n"
      "x-drop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers, gzip\r\nProxy-Authorization: secret\r\n"
      "Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Keep: 1\r\nX-Keep: 2\r\nX-Key: forged\r\n"
      "Via: 1.0 other\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
      "X-Real-IP: 6.6.6.6\r\n\r\n");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "fine");
  EXPECT_TRUE(heads.last().starts_with("GET /a%20b/c?q=1&r HTTP/1.1\r\n")) << heads.last();
  EXPECT_TRUE(heads.has("Host: example.com"));
  EXPECT_TRUE(heads.has("X-Keep: 1\r\nX-Keep: 2"));
  EXPECT_TRUE(heads.has("X-Key: proxy"));
  EXPECT_TRUE(heads.has("Via: 1.0 other, 1.1 weft"));
  EXPECT_TRUE(heads.has("X-Forwarded-For: 127.0.0.1"));
  EXPECT_TRUE(heads.has("X-Forwarded-Host: example.com"));
  EXPECT_TRUE(heads.has("X-Forwarded-Proto: http"));
  EXPECT_TRUE(heads.has("Forwarded: for=127.0.0.1;host=example.com;proto=http"));
  EXPECT_TRUE(heads.has("Connection: TE\r\nTE: trailers"));
  for (const char* gone : {"x-drop", "keep-alive", "proxy-authorization", "proxy-connection",
                           "upgrade", "x-real-ip", "x-forwarded-prefix", "transfer-encoding"}) {
    EXPECT_FALSE(heads.names(gone)) << gone << " in\n" << heads.last();
  }
  EXPECT_EQ(heads.last().find("forged"), std::string::npos);
  EXPECT_EQ(heads.last().find("6.6.6.6"), std::string::npos);
}

TEST_P(ProxyTest, what_trusted_proxies_say_is_continued_and_the_host_may_be_the_upstreams) {
  Heads heads;
  ScriptedServer server(heads.script(closing("fine")));
  proxy_with({.upstreams = {server.url()},
              .host = ProxyHost::upstream,
              .trust_forwarded = true,
              .via = ""});
  RawClient client(port());
  client.ask(
      "GET / HTTP/1.1\r\nHost: inner:81\r\nX-Forwarded-For: 192.0.2.1\r\n"
      "X-Forwarded-For: 192.0.2.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\n"
      "Forwarded: for=192.0.2.1;proto=https\r\n\r\n");
  EXPECT_TRUE(heads.has("Host: 127.0.0.1:" + std::to_string(server.port()))) << heads.last();
  EXPECT_TRUE(heads.has("X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.1")) << heads.last();
  EXPECT_TRUE(heads.has("X-Forwarded-Proto: https"));
  EXPECT_TRUE(heads.has("X-Forwarded-Host: outer"));
  EXPECT_TRUE(
      heads.has("Forwarded: for=192.0.2.1;proto=https, "
                "for=127.0.0.1;host=\"inner:81\";proto=http"));
  EXPECT_FALSE(heads.names("via"));
}

TEST_P(ProxyTest, fields_that_become_one_with_the_proxys_own_at_the_upstream_are_left_out) {
  Heads heads;
  ScriptedServer server(heads.script(closing("fine")));
  proxy_with({.upstreams = {server.url()}, .headers = {{"X-Key", "proxy"}}});
  RawClient client(port());
  EXPECT_EQ(client
                .ask("GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\n"
                     "X-Forwarded_Proto: https\r\nX_Key: forged\r\nContent_Length: 7\r\n"
                     "Transfer_Encoding: chunked\r\nX_Other_Field: 1\r\n\r\n")
                .body,
            "fine");
  for (const char* gone :
       {"x_forwarded_for", "x-forwarded_proto", "x_key", "content_length", "transfer_encoding"}) {
    EXPECT_FALSE(heads.names(gone)) << gone;
  }
  EXPECT_TRUE(heads.has("X_Other_Field: 1"));
}

TEST_P(ProxyTest, what_a_trusted_proxy_has_said_of_the_client_is_told_and_no_more) {
  Heads heads;
  ScriptedServer server(heads.script(closing("fine")));
  front_.any("/", proxy({.upstreams = {server.url()}}));
  Options with = options();
  with.trusted_proxies = "loopback";
  try {
    front_.start(with);
  } catch (const std::runtime_error& error) {
    GTEST_SKIP() << error.what();
  }
  RawClient client(port());
  EXPECT_EQ(client
                .ask("GET / HTTP/1.1\r\nHost: inner.example\r\n"
                     "X-Forwarded-For: 6.6.6.6, 2001:db8::1\r\nX-Forwarded-Proto: https\r\n"
                     "X-Forwarded-Host: outer.example\r\n\r\n")
                .body,
            "fine");
  EXPECT_TRUE(heads.has("Host: inner.example"));
  EXPECT_TRUE(heads.has("X-Forwarded-For: 2001:db8::1")) << heads.last();
  EXPECT_TRUE(heads.has("X-Forwarded-Proto: https")) << heads.last();
  EXPECT_TRUE(heads.has("X-Forwarded-Host: outer.example")) << heads.last();
  EXPECT_TRUE(heads.has("Forwarded: for=\"[2001:db8::1]\";host=outer.example;proto=https"))
      << heads.last();
}

TEST_P(ProxyTest, an_answer_comes_back_without_the_fields_of_its_connection) {
  ScriptedServer server(
      always("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
             "HTTP/1.1 404 Gone Fishing\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\n"
             "Keep-Alive: timeout=5\r\nServer: secret\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
             "Content-Type: text/x-own\r\nX-Keep: 1\r\nContent-Length: 3\r\n\r\nabc"));
  proxy_with({.upstreams = {server.url()}});
  const Answer got = get();
  EXPECT_EQ(got.status, 404);
  EXPECT_EQ(got.body, "abc");
  EXPECT_EQ(got.field("content-type"), "text/x-own");
  EXPECT_EQ(got.field("x-keep"), "1");
  EXPECT_EQ(got.field("server"), "weft");
  EXPECT_NE(got.head.find("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"), std::string::npos) << got.head;
  EXPECT_EQ(got.fields.count("x-drop"), 0U);
  EXPECT_EQ(got.fields.count("keep-alive"), 0U);
  EXPECT_EQ(got.fields.count("link"), 0U);
}

TEST_P(ProxyTest, head_and_statuses_without_a_body_have_none_and_the_connection_stays) {
  upstream_.get("/file", [](Context& c) {
    c.set_header("ETag", "\"1\"");
    c.text("12345");
  });
  upstream_.get("/none", [](Context& c) { c.no_content(); });
  upstream_.get("/same", [](Context& c) { c.set_header("ETag", "\"1\"").status(304); });
  upstream_.get("/empty", [](Context& c) { c.text(""); });
  start(upstream_);
  proxy_with({.upstreams = {url_of(upstream_)}});
  RawClient client(port());
  ASSERT_TRUE(client.send("HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n"));
  const Answer head = client.read_answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("content-length"), "5");
  EXPECT_EQ(head.field("etag"), "\"1\"");
  const Answer none = client.get("/none");
  EXPECT_EQ(none.status, 204);
  EXPECT_EQ(none.fields.count("content-length"), 0U);
  const Answer same = client.get("/same");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("etag"), "\"1\"");
  const Answer empty = client.get("/empty");
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.field("content-length"), "0");
  EXPECT_EQ(client.get("/file").body, "12345");
  EXPECT_LE(upstream_.stats().connections_accepted, 2U);
}

TEST_P(ProxyTest, bodies_and_trailers_pass_in_both_directions_at_once) {
  upstream_.post("/echo", [](Context& c) {
    BodyReader in = c.body_stream();
    ResponseWriter out = c.stream("application/octet-stream");
    for (auto part = in.read(); !part.empty(); part = in.read()) out.write(part);
    out.trailer("X-Seen", c.trailer("x-sum", "none"));
  });
  upstream_.post("/sized", [](Context& c) {
    c.text(std::string(c.header("content-length")) + " " + std::to_string(c.body().size()));
  });
  start(upstream_);
  proxy_with({.upstreams = {url_of(upstream_)}});
  const std::string body(6 * 1024 * 1024, 'x');
  run([&] {
    ClientRequest request;
    request.method = "POST";
    request.url = url_of(front_) + "/echo";
    request.body_of_unknown_length = true;
    auto exchange = client_.stream(request);
    ASSERT_TRUE(exchange.ok());
    std::string back;
    scope([&](Scope& both) {
      both.spawn([&] {
        EXPECT_TRUE(exchange->write(body).ok());
        EXPECT_TRUE(exchange->trailer("X-Sum", "all").ok());
        EXPECT_TRUE(exchange->finish().ok());
      });
      for (auto part = exchange->read(); part && !part->empty(); part = exchange->read()) {
        back += *part;
      }
    });
    EXPECT_TRUE(back == body) << back.size();
    EXPECT_EQ(exchange->trailer("x-seen"), "all");
    const auto sized = client_.post(url_of(front_) + "/sized", "12345", "text/plain");
    ASSERT_TRUE(sized.ok());
    EXPECT_EQ(sized->body(), "5 5");
    const auto nothing = client_.post(url_of(front_) + "/sized", "", "text/plain");
    ASSERT_TRUE(nothing.ok());
    EXPECT_EQ(nothing->body(), "0 0");
    client_.close_idle();
  });
}

TEST_P(ProxyTest, who_asks_before_a_body_is_told_to_go_on) {
  upstream_.post("/", [](Context& c) {
    c.text(std::string(c.header("expect", "none")) + std::string(c.body()));
  });
  start(upstream_);
  proxy_with({.upstreams = {url_of(upstream_)}});
  RawClient client(port());
  ASSERT_TRUE(
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read_answer().status, 100);
  ASSERT_TRUE(client.send("ok"));
  EXPECT_EQ(client.read_final_answer().body, "noneok");
}

TEST_P(ProxyTest, an_upstream_that_takes_nothing_holds_up_the_client) {
  constexpr std::size_t kSize = 60 * 1024 * 1024;
  std::promise<void> go_on;
  ScriptedServer server([&go_on](Peer& peer) {
    go_on.get_future().wait();
    if (!peer.read_request(kSize).empty()) peer.send(closing("all of it"));
  });
  proxy_with({.upstreams = {server.url()}});
  RawClient client(port());
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kSize) +
                          "\r\n\r\n"));
  const std::string block(64 * 1024, 'x');
  std::size_t sent = 0;
  // Until nothing more is taken for a while.
  for (pollfd one{client.fd(), POLLOUT, 0}; sent < kSize && ::poll(&one, 1, 300) > 0;) {
    sent +=
        client.send_some(std::string_view(block).substr(0, std::min(block.size(), kSize - sent)));
  }
  EXPECT_LT(sent, kSize / 2);
  go_on.set_value();
  for (; sent < kSize; sent += std::min(block.size(), kSize - sent)) {
    ASSERT_TRUE(
        client.send(std::string_view(block).substr(0, std::min(block.size(), kSize - sent))));
  }
  EXPECT_EQ(client.read_answer().body, "all of it");
}

TEST_P(ProxyTest, an_answer_before_the_end_of_the_body_is_passed_on) {
  ScriptedServer server([](Peer& peer) {
    peer.read_request();
    peer.send(
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n");
    peer.drain();
  });
  proxy_with({.upstreams = {server.url()}});
  RawClient client(port());
  ASSERT_TRUE(
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbeginning"));
  const Answer got = client.read_answer();
  EXPECT_EQ(got.status, 413);
  EXPECT_EQ(got.body, "no\n");
}

TEST_P(ProxyTest, an_upstream_that_cannot_be_reached_is_502_and_one_that_is_silent_504) {
  ScriptedServer silent([](Peer& peer) { peer.drain(); });
  front_.any("/gone", proxy({.upstreams = {closed_port()}}));
  front_.any("/silent", proxy({.upstreams = {silent.url()}, .answer_timeout = milliseconds(50)}));
  start(front_);
  EXPECT_EQ(get("/gone").status, 502);
  EXPECT_EQ(get("/silent").status, 504);
  RawClient client(port());
  ASSERT_TRUE(client.send("POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"));
  EXPECT_EQ(client.read_answer().status, 504);
  EXPECT_EQ(RawClient(port())
                .ask("POST /gone HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
                .status,
            502);
}

// Else who sends a body slowly, until its time is over, would have upstreams ejected.
TEST_P(ProxyTest, a_deadline_around_the_proxy_is_no_failure_of_the_upstream) {
  std::atomic<bool> silent{true};
  const auto serve = [&silent](Peer& peer) {
    for (auto head = peer.read_request(); !head.empty(); head = peer.read_request()) {
      if (silent) {
        peer.drain();
        return;
      }
      peer.send(closing("one"));
    }
  };
  ScriptedServer one(serve);
  ScriptedServer other(always(closing("other")));
  const auto with = proxy({.upstreams = {one.url(), other.url()},
                           .retries = 0,
                           .failures_to_eject = 1,
                           .eject_for = std::chrono::minutes(10)});
  front_.any("/x", timeout(milliseconds(50)), with);
  start(front_);
  const Answer late = get("/x");
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.body, "The request took too long\n");
  EXPECT_EQ(get("/x").body, "other");
  RawClient client(port());
  ASSERT_TRUE(client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo"));
  EXPECT_EQ(client.read_answer().status, 503);
  EXPECT_EQ(get("/x").body, "other");
  silent = false;
  int asked = 0;
  for (int i = 0; i < 4; ++i) asked += get("/x").body == "one" ? 1 : 0;
  EXPECT_EQ(asked, 2);
}

TEST_P(ProxyTest, answers_that_are_none_are_502) {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n",
        "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nX: broken off",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
    ScriptedServer server([answer](Peer& peer) {
      peer.read_request();
      peer.send(answer);
    });
    App front;
    front.any("/", proxy({.upstreams = {server.url()}}));
    start(front);
    EXPECT_EQ(RawClient(front.port()).get("/").status, 502) << answer;
  }
}

TEST_P(ProxyTest, an_answer_that_ends_too_early_is_cut_off_for_the_client_too) {
  const auto half = [](std::string text) {
    return [text = std::move(text)](Peer& peer) {
      peer.read_request();
      peer.send(text);
    };
  };
  ScriptedServer sized(half("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf!"));
  ScriptedServer chunked(
      half("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf!\r\n"));
  ScriptedServer broken(
      half("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf!\r\nzz\r\n"));
  ScriptedServer stalled([](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf!");
    peer.drain();
  });
  ScriptedServer to_the_end(half("HTTP/1.1 200 OK\r\n\r\nwhole"));
  front_.any("/sized", proxy({.upstreams = {sized.url()}}));
  front_.any("/chunked", proxy({.upstreams = {chunked.url()}}));
  front_.any("/broken", proxy({.upstreams = {broken.url()}}));
  front_.any("/stalled", proxy({.upstreams = {stalled.url()}, .idle_timeout = milliseconds(50)}));
  front_.any("/end", proxy({.upstreams = {to_the_end.url()}}));
  start(front_);
  for (const char* target : {"/sized", "/chunked", "/broken", "/stalled"}) {
    const auto got = client_.get(url_of(front_) + target);
    ASSERT_FALSE(got.ok()) << target;
    EXPECT_EQ(got.error().code, ClientErrorCode::connection_lost) << got.error().message();
  }
  const auto whole = client_.get(url_of(front_) + "/end");
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->body(), "whole");
}

TEST_P(ProxyTest, upstreams_take_turns) {
  ScriptedServer a(always(closing("a")));
  ScriptedServer b(always(closing("b")));
  proxy_with({.upstreams = {a.url(), b.url()}});
  std::string turns;
  for (int i = 0; i < 6; ++i) turns += get().body;
  EXPECT_TRUE(turns == "ababab" || turns == "bababa") << turns;
}

TEST_P(ProxyTest, the_upstream_with_the_fewest_requests_under_way_is_next) {
  std::promise<void> asked;
  std::promise<void> go_on;
  ScriptedServer a([&](Peer& peer) {
    peer.read_request();
    asked.set_value();
    go_on.get_future().wait();
    peer.send(closing("a"));
  });
  ScriptedServer b(always(closing("b")));
  const ProxyOptions with{.upstreams = {a.url(), b.url()},
                          .balance = ProxyBalance::least_in_flight};
  front_.any("/", proxy(with));
  start(front_);
  RawClient slow(port());
  ASSERT_TRUE(slow.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  asked.get_future().wait();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get().body, "b");
  go_on.set_value();
  EXPECT_EQ(slow.read_answer().body, "a");
}

TEST_P(ProxyTest, one_that_fails_is_passed_over_and_then_ejected_until_its_time_is_over) {
  std::atomic<bool> broken{true};
  ScriptedServer bad([&broken](Peer& peer) {
    for (auto head = peer.read_request(); !head.empty(); head = peer.read_request()) {
      if (broken) return;
      peer.send(closing("mended"));
    }
  });
  ScriptedServer good(always(closing("good")));
  proxy_with({.upstreams = {bad.url(), good.url()},
              .failures_to_eject = 2,
              .eject_for = milliseconds(300)});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(get().body, "good");
  EXPECT_GE(bad.accepted(), 2U);
  const unsigned tried = bad.accepted();
  EXPECT_LT(tried, 5U) << "it was asked for each request";
  broken = false;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (get().body != "mended" && std::chrono::steady_clock::now() < give_up) {
  }
  int mended = 0;
  for (int i = 0; i < 4; ++i) mended += get().body == "mended" ? 1 : 0;
  EXPECT_EQ(mended, 2);
}

TEST_P(ProxyTest, what_an_upstream_may_have_carried_out_is_not_sent_twice) {
  std::atomic<int> asked{0};
  const auto lose = [&asked](Peer& peer) {
    if (!peer.read_request().empty()) ++asked;
  };
  ScriptedServer a(lose);
  ScriptedServer b(lose);
  proxy_with({.upstreams = {a.url(), b.url()}, .retries = 1, .failures_to_eject = 0});
  EXPECT_EQ(RawClient(port()).ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status,
            502);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(
      RawClient(port()).ask("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").status,
      502);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(get().status, 502);
  EXPECT_EQ(asked, 4);
}

TEST_P(ProxyTest, a_body_goes_to_another_upstream_when_none_of_it_was_sent) {
  upstream_.post("/", [](Context& c) { c.text(c.body()); });
  start(upstream_);
  proxy_with({.upstreams = {closed_port(), url_of(upstream_)}, .failures_to_eject = 0});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(
        RawClient(port()).ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").body,
        "ab");
  }
}

TEST_P(ProxyTest, a_client_that_goes_ends_the_request_at_the_upstream) {
  std::promise<void> asked;
  std::promise<bool> ended;
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    if (peer.number() != 0) return;
    asked.set_value();
    ended.set_value(peer.client_ends());
  });
  proxy_with({.upstreams = {server.url()}});
  RawClient client(port());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  asked.get_future().wait();
  client.reset();
  EXPECT_TRUE(ended.get_future().get());
}

TEST_P(ProxyTest, a_client_that_goes_amid_its_body_ends_the_request_at_the_upstream) {
  std::promise<bool> ended;
  ScriptedServer server([&](Peer& peer) {
    peer.read_request(4);
    ended.set_value(peer.client_ends());
  });
  proxy_with({.upstreams = {server.url()}});
  RawClient client(port());
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nbody"));
  client.close();
  EXPECT_TRUE(ended.get_future().get());
}

TEST_P(ProxyTest, a_body_beyond_the_limit_is_413) {
  upstream_.post("/", [](Context& c) { c.text(c.body()); });
  start(upstream_);
  front_.any("/", proxy({.upstreams = {url_of(upstream_)}}));
  Options small = options();
  small.limits.body_bytes = 10;
  front_.start(small);
  EXPECT_EQ(RawClient(port())
                .ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "b\r\n12345678901\r\n0\r\n\r\n")
                .status,
            413);
}

TEST_P(ProxyTest, an_upgraded_connection_is_a_tunnel_in_both_directions) {
  upstream_.get("/chat", [](Context& c) {
    c.set_header("Sec-WebSocket-Accept", "yes " + std::string(c.header("sec-websocket-key")));
    UpgradedStream stream = c.upgrade("websocket");
    if (!stream.write("welcome") || !stream.flush()) return;
    for (auto part = stream.read(); part && !part->empty(); part = stream.read()) {
      if (!stream.write(*part) || !stream.flush()) return;
    }
    static_cast<void>(stream.write("bye"));
  });
  start(upstream_);
  proxy_with({.upstreams = {url_of(upstream_)}});
  RawClient client(port());
  ASSERT_TRUE(
      client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                  "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nearly"));
  const Answer got = client.read_answer();
  EXPECT_EQ(got.status, 101);
  EXPECT_EQ(got.field("upgrade"), "websocket");
  EXPECT_EQ(got.field("sec-websocket-accept"), "yes k");
  std::string seen;
  while (seen.size() < 12) seen += client.receive_some();
  EXPECT_EQ(seen, "welcomeearly");
  const std::string block(300 * 1024, 'w');
  std::thread sender([&] { EXPECT_TRUE(client.send(block)); });
  std::string back;
  while (back.size() < block.size()) {
    const std::string some = client.receive_some();
    if (some.empty()) break;
    back += some;
  }
  sender.join();
  EXPECT_TRUE(back == block) << back.size();
  client.shutdown_write();
  EXPECT_EQ(client.read_to_end(), "bye");
}

TEST_P(ProxyTest, a_tunnel_ends_when_either_side_goes_and_when_nothing_comes_for_long) {
  std::promise<bool> ended;
  const std::string agreed =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
  ScriptedServer server([&](Peer& peer) {
    const std::string head = peer.read_request();
    peer.send(agreed);
    if (head.find("/leaves") != std::string::npos) return;
    if (head.find("/silent") != std::string::npos) return peer.drain();
    ended.set_value(peer.client_ends());
  });
  proxy_with({.upstreams = {server.url()}, .tunnel_idle_timeout = milliseconds(100)});
  const auto upgrade = [](const std::string& target) {
    return "GET " + target +
           " HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
  };
  for (const char* target : {"/leaves", "/silent"}) {
    RawClient client(port());
    EXPECT_EQ(client.ask(upgrade(target)).status, 101);
    EXPECT_TRUE(client.is_ended()) << target;
  }
  RawClient client(port());
  EXPECT_EQ(client.ask(upgrade("/")).status, 101);
  client.reset();
  EXPECT_TRUE(ended.get_future().get());
}

TEST_P(ProxyTest, only_protocols_that_are_named_are_upgraded_to) {
  Heads heads;
  ScriptedServer server(heads.script(closing("plain")));
  proxy_with({.upstreams = {server.url()}, .upgrades = {}});
  const Answer got = RawClient(port()).ask(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(got.body, "plain");
  EXPECT_FALSE(heads.names("upgrade"));
  EXPECT_FALSE(heads.names("connection"));
}

TEST_P(ProxyTest, an_upstream_may_be_a_unix_socket) {
  const std::string path =
      testing::TempDir() + "weft-proxy-" + std::to_string(::getpid()) + ".sock";
  upstream_.get("/where", [](Context& c) { c.text(c.header("x-forwarded-host")); });
  Options options = this->options();
  options.uds = path;
  try {
    upstream_.start(options);
  } catch (const std::runtime_error& error) {
    GTEST_SKIP() << error.what();
  }
  proxy_with({.upstreams = {"unix:" + path}});
  EXPECT_EQ(get("/where").body, "a");
}

TEST_P(ProxyTest, paths_are_rewritten_and_locations_back) {
  Heads heads;
  std::mutex mutex;  // guards the next
  std::string location;
  ScriptedServer server([&](Peer& peer) {
    std::unique_lock lock(mutex);
    const auto answer = heads.script(
        "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + location +
        "\r\n\r\n");
    lock.unlock();
    answer(peer);
  });
  const std::string own = "http://127.0.0.1:" + std::to_string(server.port());
  const ProxyOptions stripped{.upstreams = {own + "/app/"}, .strip_prefix = "/api"};
  front_.any("/api", proxy(stripped)).any("/api/*rest", proxy(stripped));
  front_.any("/apis", proxy(stripped));
  front_.any("/own/*rest", proxy({.upstreams = {own}, .rewrite = [](std::string_view path) {
                                    return "/v2" + std::string(path);
                                  }}));
  start(front_);
  const auto ask = [&](std::string_view target, const std::string& leads_to) {
    {
      const std::lock_guard lock(mutex);
      location = leads_to;
    }
    const Answer got = get(target);
    EXPECT_EQ(got.status, 302);
    const std::string line = heads.last().substr(0, heads.last().find("\r\n"));
    return line + " -> " + got.field("location");
  };
  EXPECT_EQ(ask("/api/users?x=/api", "/app/new"), "GET /app/users?x=/api HTTP/1.1 -> /api/new");
  EXPECT_TRUE(heads.has("X-Forwarded-Prefix: /api"));
  EXPECT_EQ(ask("/api", own + "/app"), "GET /app/ HTTP/1.1 -> /api/");
  EXPECT_EQ(ask("/api/", "http://a/app/x?y"), "GET /app/ HTTP/1.1 -> /api/x?y");
  EXPECT_EQ(ask("/apis", "http://elsewhere/app"), "GET /app/apis HTTP/1.1 -> http://elsewhere/app");
  EXPECT_EQ(ask("/api/x", "relative"), "GET /app/x HTTP/1.1 -> relative");
  EXPECT_EQ(ask("/api/x", "//elsewhere/app"), "GET /app/x HTTP/1.1 -> //elsewhere/app");
  EXPECT_EQ(ask("/own/x", "/v2/own/y"), "GET /v2/own/x HTTP/1.1 -> /v2/own/y");
}

// Taken as it is, what is left of such a Location would be another host's.
TEST_P(ProxyTest, a_location_with_two_slashes_leads_to_no_other_host) {
  std::mutex mutex;  // guards the next
  std::string location;
  ScriptedServer server([&](Peer& peer) {
    while (!peer.read_request().empty()) {
      const std::lock_guard lock(mutex);
      peer.send("HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " +
                location + "\r\n\r\n");
    }
  });
  const std::string own = "http://127.0.0.1:" + std::to_string(server.port());
  front_.any("/*rest", proxy({.upstreams = {own + "/app"}}));
  front_.any("/api/*rest", proxy({.upstreams = {own}, .strip_prefix = "/api"}));
  start(front_);
  const struct {
    std::string target;
    std::string leads_to;
    std::string through;
  } vectors[] = {
      {"/x", own + "//evil.example/", "/.//evil.example/"},
      {"/x", own + "/app//evil.example/", "/.//evil.example/"},
      {"/x", own + "/\\evil.example/", "/./\\evil.example/"},
      {"/x", "/app//evil.example/", "/.//evil.example/"},
      {"/x", "/app/\\evil.example/", "/./\\evil.example/"},
      {"/api/x", own + "//evil.example/", "/api//evil.example/"},
  };
  for (const auto& vector : vectors) {
    {
      const std::lock_guard lock(mutex);
      location = vector.leads_to;
    }
    EXPECT_EQ(get(vector.target).field("location"), vector.through) << vector.leads_to;
  }
}

TEST_P(ProxyTest, paths_that_step_out_of_their_place_are_refused) {
  Heads heads;
  ScriptedServer server(heads.script(closing("x")));
  front_.not_found(proxy({.upstreams = {server.url()}}));
  start(front_);
  for (const char* target :
       {"/api/../admin", "/api/%2e%2E/admin", "/api/.%2e", "/./x", "/a/..;x=1/b", "/api/..%2fadmin",
        "/api/x%2F%2e%2e%2Fadmin", "/api/..%5Cadmin", "/api/x%5c..", "/a%2f.."}) {
    EXPECT_EQ(get(target).status, 400) << target;
  }
  EXPECT_EQ(heads.last(), "");
  EXPECT_EQ(get("/a/..b/.c/...").body, "x");
  EXPECT_EQ(get("/a%2Fb/c%5Cd/..%2").status, 400);
  EXPECT_EQ(get("/a%2Fb/c%5Cd/.e%2f").body, "x");
}

// Routes are compared byte by byte, and an upstream decodes: what is escaped without need would go
// by the route, and the middleware, that it is meant for.
TEST_P(ProxyTest, a_path_that_only_looks_like_another_is_refused) {
  Heads heads;
  ScriptedServer server(heads.script(closing("x")));
  front_.group("/my-admin", basic_auth({{"ada", "secret"}}))
      .any("/*rest", proxy({.upstreams = {server.url()}}));
  front_.any("/*rest", proxy({.upstreams = {server.url()}}));
  start(front_);
  EXPECT_EQ(get("/my-admin/x").status, 401);
  for (const char* target :
       {"/%6dy-admin/x", "/my%2Dadmin/x", "/my%2dadm%49n/x", "/%39", "/a%5Fb"}) {
    EXPECT_EQ(get(target).status, 400) << target;
  }
  EXPECT_EQ(heads.last(), "");
  EXPECT_EQ(get("/caf%C3%A9/a%20b/%7Ehome/100%25?q=%61").body, "x");
}

TEST_P(ProxyTest, what_no_route_fits_may_go_through_a_proxy) {
  ScriptedServer server(always(closing("theirs", "X-From: upstream\r\n")));
  front_.get("/own", [](Context& c) { c.text("ours"); });
  front_.not_found(proxy({.upstreams = {server.url()}}));
  start(front_);
  EXPECT_EQ(get("/own").body, "ours");
  const Answer got = get("/other");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "theirs");
  EXPECT_EQ(got.field("x-from"), "upstream");
  EXPECT_EQ(got.fields.count("content-type"), 0U);
}

TEST(ProxyOptionsTest, what_makes_no_sense_is_refused_with_advice) {
  const auto refusal = [](const ProxyOptions& options) {
    try {
      static_cast<void>(proxy(options));
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const std::vector<std::string> good{"http://127.0.0.1:9000"};
  EXPECT_EQ(refusal({.upstreams = good}), "accepted");
  EXPECT_NE(refusal({}).find("needs an upstream"), std::string::npos);
  EXPECT_NE(refusal({.upstreams = {"127.0.0.1:9000"}}).find("use http://HOST:PORT"),
            std::string::npos);
  EXPECT_NE(refusal({.upstreams = {"https://a"}}).find("https"), std::string::npos);
  EXPECT_NE(refusal({.upstreams = {"http://a/?x"}}).find("query"), std::string::npos);
  EXPECT_NE(refusal({.upstreams = {"unix:"}}).find("name a socket"), std::string::npos);
  EXPECT_NE(refusal({.upstreams = std::vector<std::string>(65, good[0])}).find("64"),
            std::string::npos);
  EXPECT_NE(refusal({.upstreams = good, .strip_prefix = "api"}).find("slash"), std::string::npos);
  EXPECT_NE(refusal({.upstreams = good, .via = "a b"}).find("token"), std::string::npos);
  EXPECT_NE(refusal({.upstreams = good, .headers = {{"Host", "a"}}}).find("written by the proxy"),
            std::string::npos);
  EXPECT_NE(refusal({.upstreams = good, .headers = {{"A", "b\r\nc"}}}).find("break out"),
            std::string::npos);
  EXPECT_NE(refusal({.upstreams = good, .upgrades = {"WebSocket"}}).find("lower case"),
            std::string::npos);
}

}  // namespace
}  // namespace weft
