// proxy(): upstreams that fail, several of them, and clients that go.
#include "app/middleware/proxy_test.hpp"

namespace weft::app::test {
namespace {

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

}  // namespace
}  // namespace weft::app::test
