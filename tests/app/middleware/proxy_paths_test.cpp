// proxy(): tunnels, Unix sockets, paths and where answers lead; options.
#include "app/middleware/proxy_test.hpp"

namespace weft::app::test {
namespace {

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
}  // namespace weft::app::test
