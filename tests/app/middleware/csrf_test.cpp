// csrf over sockets: what browsers say of a request's origin, and tokens.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using app::test::refusal;
using http::test::Answer;

const std::string kKey(32, 'k');
const std::string kOtherKey(32, 'l');
constexpr std::size_t kTokenBytes = 43;
constexpr std::string_view kTooLate = "the status and the headers have been sent already";

std::string cookie_of(const Answer& answer) {
  const std::string text = answer.field("set-cookie");
  return text.substr(0, text.find(';'));
}

class CsrfTest : public http::test::ServerTest {
 protected:
  static void done(Context& c) { c.text("done"); }
  static void token(Context& c) { c.text(csrf_token(c)); }
  Answer ask(const std::string& method, const std::string& target, const std::string& fields = {},
             const std::string& body = {}) {
    http::test::Client client = connect();
    return client.ask(method + " " + target + " HTTP/1.1\r\nHost: app.example:8443\r\n" + fields +
                      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  Answer post(const std::string& fields, const std::string& body = {}) {
    return ask("POST", "/in/do", fields, body);
  }
  // What a browser keeps of an answer: of each name the last.
  void keep_cookies(const Answer& answer) {
    constexpr std::string_view kField = "Set-Cookie: ";
    for (std::size_t at = answer.head.find(kField); at != std::string::npos;
         at = answer.head.find(kField, at)) {
      at += kField.size();
      const std::string line = answer.head.substr(at, answer.head.find('\r', at) - at);
      const std::size_t equals = line.find('=');
      const bool is_gone = line.find("Max-Age=0") != std::string::npos;
      jar[line.substr(0, equals)] =
          is_gone ? "" : line.substr(equals + 1, line.find(';') - equals - 1);
    }
  }
  std::string cookies() const {
    std::string all = "Cookie: a=b";
    for (const auto& [name, value] : jar) {
      if (!value.empty()) all += "; " + name + "=" + value;
    }
    return all + "\r\n";
  }
  // Gives the cookies that are there then.
  std::string visit(const std::string& target) {
    keep_cookies(ask("GET", target, cookies()));
    return cookies();
  }
  std::string post_from(const Answer& page, const std::string& token) {
    keep_cookies(page);
    return post_token(token);
  }
  std::string post_token(const std::string& token) {
    return post("Sec-Fetch-Site: same-origin\r\n" + cookies() + "X-Csrf-Token: " + token + "\r\n")
        .body;
  }
  void serve_with_sessions() {
    auto group = app.group("/in", sessions({.store = memory_session_store()}),
                           csrf({.keys = {kKey}, .require_token = true}));
    group.get("/token", &token).post("/do", &done);
    group.get("/two", [](Context& c) {
      const std::string first = csrf_token(c);
      session(c).set("cart", 1);
      c.text(first + " " + csrf_token(c));
    });
    group.get("/begin", [](Context& c) { session(c).set("cart", 1); });
    group.get("/login", [](Context& c) { session(c).regenerate().set("user", 1); });
    group.get("/token-then-begin", [](Context& c) {
      c.text(csrf_token(c));
      session(c).set("cart", 1);
    });
    group.get("/token-then-leave", [](Context& c) {
      c.text(csrf_token(c));
      session(c).destroy();
    });
    group.get("/token-then-login", [](Context& c) {
      (void)csrf_token(c);
      session(c).regenerate();
      c.text(csrf_token(c));
    });
    group.get("/streamed", [](Context& c) {
      ResponseWriter writer = c.stream("text/plain", kTokenBytes);
      session(c).set("cart", 1);
      writer.write(csrf_token(c));
    });
    group.get("/late", [](Context& c) {
      ResponseWriter writer = c.stream("text/plain", kTooLate.size() + 1).write("-");
      writer.write(refusal<std::logic_error>([&] { (void)csrf_token(c); }));
    });
    start();
  }
  void serve(const CsrfOptions& csrf_options) {
    auto group = app.group("/in", csrf(csrf_options));
    group.get("/do", &done).post("/do", &done).put("/do", &done).del("/do", &done);
    group.route("OPTIONS", "/do", &done);
    group.get("/token", &token);
    group.post("/form", [](Context& c) { c.text(c.form("name")); });
    group.post("/hooks/pay", &done).post("/hooks", &done);
    start();
  }

  std::map<std::string, std::string> jar;
};

INSTANTIATE_TEST_SUITE_P(Backends, CsrfTest, http::test::every_backend, http::test::backend_of);

constexpr const char* kOwn = "Sec-Fetch-Site: same-origin\r\n";
constexpr const char* kBySite = "The request comes from another site (Sec-Fetch-Site)\n";
constexpr const char* kByOrigin = "The request comes from another site (Origin)\n";
constexpr const char* kUnknown = "The request does not say which site it comes from (Origin)\n";
constexpr const char* kNoToken = "A token is missing: send it in a header or with the form\n";
constexpr const char* kNoCookie = "The cookie that belongs to the token is missing or malformed\n";
constexpr const char* kOtherSession =
    "The token is of another session, or too old: load the page again\n";
constexpr const char* kMalformed = "The token is malformed\n";
constexpr const char* kNotOfCookie = "The token is not that of the cookie\n";

}  // namespace

TEST_P(CsrfTest, what_changes_something_must_come_from_this_site) {
  serve({.trusted_origins = {"https://partner.example"}});
  struct {
    const char* fields;
    int status;
    const char* body;
  } const vectors[] = {
      {"Sec-Fetch-Site: same-origin\r\n", 200, "done"},
      {"Sec-Fetch-Site: none\r\n", 200, "done"},
      {"Sec-Fetch-Site: cross-site\r\n", 403, kBySite},
      {"Sec-Fetch-Site: same-site\r\n", 403, kBySite},
      {"Sec-Fetch-Site: something-new\r\n", 403, kBySite},
      // What it says goes before what Origin says, which a scheme alone may distinguish.
      {"Sec-Fetch-Site: cross-site\r\nOrigin: https://app.example:8443\r\n", 403, kBySite},
      {"Sec-Fetch-Site: cross-site\r\nOrigin: https://partner.example\r\n", 200, "done"},
      {"Sec-Fetch-Site: same-origin\r\nOrigin: null\r\n", 200, "done"},
      {"Origin: https://app.example:8443\r\n", 200, "done"},
      {"Origin: http://App.Example:8443\r\n", 200, "done"},
      {"Origin: https://partner.example\r\n", 200, "done"},
      {"Origin: https://PARTNER.example\r\n", 200, "done"},
      {"Origin: http://partner.example\r\n", 403, kByOrigin},
      {"Origin: https://partner.example.evil\r\n", 403, kByOrigin},
      {"Origin: https://app.example\r\n", 403, kByOrigin},
      {"Origin: https://app.example:84430\r\n", 403, kByOrigin},
      {"Origin: https://evil.app.example:8443\r\n", 403, kByOrigin},
      {"Origin: null\r\n", 403, kByOrigin},
      {"Origin: \r\n", 403, kByOrigin},
      {"Origin: app.example:8443\r\n", 403, kByOrigin},
      {"", 403, kUnknown},
      {"Referer: https://app.example:8443/form\r\n", 403, kUnknown},
  };
  for (const auto& vector : vectors) {
    const Answer answer = post(vector.fields);
    EXPECT_EQ(answer.status, vector.status) << vector.fields;
    EXPECT_EQ(answer.body, vector.body) << vector.fields;
  }
  for (const char* method : {"PUT", "DELETE", "POST"}) {
    EXPECT_EQ(ask(method, "/in/do", "Sec-Fetch-Site: cross-site\r\n").status, 403) << method;
  }
  for (const char* method : {"GET", "OPTIONS"}) {
    EXPECT_EQ(ask(method, "/in/do", "Sec-Fetch-Site: cross-site\r\n").status, 200) << method;
  }
  // Where no route fits it is in front, too.
  EXPECT_EQ(ask("POST", "/in/nowhere", "Sec-Fetch-Site: cross-site\r\n").status, 403);
  // There are no tokens without keys.
  EXPECT_EQ(ask("GET", "/in/token").status, 500);
}

TEST_P(CsrfTest, paths_and_requests_may_be_left_out) {
  serve({.exempt = {"/in/hooks/"}, .skip = [](Context& c) { return c.query("skip") == "1"; }});
  EXPECT_EQ(ask("POST", "/in/hooks/pay").status, 200);
  EXPECT_EQ(ask("POST", "/in/hooks").status, 403);
  EXPECT_EQ(ask("POST", "/in/do").status, 403);
  EXPECT_EQ(ask("POST", "/in/do?skip=1").status, 200);
}

TEST_P(CsrfTest, clients_that_are_no_browsers_may_be_let_in) {
  serve({.keys = {kKey}, .allow_unknown = true});
  EXPECT_EQ(post("").status, 200);
  EXPECT_EQ(post("Sec-Fetch-Site: cross-site\r\n").body, kBySite);
}

TEST_P(CsrfTest, a_request_that_says_nothing_needs_a_token) {
  serve({.keys = {kKey}});
  const Answer page = ask("GET", "/in/token");
  const std::string cookie = "Cookie: " + cookie_of(page) + "\r\n";
  const std::string text = page.field("set-cookie");
  EXPECT_TRUE(text.starts_with("__Host-csrf=")) << text;
  EXPECT_TRUE(text.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax")) << text;
  EXPECT_EQ(post("").body, kNoToken);
  EXPECT_EQ(post(cookie + "X-CSRF-Token: " + page.body + "\r\n").body, "done");
  // What the browser says is enough, and a token does not make up for it.
  EXPECT_EQ(post(kOwn).body, "done");
  EXPECT_EQ(post(cookie + "X-Csrf-Token: " + page.body + "\r\nSec-Fetch-Site: cross-site\r\n").body,
            kBySite);
}

TEST_P(CsrfTest, tokens_are_good_with_their_cookie_alone) {
  serve({.keys = {kKey}, .require_token = true});
  const Answer page = ask("GET", "/in/token");
  const std::string cookie = cookie_of(page);
  const auto sent = [&](const std::string& with_cookie, const std::string& token) {
    return post(kOwn + (with_cookie.empty() ? "" : "Cookie: " + with_cookie + "\r\n") +
                (token.empty() ? "" : "X-Csrf-Token: " + token + "\r\n"))
        .body;
  };
  EXPECT_EQ(sent(cookie, page.body), "done");
  // Another page of the same client has another token, for the same cookie.
  const Answer again = ask("GET", "/in/token", "Cookie: " + cookie + "\r\n");
  EXPECT_EQ(again.field("set-cookie"), "");
  EXPECT_NE(again.body, page.body);
  EXPECT_EQ(sent(cookie, again.body), "done");
  EXPECT_EQ(sent(cookie, page.body), "done");

  EXPECT_EQ(sent(cookie, ""), kNoToken);
  EXPECT_EQ(sent("", page.body), kNoCookie);
  EXPECT_EQ(sent("__Host-csrf=", page.body), kNoCookie);
  EXPECT_EQ(sent(cookie.substr(0, cookie.size() - 1), page.body), kNoCookie);
  EXPECT_EQ(sent(cookie + "A", page.body), kNoCookie);
  EXPECT_EQ(sent("__Host-csrf=" + std::string(64, '*'), page.body), kNoCookie);
  EXPECT_EQ(sent("__Host-csrf=" + std::string(64, 'A'), page.body), kOtherSession);
  std::string tampered = cookie;
  tampered.back() = tampered.back() == 'A' ? 'B' : 'A';
  EXPECT_EQ(sent(tampered, page.body), kOtherSession);
  EXPECT_EQ(sent(cookie, "x"), kMalformed);
  EXPECT_EQ(sent(cookie, page.body + "A"), kMalformed);
  EXPECT_EQ(sent(cookie, std::string(page.body.size(), '*')), kMalformed);
  EXPECT_EQ(sent(cookie, std::string(page.body.size(), 'A')), kNotOfCookie);
  std::string changed = page.body;
  changed[0] = changed[0] == 'A' ? 'B' : 'A';
  EXPECT_EQ(sent(cookie, changed), kNotOfCookie);
  const Answer other = ask("GET", "/in/token");
  EXPECT_EQ(sent(cookie, other.body), kNotOfCookie);
  EXPECT_EQ(sent(cookie_of(other), page.body), kNotOfCookie);
}

TEST_P(CsrfTest, tokens_come_in_forms_too) {
  serve({.keys = {kKey}, .require_token = true});
  const Answer page = ask("GET", "/in/token");
  const std::string fields = std::string(kOwn) + "Cookie: " + cookie_of(page) + "\r\n";
  const std::string url_encoded =
      fields + "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
  EXPECT_EQ(ask("POST", "/in/form", url_encoded, "name=ada&csrf_token=" + page.body).body, "ada");
  EXPECT_EQ(ask("POST", "/in/form", url_encoded, "name=ada").body, kNoToken);
  EXPECT_EQ(ask("POST", "/in/form", url_encoded, "name=ada&csrf_token=x").body, kMalformed);
  EXPECT_EQ(
      ask("POST", "/in/form", fields + "Content-Type: multipart/form-data; boundary=b\r\n",
          "--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n" + page.body +
              "\r\n--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nada\r\n--b--\r\n")
          .body,
      "ada");
  // A body that is no form is not looked into.
  EXPECT_EQ(post(fields + "Content-Type: text/plain\r\n", "csrf_token=" + page.body).body,
            kNoToken);
}

TEST_P(CsrfTest, tokens_are_signed_by_the_first_key_and_good_under_all) {
  const auto group = [&](const std::string& prefix, std::vector<std::string> keys) {
    app.group(prefix, csrf({.keys = std::move(keys), .require_token = true}))
        .get("/token", &token)
        .post("/do", &done);
  };
  group("/old", {kKey});
  group("/both", {kOtherKey, kKey});
  group("/new", {kOtherKey});
  start();
  const auto fields = [](const Answer& page) {
    return std::string(kOwn) + "Cookie: " + cookie_of(page) + "\r\nX-Csrf-Token: " + page.body +
           "\r\n";
  };
  const Answer of_old = ask("GET", "/old/token");
  EXPECT_EQ(ask("POST", "/both/do", fields(of_old)).body, "done");
  EXPECT_EQ(ask("POST", "/new/do", fields(of_old)).body, kOtherSession);
  EXPECT_EQ(ask("POST", "/new/do", fields(ask("GET", "/both/token"))).body, "done");
}

TEST_P(CsrfTest, tokens_belong_to_the_session) {
  serve_with_sessions();
  const Answer page = ask("GET", "/in/token", visit("/in/begin"));
  EXPECT_EQ(page.head.find("__Host-session="), std::string::npos);
  EXPECT_EQ(post_from(page, page.body), "done");
  // Without the session, and with another one.
  const std::string session = jar["__Host-session"];
  jar["__Host-session"].clear();
  EXPECT_EQ(post_token(page.body), kOtherSession);
  jar["__Host-session"] = session;
  visit("/in/login");
  EXPECT_EQ(post_token(page.body), kOtherSession);
  // A page that is loaded then has a good one.
  const Answer next = ask("GET", "/in/token", cookies());
  EXPECT_EQ(post_from(next, next.body), "done");
}

TEST_P(CsrfTest, a_visitor_without_a_session_needs_none_for_a_token) {
  serve_with_sessions();
  const Answer page = ask("GET", "/in/token");
  EXPECT_EQ(page.head.find("__Host-session="), std::string::npos);
  EXPECT_EQ(post_from(page, page.body), "done");
  // When a session begins, pages that are open stay good.
  visit("/in/begin");
  EXPECT_NE(jar["__Host-session"], "");
  EXPECT_EQ(post_token(page.body), "done");
  // Whoever has planted the cookie knows the token: a login ends it.
  visit("/in/login");
  EXPECT_EQ(post_token(page.body), kOtherSession);
}

TEST_P(CsrfTest, a_login_ends_the_tokens_of_a_visitor_without_a_session) {
  serve_with_sessions();
  const Answer page = ask("GET", "/in/token");
  keep_cookies(page);
  visit("/in/login");
  EXPECT_NE(jar["__Host-session"], "");
  EXPECT_EQ(post_token(page.body), kOtherSession);
}

TEST_P(CsrfTest, a_token_is_good_whatever_the_request_makes_of_the_session_behind_it) {
  serve_with_sessions();
  const Answer begun = ask("GET", "/in/token-then-begin");
  EXPECT_NE(begun.head.find("__Host-session="), std::string::npos);
  EXPECT_EQ(post_from(begun, begun.body), "done");
  const Answer left = ask("GET", "/in/token-then-leave", cookies());
  keep_cookies(left);
  EXPECT_EQ(jar["__Host-session"], "");
  EXPECT_EQ(post_from(left, left.body), "done");
  // The same of a streamed answer.
  jar.clear();
  const Answer streamed = ask("GET", "/in/streamed");
  EXPECT_NE(streamed.head.find("__Host-session="), std::string::npos);
  EXPECT_EQ(post_from(streamed, streamed.body), "done");
  const Answer late = ask("GET", "/in/late");
  EXPECT_EQ(late.body, "-" + std::string(kTooLate));
}

TEST_P(CsrfTest, several_tokens_of_a_page_have_one_cookie) {
  app.group("/in", csrf({.keys = {kKey}, .require_token = true}))
      .get("/two", [](Context& c) { c.text(csrf_token(c) + " " + csrf_token(c)); })
      .post("/do", &done);
  start();
  const Answer page = ask("GET", "/in/two");
  EXPECT_EQ(page.head.find("Set-Cookie"), page.head.rfind("Set-Cookie"));
  const std::size_t blank = page.body.find(' ');
  for (const std::string& one : {page.body.substr(0, blank), page.body.substr(blank + 1)}) {
    EXPECT_EQ(
        post(std::string(kOwn) + "Cookie: " + cookie_of(page) + "\r\nX-Csrf-Token: " + one + "\r\n")
            .body,
        "done");
  }
}

TEST_P(CsrfTest, several_tokens_of_a_session_that_begins_have_one_cookie) {
  serve_with_sessions();
  const Answer page = ask("GET", "/in/two");
  EXPECT_EQ(page.head.find("__Host-csrf"), page.head.rfind("__Host-csrf"));
  const std::size_t blank = page.body.find(' ');
  EXPECT_EQ(post_from(page, page.body.substr(0, blank)), "done");
  EXPECT_EQ(post_from(page, page.body.substr(blank + 1)), "done");
  // One that was made before the session got another id is not handed out again.
  for (const std::string& fields : {std::string(), cookies()}) {
    const Answer login = ask("GET", "/in/token-then-login", fields);
    EXPECT_EQ(post_from(login, login.body), "done");
  }
}

TEST(CsrfOptions, that_make_no_sense_are_refused_with_what_to_do) {
  const auto says = [](const CsrfOptions& options) {
    return refusal([&] { (void)csrf(options); });
  };
  EXPECT_NE(says({.require_token = true}).find(".keys"), std::string::npos);
  EXPECT_NE(says({.keys = {"short"}}).find("fewer than 32 bytes"), std::string::npos);
  for (const char* origin :
       {"app.example.org", "https://app.example.org/", "://a", "https://", "*"}) {
    EXPECT_NE(says({.trusted_origins = {origin}}).find("no origin"), std::string::npos) << origin;
  }
  EXPECT_NE(says({.exempt = {"hooks"}}).find("begin it with a slash"), std::string::npos);
  EXPECT_NE(says({.header = "a b"}).find(".header"), std::string::npos);
  EXPECT_NE(says({.cookie = {.secure = false}}).find(".secure = true"), std::string::npos);
}

}  // namespace weft
