// proxy(): what of requests, answers and bodies goes on, and what does not.
#include "app/middleware/proxy_test.hpp"

namespace weft::app::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Each, ProxyTest, testing::Values("io_uring", "epoll"));

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
  trusted_ = "loopback";
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

TEST_P(ProxyTest, what_others_say_is_replaced_whatever_was_meant_for_trusted_ones) {
  Heads heads;
  ScriptedServer server(heads.script(closing("fine")));
  trusted_ = "192.0.2.0/24";
  proxy_with({.upstreams = {server.url()}, .trust_forwarded = true});
  RawClient client(port());
  client.ask(
      "GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 192.0.2.1\r\n"
      "X-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1;proto=https\r\n\r\n");
  EXPECT_TRUE(heads.has("X-Forwarded-For: 127.0.0.1")) << heads.last();
  EXPECT_TRUE(heads.has("X-Forwarded-Proto: http")) << heads.last();
  EXPECT_TRUE(heads.has("Forwarded: for=127.0.0.1;host=inner;proto=http")) << heads.last();
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

}  // namespace
}  // namespace weft::app::test
