// Where a request is sent or what else its path is taken for: redirects, App::rewrite(); and who
// its client is: Context::client_address(), scheme() and host().

#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <string>

#include "plain_app.hpp"

namespace weft::app::test {

namespace {

using Redirected = PlainApp;
using Rewritten = PlainApp;

}  // namespace

// ---- redirect()

TEST_F(Redirected, paths_that_fit_a_rule_are_sent_elsewhere) {
  app.use(redirect({{"/old", "/new"},
                    {"/blog/*/comments/*", "/posts/$1?c=$2", 301},
                    {"/blog/*", "/posts/$1", 302, false},
                    {"/shop/*", "https://shop.example/$1"},
                    {"/part/*", "/whole/#$1"},
                    {"/price/*", "/cost/$$$1"}}));
  app.get("/new", [](Context& c) { c.text("new"); });
  RawClient client = start();
  const auto expect = [&](const std::string& path, int status, const std::string& where) {
    const Answer answer = ask(client, "GET", path);
    EXPECT_EQ(answer.status, status) << path;
    EXPECT_EQ(answer.field("location"), where) << path;
  };
  expect("/old", 308, "/new");
  expect("/old?a=1&b=%20", 308, "/new?a=1&b=%20");
  expect("/blog/7/comments/9", 301, "/posts/7?c=9");
  expect("/blog/7/comments/9?x=y", 301, "/posts/7?c=9&x=y");
  expect("/blog/a/b%2Fc?gone", 302, "/posts/a/b%2Fc");
  expect("/blog/", 302, "/posts/");
  expect("/shop/a", 308, "https://shop.example/a");
  expect("/price/1", 308, "/cost/$1");
  expect("/part/2?a=1", 308, "/whole/?a=1#2");
  expect("/older", 404, "");
  EXPECT_EQ(ask(client, "POST", "/old").status, 308);
  EXPECT_EQ(client.get("/new").body, "new");
}

TEST_F(Redirected, no_client_says_to_which_host) {
  app.use(redirect({{"/go*", "/$1", 302}, {"/shop/*", "https://shop.example/$1", 302}}));
  RawClient client = start();
  EXPECT_EQ(client.get("/go-on").field("location"), "/-on");
  for (const char* path : {"/go/evil.example", "/go//evil.example", "/go\\evil.example",
                           "/go/\\evil.example", "/shop/\\evil"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 400) << path;
    EXPECT_EQ(answer.field("location"), "") << path;
  }
  // Behind the host it may be anything.
  EXPECT_EQ(client.get("/shop//evil.example@x").field("location"),
            "https://shop.example//evil.example@x");
}

TEST(RedirectRules, that_make_no_sense_are_refused) {
  const auto refused = [](const RedirectRule& rule) { return refusal([&] { redirect({rule}); }); };
  for (const char* to : {"", "new", "//evil.example/", "/\\evil", "https://shop.example",
                         "https://$1/", "https://shop.example$1/", "https://$1.shop.example/",
                         "https://user@shop.example/", "https:///x", "javascript:alert(1)"}) {
    EXPECT_TRUE(says(refused({"/a/*", to}), "rule from")) << to;
  }
  EXPECT_TRUE(says(refused({"a", "/b"}), "begins with '/'"));
  EXPECT_TRUE(says(refused({"/a", "/b\r\nX: y"}), "escaped"));
  EXPECT_TRUE(says(refused({"/a b", "/b"}), "escaped"));
  EXPECT_TRUE(says(refused({"/a?b", "/b"}), "query"));
  EXPECT_TRUE(says(refused({"/a", "/$1"}), "there are 0 of them"));
  EXPECT_TRUE(says(refused({"/*", "/$2"}), "there are 1 of them"));
  EXPECT_TRUE(says(refused({"/*", "/$"}), "dollar sign"));
  EXPECT_TRUE(says(refused({"/**", "/b"}), "side by side"));
  EXPECT_TRUE(says(refused({"/*a*b*c*d*e*f*g*h*i*j", "/b"}), "at most 9"));
  EXPECT_TRUE(says(refused({"/a", "/b", 200}), "not 200"));
}

// ---- redirect_to_https(), redirect_www()

TEST_F(Redirected, who_does_not_ask_by_https_is_sent_there) {
  options.trusted_proxies = "loopback";
  app.use(redirect_to_https({.except = {"/livez"}}));
  app.get("/x", [](Context& c) { c.text("x"); });
  app.get("/livez", [](Context& c) { c.text("live"); });
  RawClient client = start();
  const Answer answer = ask(client, "GET", "/x/y?z=1", "", "a.example:8080");
  EXPECT_EQ(answer.status, 308);
  EXPECT_EQ(answer.field("location"), "https://a.example/x/y?z=1");
  EXPECT_EQ(ask(client, "GET", "/x", "", "[::1]:80").field("location"), "https://[::1]/x");
  EXPECT_EQ(ask(client, "GET", "/x", "X-Forwarded-Proto: https\r\n").body, "x");
  EXPECT_EQ(ask(client, "GET", "/x", "X-Forwarded-Host: b.example\r\n").field("location"),
            "https://b.example/x");
  EXPECT_EQ(ask(client, "GET", "/livez").body, "live");
  EXPECT_EQ(ask(client, "GET", "/livezx").status, 308);
  EXPECT_EQ(ask(client, "GET", "/x", "", "").status, 400);
  EXPECT_EQ(ask(client, "OPTIONS", "*").status, 204);
}

TEST_F(Redirected, to_https_may_have_a_port_and_a_host_of_its_own) {
  app.use(redirect_to_https({.status = 301, .port = 8443, .host = "fixed.example"}));
  RawClient client = start();
  const Answer answer = ask(client, "GET", "/x", "X-Forwarded-Proto: https\r\n", "evil.example");
  EXPECT_EQ(answer.status, 301) << "nobody is trusted to say that it is HTTPS already";
  EXPECT_EQ(answer.field("location"), "https://fixed.example:8443/x");
}

TEST_F(Redirected, www_comes_or_goes) {
  auto with = app.group("/with", redirect_www({.add = true}));
  with.get("", [](Context& c) { c.text("with"); });
  auto without = app.group("/without", redirect_www({.status = 301}));
  without.get("", [](Context& c) { c.text("without"); });
  RawClient client = start();
  const auto where = [&](const std::string& path, const std::string& host) {
    return ask(client, "GET", path, "", host).field("location");
  };
  EXPECT_EQ(where("/with?q", "a.example:81"), "http://www.a.example:81/with?q");
  EXPECT_EQ(where("/without", "WWW.a.example"), "http://a.example/without");
  EXPECT_EQ(ask(client, "GET", "/without", "", "www.a.example").status, 301);
  for (const char* host : {"www.a.example", "localhost", "127.0.0.1:80", "[::1]", ""}) {
    EXPECT_EQ(where("/with", host), "") << host;
  }
  for (const char* host : {"a.example", "www.", "wwwa.example", "www.:80"}) {
    EXPECT_EQ(where("/without", host), "") << host;
  }
}

TEST(RedirectRules, of_the_hosts_are_checked) {
  EXPECT_TRUE(says(refusal([] { redirect_to_https({.status = 200}); }), "not 200"));
  EXPECT_TRUE(says(refusal([] { redirect_to_https({.host = "a/b"}); }), "no host"));
  EXPECT_TRUE(says(refusal([] { redirect_to_https({.host = "a:443"}); }), "port"));
  EXPECT_TRUE(says(refusal([] { redirect_to_https({.except = {"livez"}}); }), "begin with '/'"));
  EXPECT_TRUE(says(refusal([] { redirect_www({.status = 304}); }), "not 304"));
}

// ---- App::rewrite()

TEST_F(Rewritten, a_path_that_fits_is_another_before_routes_are_looked_for) {
  app.rewrite({{"/blog/*", "/posts/$1"}, {"/posts/*", "/gone"}, {"/swap/*/*", "/pair/$2/$1"}});
  app.get("/posts/{id}", [](Context& c) {
    c.text(std::string(c.param("id")) + " " + std::string(c.path()) + " " +
           std::string(c.sent_path()) + " " + std::string(c.query("q")));
  });
  app.get("/pair/{a}/*rest", [](Context& c) {
    weft::yield();
    c.text(std::string(c.param("a")) + "+" + std::string(c.param("rest")));
  });
  app.get("/gone", [](Context& c) { c.text("gone"); });
  RawClient client = start();
  EXPECT_EQ(client.get("/blog/a%20b?q=1").body, "a b /posts/a%20b /blog/a%20b 1");
  // What a rule gives is not looked at again, so there are no circles.
  EXPECT_EQ(client.get("/posts/7").body, "gone");
  EXPECT_EQ(client.get("/swap/1/2/3").body, "2+3/1");
  EXPECT_EQ(ask(client, "POST", "/blog/7").status, 405);
  EXPECT_EQ(client.get("/blog/").status, 404);
  EXPECT_EQ(client.get("/blog").status, 404);
  EXPECT_EQ(ask(client, "OPTIONS", "*").status, 204);
}

TEST_F(Rewritten, middleware_of_a_group_is_around_what_leads_there) {
  app.rewrite({{"/v0/*", "/v1/$1"}});
  auto group = app.group("/v1", [](Context& c, Next& next) {
    c.answer().lasting_header("X-Group", "v1");
    next();
  });
  group.get("/x", [](Context& c) { c.text("x"); });
  RawClient client = start();
  EXPECT_EQ(client.get("/v0/x").field("x-group"), "v1");
  const Answer none = client.get("/v0/y");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.field("x-group"), "v1");
}

TEST_F(Rewritten, the_slash_at_the_end_is_that_of_the_new_path) {
  options.trailing_slash = TrailingSlash::redirect;
  app.rewrite({{"/a*", "/b$1"}});
  app.get("/b/x", [](Context& c) { c.text("x"); });
  RawClient client = start();
  EXPECT_EQ(client.get("/a/x/?q").field("location"), "/b/x?q");
}

TEST_F(Rewritten, rules_are_checked_and_come_before_the_start) {
  const auto refused = [&](const RewriteRule& rule) {
    return refusal([&] { app.rewrite({rule}); });
  };
  EXPECT_TRUE(says(refused({"/a", "https://b.example/"}), "begins with one '/'"));
  EXPECT_TRUE(says(refused({"/a", "//b"}), "begins with one '/'"));
  EXPECT_TRUE(says(refused({"/a", "/b?c"}), "no query"));
  EXPECT_TRUE(says(refused({"/a", "/$1"}), "there are 0"));
  // Nothing of a list with a mistake in it is kept.
  EXPECT_TRUE(says(refusal([&] { app.rewrite({{"/a", "/b"}, {"a", "/b"}}); }), "begins with '/'"));
  app.get("/b", [](Context& c) { c.text("b"); });
  RawClient client = start();
  EXPECT_EQ(client.get("/a").status, 404);
  EXPECT_THROW(app.rewrite({{"/a", "/b"}}), std::logic_error);
}

// ---- Who the client is

namespace {

class ClientAddress : public PlainApp {
 protected:
  ClientAddress() {
    app.get("/", [](Context& c) {
      const auto address = c.client_address();
      c.text((address ? address->to_string() : "nobody") + " " + std::string(c.scheme()) + " " +
             std::string(c.host()));
    });
  }
  static std::string told(RawClient& client, const std::string& lines) {
    return ask(client, "GET", "/", lines).body;
  }
  static constexpr const char* kSpoof =
      "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n"
      "Forwarded: for=192.0.2.2;proto=https;host=evil.example\r\n";
};

}  // namespace

TEST_F(ClientAddress, is_the_peers_where_nobody_is_trusted) {
  RawClient client = start();
  const std::string peer = told(client, kSpoof);
  EXPECT_TRUE(peer.starts_with("127.0.0.1:")) << peer;
  EXPECT_TRUE(peer.ends_with(" http a.example")) << peer;
  EXPECT_FALSE(peer.starts_with("127.0.0.1:0 ")) << peer;
}

TEST_F(ClientAddress, is_the_peers_where_others_are_trusted) {
  options.trusted_proxies = "10.0.0.0/8, private, unix";
  RawClient client = start();
  EXPECT_TRUE(told(client, kSpoof).starts_with("127.0.0.1:"));
}

TEST_F(ClientAddress, is_what_a_trusted_proxy_says) {
  options.trusted_proxies = "loopback, 10.0.0.0/8";
  RawClient client = start();
  EXPECT_EQ(told(client, kSpoof), "192.0.2.1:0 https evil.example");
  EXPECT_EQ(told(client, "X-Forwarded-For: 203.0.113.9, 192.0.2.7, 10.1.2.3\r\n"),
            "192.0.2.7:0 http a.example");
  EXPECT_EQ(told(client, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.7:81\r\n"),
            "192.0.2.7:81 http a.example");
  EXPECT_TRUE(told(client, "X-Forwarded-For: 203.0.113.9, bad\r\n").starts_with("127.0.0.1:"));
}

TEST_F(ClientAddress, is_read_from_the_fields_that_the_proxy_writes) {
  options.trusted_proxies = "127.0.0.1";
  options.proxy_headers = "forwarded";
  RawClient client = start();
  EXPECT_EQ(told(client, kSpoof), "192.0.2.2:0 https evil.example");
  EXPECT_TRUE(told(client, "X-Forwarded-For: 192.0.2.1\r\n").starts_with("127.0.0.1:"));
}

TEST_F(ClientAddress, is_unknown_over_a_unix_socket_until_a_proxy_tells_it) {
  options.uds = std::filesystem::temp_directory_path() /
                ("weft-client-" + std::to_string(::getpid()) + ".sock");
  options.trusted_proxies = "unix";
  app.start(options);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  options.uds.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  RawClient client = RawClient::over(fd);
  EXPECT_EQ(told(client, ""), "nobody http a.example");
  EXPECT_EQ(told(client, "X-Forwarded-For: 2001:db8::1\r\n"), "[2001:db8::1]:0 http a.example");
}

TEST_F(ClientAddress, options_that_make_no_sense_keep_the_server_from_starting) {
  const auto refused = [&] {
    try {
      app.start(options);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string("(it started)");
  };
  options.trusted_proxies = "10.0.0.0/33";
  EXPECT_TRUE(says(refused(), "10.0.0.0/33"));
  options.trusted_proxies = "";
  options.proxy_headers = "both";
  EXPECT_TRUE(says(refused(), "x-forwarded or forwarded"));
}

}  // namespace weft::app::test
