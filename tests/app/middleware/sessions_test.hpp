// What tests of sessions share: a server that has them in cookies and in a store.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>

#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft::app::test {

// What a browser would send back; "" for a cookie that was taken away or not set.
inline std::string cookie_of(const http::test::Answer& answer) {
  const std::string text = answer.field("set-cookie");
  if (text.find("Max-Age=0") != std::string::npos) return "";
  return text.substr(0, text.find(';'));
}

inline bool takes_cookie_away(const http::test::Answer& answer) {
  return answer.field("set-cookie").starts_with("__Host-session=; Path=/; Max-Age=0");
}

// Below /cookie sessions stand in the cookie, below /store in a store.
class SessionsTest : public http::test::ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    in_cookie.keys = {key};
    in_store.store = memory_session_store();
    in_cookie.clock = in_store.clock = [this] {
      return std::chrono::system_clock::time_point(std::chrono::seconds(now_s.load()));
    };
  }
  void serve() {
    add_routes(app.group("/cookie", sessions(in_cookie)));
    add_routes(app.group("/store", sessions(in_store)));
    start();
  }
  http::test::Answer get(const std::string& target, const std::string& cookie = {}) {
    http::test::Client client = connect();
    const std::string field = cookie.empty() ? "" : "Cookie: x=y; " + cookie + "\r\n";
    return client.ask("GET " + target + " HTTP/1.1\r\nHost: a\r\n" + field + "\r\n");
  }
  // A session with user=ada in it.
  std::string login(const std::string& kind) { return cookie_of(get(kind + "/login?user=ada")); }
  std::string user(const std::string& kind, const std::string& cookie) {
    return get(kind + "/user", cookie).body;
  }

  const std::string key = std::string(32, 'o');
  SessionsOptions in_cookie;
  SessionsOptions in_store;
  std::atomic<std::int64_t> now_s{1'800'000'000};
  const std::array<std::string, 2> kinds{"/cookie", "/store"};

 private:
  void add_routes(RouteGroup routes) {
    routes.get("/user",
               [](Context& c) { c.text(session(c).get<std::string>("user").value_or("")); });
    routes.get("/login", [](Context& c) {
      session(c).regenerate().set("user", c.query("user"));
      c.text(session(c).id());
    });
    routes.get("/logout", [](Context& c) { session(c).destroy(); });
    routes.get("/id", [](Context& c) { c.text(session(c).id()); });
    routes.get("/set", [](Context& c) { session(c).set(c.query("name"), c.query("value")); });
    routes.get("/long", [](Context& c) {
      session(c).set("long", std::string(c.query_as<std::size_t>("size", 0), 'a'));
    });
    routes.get("/fails", [](Context& c) {
      session(c).set("user", "nobody");
      Context::abort(418);
    });
    routes.get("/flash", [](Context& c) { session(c).flash("notice", "saved"); });
    routes.get("/take", [](Context& c) { c.text(session(c).take_flash("notice").value_or("-")); });
    routes.get("/early", [](Context& c) {
      ResponseWriter writer = c.stream("text/plain");
      session(c).set("user", "streamed");
      writer.write("a");
    });
    routes.get("/flushed", [](Context& c) {
      ResponseWriter writer = c.stream("text/plain");
      session(c).set("user", "streamed");
      writer.flush();
    });
    routes.get("/empty", [](Context& c) {
      c.stream("text/plain");
      session(c).set("user", "streamed");
    });
    routes.get("/late", [](Context& c) {
      ResponseWriter writer = c.stream("text/plain").write("a");
      writer.write(refusal<std::exception>([&] { session(c).set("user", "late"); }));
    });
    routes.get("/gate", [this](Context& c) {
      session(c).set("gate", true);
      gate.pass();
    });
  }
};

}  // namespace weft::app::test
