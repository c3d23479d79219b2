// sessions over sockets, in cookies and in a store.
#include "app/middleware/sessions_test.hpp"

#include <filesystem>
#include <fstream>
#include <limits>

namespace weft {

namespace {

using app::test::cookie_of;
using app::test::refusal;
using app::test::SessionsTest;
using app::test::takes_cookie_away;
using http::test::Answer;
using namespace std::chrono_literals;

const std::string kOldKey(32, 'o');
const std::string kNewKey(32, 'n');

INSTANTIATE_TEST_SUITE_P(Backends, SessionsTest, http::test::every_backend, http::test::backend_of);

}  // namespace

TEST_P(SessionsTest, are_remembered_by_a_cookie_with_safe_attributes) {
  serve();
  for (const std::string& kind : kinds) {
    const Answer first = get(kind + "/login?user=ada");
    const std::string text = first.field("set-cookie");
    EXPECT_TRUE(text.starts_with("__Host-session=")) << text;
    EXPECT_TRUE(text.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax")) << text;
    EXPECT_EQ(text.find("ada"), std::string::npos);
    EXPECT_EQ(first.body.size(), 32U);
    const Answer second = get(kind + "/user", cookie_of(first));
    EXPECT_EQ(second.body, "ada");
    EXPECT_EQ(second.field("set-cookie"), "");
    EXPECT_EQ(get(kind + "/id", cookie_of(first)).body, first.body);
    EXPECT_EQ(user(kind, ""), "");
  }
}

TEST_P(SessionsTest, that_nobody_puts_anything_into_set_no_cookie) {
  serve();
  for (const std::string& kind : kinds) {
    EXPECT_EQ(get(kind + "/user").field("set-cookie"), "");
    EXPECT_EQ(get(kind + "/logout").field("set-cookie"), "");
    // One whose id was asked for is kept.
    const Answer answer = get(kind + "/id");
    EXPECT_EQ(get(kind + "/id", cookie_of(answer)).body, answer.body);
  }
  EXPECT_EQ(get("/cookie/nowhere").field("set-cookie"), "");
}

TEST_P(SessionsTest, end_with_a_logout) {
  serve();
  for (const std::string& kind : kinds) {
    const std::string cookie = login(kind);
    EXPECT_TRUE(takes_cookie_away(get(kind + "/logout", cookie)));
  }
  // Only a store can make the cookie worthless.
  const std::string cookie = login("/store");
  get("/store/logout", cookie);
  EXPECT_EQ(user("/store", cookie), "");
  EXPECT_TRUE(takes_cookie_away(get("/store/user", cookie)));
}

TEST_P(SessionsTest, get_another_id_at_login_and_the_former_one_is_worthless) {
  serve();
  for (const std::string& kind : kinds) {
    const Answer before = get(kind + "/id");
    const Answer after = get(kind + "/login?user=ada", cookie_of(before));
    EXPECT_NE(before.body, after.body);
    EXPECT_EQ(user(kind, cookie_of(after)), "ada");
    EXPECT_EQ(user(kind, cookie_of(before)), "");
  }
  // Not so in a store, where the former one is gone altogether.
  const Answer before = get("/store/id");
  get("/store/login?user=ada", cookie_of(before));
  EXPECT_NE(get("/store/id", cookie_of(before)).body, before.body);
}

TEST_P(SessionsTest, are_not_known_by_an_id_that_a_client_has_made_up) {
  serve();
  const std::string made_up(32, 'A');
  const Answer answer = get("/store/id", "__Host-session=" + made_up);
  EXPECT_NE(answer.body, made_up);
  EXPECT_EQ(answer.body.size(), 32U);
}

TEST_P(SessionsTest, that_were_tampered_with_count_as_none_whichever_character_it_is) {
  serve();
  for (const std::string& kind : kinds) {
    const std::string cookie = login(kind);
    const std::size_t begin = cookie.find('=') + 1;
    http::test::Client client = connect();
    const auto ask = [&](const std::string& changed) {
      return client.ask("GET " + kind + "/user HTTP/1.1\r\nHost: a\r\nCookie: " + changed +
                        "\r\n\r\n");
    };
    EXPECT_EQ(ask(cookie).body, "ada");
    for (std::size_t i = begin; i < cookie.size(); ++i) {
      std::string changed = cookie;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      const Answer answer = ask(changed);
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.body, "") << kind << " " << i;
      EXPECT_TRUE(takes_cookie_away(answer)) << kind << " " << i;
    }
    for (std::size_t size = begin + 1; size < cookie.size(); ++size) {
      const Answer answer = ask(cookie.substr(0, size));
      EXPECT_EQ(answer.body, "") << kind << " " << size;
      EXPECT_TRUE(takes_cookie_away(answer)) << kind << " " << size;
    }
    for (const std::string& odd : {cookie + "A", cookie + "=", cookie + "%41", cookie + cookie,
                                   cookie.substr(0, begin) + std::string(5000, 'A'),
                                   cookie.substr(0, begin) + "\"" + cookie.substr(begin) + "\"",
                                   cookie.substr(0, begin) + "!\"#$%&'()*+,-./:<>?@[]^_`{|}~"}) {
      const Answer answer = ask(odd);
      EXPECT_EQ(answer.body, "") << odd;
      EXPECT_TRUE(takes_cookie_away(answer)) << odd;
    }
  }
}

TEST_P(SessionsTest, that_are_not_used_expire) {
  in_cookie.idle_timeout = in_store.idle_timeout = 100s;
  serve();
  for (const std::string& kind : kinds) {
    const std::string cookie = login(kind);
    now_s += 99;
    EXPECT_EQ(user(kind, cookie), "ada");
    const std::string other = login(kind);
    now_s += 100;
    const Answer answer = get(kind + "/user", other);
    EXPECT_EQ(answer.body, "");
    EXPECT_TRUE(takes_cookie_away(answer));
  }
}

TEST_P(SessionsTest, that_are_used_live_on_and_are_written_now_and_then) {
  in_cookie.idle_timeout = in_store.idle_timeout = 100s;
  serve();
  for (const std::string& kind : kinds) {
    std::string cookie = login(kind);
    now_s += 9;
    EXPECT_EQ(get(kind + "/user", cookie).field("set-cookie"), "");
    for (int i = 0; i < 20; ++i) {
      now_s += 60;
      const Answer answer = get(kind + "/user", cookie);
      ASSERT_EQ(answer.body, "ada") << kind << i;
      if (kind == "/cookie") {
        EXPECT_NE(cookie_of(answer), "");
        cookie = cookie_of(answer);
      } else {
        EXPECT_EQ(answer.field("set-cookie"), "");
      }
    }
  }
}

TEST_P(SessionsTest, end_after_their_absolute_time_however_much_they_are_used) {
  in_cookie.idle_timeout = in_store.idle_timeout = 100s;
  in_cookie.absolute_timeout = in_store.absolute_timeout = 150s;
  serve();
  for (const std::string& kind : kinds) {
    const std::string cookie = login(kind);
    now_s += 80;
    const Answer used = get(kind + "/set?name=a&value=b", cookie);
    const std::string next = kind == "/cookie" ? cookie_of(used) : cookie;
    now_s += 69;
    EXPECT_EQ(user(kind, next), "ada");
    now_s += 1;
    EXPECT_TRUE(takes_cookie_away(get(kind + "/user", next)));
  }
}

TEST_P(SessionsTest, from_the_future_count_as_none) {
  serve();
  for (const std::string& kind : kinds) {
    const std::string cookie = login(kind);
    now_s -= 60;
    EXPECT_EQ(user(kind, cookie), "ada");
    now_s -= 1;
    EXPECT_TRUE(takes_cookie_away(get(kind + "/user", cookie)));
  }
}

TEST_P(SessionsTest, are_opened_by_all_keys_and_sealed_by_the_first) {
  const auto group = [&](const std::string& prefix, std::vector<std::string> keys) {
    SessionsOptions other = in_cookie;
    other.keys = std::move(keys);
    auto routes = app.group(prefix, sessions(other));
    routes.get("/user",
               [](Context& c) { c.text(session(c).get<std::string>("user").value_or("")); });
    routes.get("/again", [](Context& c) { session(c).set("again", 1); });
  };
  group("/both", {kNewKey, kOldKey});
  group("/new", {kNewKey});
  SessionsOptions named = in_cookie;
  named.cookie_name = "__Host-other";
  app.get("/named", sessions(named),
          [](Context& c) { c.text(session(c).get<std::string>("user").value_or("")); });
  serve();
  const std::string old = login("/cookie");
  EXPECT_EQ(get("/both/user", old).body, "ada");
  EXPECT_EQ(get("/new/user", old).body, "");
  const std::string renewed = cookie_of(get("/both/again", old));
  EXPECT_EQ(get("/new/user", renewed).body, "ada");
  EXPECT_EQ(get("/cookie/user", renewed).body, "");
  // A cookie is good under its name alone.
  EXPECT_EQ(get("/named", "__Host-other=" + old.substr(old.find('=') + 1)).body, "");
}

TEST_P(SessionsTest, keep_values_with_their_types) {
  const auto fill = [](Context& c) {
    session(c)
        .set("yes", true)
        .set("small", -7)
        .set("large", std::numeric_limits<std::int64_t>::max())
        .set("half", 0.5)
        .set("text", std::string("a\0\"b", 4))
        .set("gone", 1)
        .erase("gone")
        .erase("never");
  };
  const auto check = [](Context& c) {
    const Session s = session(c);
    EXPECT_EQ(s.get<bool>("yes"), true);
    EXPECT_EQ(s.get<int>("yes"), std::nullopt);
    EXPECT_EQ(s.get<int>("small"), -7);
    EXPECT_EQ(s.get<unsigned>("small"), std::nullopt);
    EXPECT_EQ(s.get<double>("small"), -7.0);
    EXPECT_EQ(s.get<bool>("small"), std::nullopt);
    EXPECT_EQ(s.get<std::int64_t>("large"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(s.get<int>("large"), std::nullopt);
    EXPECT_EQ(s.get<double>("half"), 0.5);
    EXPECT_EQ(s.get<int>("half"), std::nullopt);
    EXPECT_EQ(s.get<std::string>("text"), std::string("a\0\"b", 4));
    EXPECT_EQ(s.get<std::string_view>("text"), std::string_view("a\0\"b", 4));
    EXPECT_EQ(s.get<int>("text"), std::nullopt);
    EXPECT_FALSE(s.has("gone"));
    EXPECT_FALSE(s.is_new());
    EXPECT_THROW(session(c).set("big", ~std::uint64_t{0}), std::out_of_range);
    EXPECT_THROW(session(c).set("", 1), std::length_error);
    EXPECT_THROW(session(c).set(std::string(256, 'n'), 1), std::length_error);
    EXPECT_FALSE(session(c).clear().has("yes"));
    c.text("checked");
  };
  app.group("/v/cookie", sessions(in_cookie)).get("/fill", fill).get("/check", check);
  app.group("/v/store", sessions(in_store)).get("/fill", fill).get("/check", check);
  serve();
  for (const std::string& kind : kinds) {
    const Answer filled = get("/v" + kind + "/fill");
    EXPECT_EQ(get("/v" + kind + "/check", cookie_of(filled)).body, "checked");
  }
}

TEST_P(SessionsTest, flash_values_are_there_until_they_were_taken) {
  serve();
  for (const std::string& kind : kinds) {
    std::string cookie = cookie_of(get(kind + "/flash"));
    EXPECT_EQ(user(kind, cookie), "");
    const Answer taken = get(kind + "/take", cookie);
    EXPECT_EQ(taken.body, "saved");
    if (kind == "/cookie") cookie = cookie_of(taken);
    EXPECT_EQ(get(kind + "/take", cookie).body, "-");
  }
}

TEST_P(SessionsTest, beyond_the_bound_are_refused_where_they_are_filled) {
  in_store.bytes = 1000;
  std::string said;
  app.get("/says", sessions(in_cookie), [&](Context& c) {
    said = refusal<std::exception>([&] { session(c).set("long", std::string(2891, 'a')); });
    EXPECT_FALSE(session(c).has("long"));
  });
  serve();
  // An entry takes six bytes beside its name and value.
  const Answer largest = get("/cookie/long?size=2890");
  EXPECT_EQ(largest.status, 200);
  EXPECT_LE(largest.field("set-cookie").size(), 4096U);
  EXPECT_EQ(get("/cookie/long?size=2890", cookie_of(largest)).status, 200);
  EXPECT_EQ(get("/cookie/long?size=2891").status, 500);
  EXPECT_EQ(get("/store/long?size=990").status, 200);
  EXPECT_EQ(get("/store/long?size=991").status, 500);
  EXPECT_EQ(get("/says").status, 200);
  app.stop();
  EXPECT_EQ(said,
            "the session would have 2901 bytes, of 2900 that it may have: keep less in it, or give "
            "SessionsOptions a .store and more .bytes");
}

TEST_P(SessionsTest, are_not_saved_when_the_handler_throws) {
  serve();
  for (const std::string& kind : kinds) {
    const std::string cookie = login(kind);
    const Answer answer = get(kind + "/fails", cookie);
    EXPECT_EQ(answer.status, 418);
    EXPECT_EQ(answer.field("set-cookie"), "");
    EXPECT_EQ(user(kind, cookie), "ada");
  }
}

TEST_P(SessionsTest, are_saved_before_the_head_of_a_streamed_answer) {
  serve();
  for (const std::string& kind : kinds) {
    for (const char* route : {"/early", "/flushed", "/empty"}) {
      const Answer answer = get(kind + route);
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.field("transfer-encoding"),
                std::string_view(route) == "/empty" ? "" : "chunked");
      EXPECT_EQ(user(kind, cookie_of(answer)), "streamed") << route;
    }
    http::test::Client client = connect();
    client.send("GET " + kind + "/late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string all = client.read_to_end();
    EXPECT_EQ(all.find("Set-Cookie"), std::string::npos);
    EXPECT_NE(all.find("the session was changed when the head of the answer had been sent"),
              std::string::npos);
  }
}

TEST_P(SessionsTest, are_saved_before_the_head_of_a_file) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("weft_sessions_" + std::to_string(::getpid()) + ".txt");
  std::ofstream(path) << "file";
  app.get("/file", sessions(in_store), [path](Context& c) {
    session(c).set("user", "file");
    c.file(path.string());
  });
  serve();
  const Answer answer = get("/file");
  EXPECT_EQ(answer.body, "file");
  EXPECT_EQ(user("/store", cookie_of(answer)), "file");
  std::filesystem::remove(path);
}

TEST_P(SessionsTest, are_saved_for_handlers_of_every_kind) {
  auto group = app.group("/kind", sessions(in_store));
  group.get("/coroutine", [](Context& c) -> Task<void> {
    co_await coro::yield();
    session(c).set("user", "coroutine");
  });
  group.get("/respond", [](Context&, Respond respond) {
    weft::spawn([respond = std::move(respond)]() mutable {
      respond([](Context& c) { session(c).set("user", "respond"); });
    }).detach();
  });
  group.get("/upgrade", [](Context& c) {
    session(c).set("user", "upgrade");
    UpgradedStream stream = c.upgrade("echo");
    (void)stream.write(refusal<std::exception>([&] { session(c).set("user", "late"); }));
  });
  serve();
  for (const std::string kind : {"coroutine", "respond"}) {
    EXPECT_EQ(user("/store", cookie_of(get("/kind/" + kind))), kind);
  }
  http::test::Client client = connect();
  const Answer upgraded = client.ask(
      "GET /kind/upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  EXPECT_EQ(upgraded.status, 101);
  EXPECT_EQ(user("/store", cookie_of(upgraded)), "upgrade");
  EXPECT_NE(client.read_to_end().find("the head of the answer had been sent"), std::string::npos);
}

TEST_P(SessionsTest, may_be_left_out_and_are_missed_where_there_are_none) {
  in_cookie.skip = [](Context& c) { return c.query("skip") == "1"; };
  app.get("/has", sessions(in_cookie), [](Context& c) { c.text(has_session(c) ? "yes" : "no"); });
  app.get("/none", [](Context& c) { c.text(refusal<std::exception>([&] { (void)session(c); })); });
  // Behind the end of the middleware there is no session either.
  app.get(
      "/behind",
      [](Context& c, Next& next) {
        next();
        c.text(has_session(c) ? "yes" : "no");
      },
      sessions(in_cookie), [](Context& c) { session(c).set("a", 1); });
  serve();
  EXPECT_EQ(get("/has").body, "yes");
  EXPECT_EQ(get("/has?skip=1").body, "no");
  EXPECT_EQ(get("/behind").body, "no");
  EXPECT_EQ(get("/none").body,
            "there is no session: put weft::sessions() around this route, by App::use() say");
}

TEST(SessionsOptions, that_make_no_sense_are_refused_with_what_to_do) {
  const auto says = [](const SessionsOptions& options) {
    return refusal<std::exception>([&] { (void)sessions(options); });
  };
  EXPECT_EQ(says({}),
            "sessions has no key: give .keys at least one, made by `openssl rand -base64 32` say");
  EXPECT_EQ(says({.keys = {"short"}}),
            "sessions has a key of fewer than 32 bytes: make one by `openssl rand -base64 32` say");
  EXPECT_EQ(says({.keys = std::vector<std::string>(9, kOldKey)}),
            "sessions has more than 8 keys: take out those nobody needs");
  EXPECT_NE(says({.keys = {kOldKey}, .store = memory_session_store()}).find(".store and .keys"),
            std::string::npos);
  EXPECT_NE(says({.keys = {kOldKey}, .idle_timeout = 0s}).find("not positive"), std::string::npos);
  EXPECT_NE(says({.keys = {kOldKey}, .absolute_timeout = std::chrono::seconds::max()})
                .find("hundred years"),
            std::string::npos);
  EXPECT_NE(says({.keys = {kOldKey}, .cookie_name = "a b"}).find("no token"), std::string::npos);
  EXPECT_NE(says({.keys = {kOldKey}, .cookie = {.secure = false}}).find(".secure = true"),
            std::string::npos);
  EXPECT_NE(says({.keys = {kOldKey}, .bytes = 3100}).find("4,096"), std::string::npos);
  EXPECT_NE(refusal<std::exception>([] {
              (void)memory_session_store({.sessions = 0});
            }).find(".sessions"),
            std::string::npos);
}

}  // namespace weft
