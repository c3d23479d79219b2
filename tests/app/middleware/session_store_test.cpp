// sessions in a store, of which several requests make use at once; the store in memory; and how
// sessions are written.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "app/middleware/session_state.hpp"
#include "app/middleware/sessions_test.hpp"

namespace weft {

namespace {

using app::test::cookie_of;
using http::test::Answer;
using namespace std::chrono_literals;

class SessionStoreTest : public app::test::SessionsTest {};

INSTANTIATE_TEST_SUITE_P(Backends, SessionStoreTest, http::test::every_backend,
                         http::test::backend_of);

}  // namespace

TEST_P(SessionStoreTest, that_were_destroyed_meanwhile_do_not_come_back) {
  serve();
  const std::string cookie = login("/store");
  http::test::Client slow = connect();
  slow.send("GET /store/gate HTTP/1.1\r\nHost: a\r\nCookie: " + cookie + "\r\n\r\n");
  ASSERT_TRUE(http::test::eventually([this] { return gate.waiting() == 1; }));
  get("/store/logout", cookie);
  gate.open();
  // Whatever else has become of the client's cookie is not for this answer to say.
  EXPECT_EQ(slow.read_answer().field("set-cookie"), "");
  EXPECT_EQ(user("/store", cookie), "");
}

TEST_P(SessionStoreTest, that_another_request_has_renamed_meanwhile_are_left_to_that) {
  app.get("/again", sessions(in_store), [this](Context& c) {
    gate.pass();
    session(c).regenerate().set("user", "late");
  });
  serve();
  // Neither one that only changes the old one, nor one that renames it, too.
  for (const std::string target : {"/store/gate", "/again"}) {
    for (const std::string first : {"/store/login?user=bob", "/store/logout"}) {
      SCOPED_TRACE(target + " behind " + first);
      gate.close();
      const std::string cookie = login("/store");
      http::test::Client slow = connect();
      slow.send("GET " + target + " HTTP/1.1\r\nHost: a\r\nCookie: " + cookie + "\r\n\r\n");
      ASSERT_TRUE(http::test::eventually([&] { return gate.waiting() == 1; }));
      const Answer quick = get(first, cookie);
      gate.open();
      EXPECT_EQ(slow.read_answer().field("set-cookie"), "");
      EXPECT_EQ(user("/store", cookie), "");
      if (first == "/store/logout") continue;
      EXPECT_EQ(user("/store", cookie_of(quick)), "bob");
    }
  }
}

TEST_P(SessionStoreTest, whose_store_fails_at_a_new_id_stay_as_they_were) {
  // A store as databases are: every call may fail.
  struct Failing final : SessionStore {
    std::optional<std::string> load(const std::string& key) override { return kept->load(key); }
    bool save(const std::string& key, std::string_view bytes, std::chrono::seconds lifetime,
              Save how) override {
      return kept->save(key, bytes, lifetime, how);
    }
    bool rename(const std::string& former, const std::string& key, std::string_view bytes,
                std::chrono::seconds lifetime) override {
      if (fails) throw std::runtime_error("the database has gone");
      return kept->rename(former, key, bytes, lifetime);
    }
    void destroy(const std::string& key) override { kept->destroy(key); }

    std::shared_ptr<SessionStore> kept = memory_session_store();
    std::atomic<bool> fails{true};
  };
  const auto failing = std::make_shared<Failing>();
  in_store.store = failing;
  serve();
  const std::string cookie = login("/store");
  const Answer answer = get("/store/login?user=bob", cookie);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.field("set-cookie"), "");
  EXPECT_EQ(user("/store", cookie), "ada");
  failing->fails = false;
  EXPECT_EQ(user("/store", cookie_of(get("/store/login?user=bob", cookie))), "bob");
  EXPECT_EQ(user("/store", cookie), "");
}

TEST(MemorySessionStore, keeps_sessions_until_they_expire_or_are_destroyed) {
  std::chrono::nanoseconds now = 1s;
  const auto store = memory_session_store({.clock = [&] { return now; }});
  using Save = SessionStore::Save;
  EXPECT_EQ(store->load("a"), std::nullopt);
  EXPECT_FALSE(store->save("a", "1", 10s, Save::existing));
  EXPECT_TRUE(store->save("a", "1", 10s, Save::created));
  EXPECT_TRUE(store->save("b", "2", 20s, Save::created));
  EXPECT_TRUE(store->save("a", "3", 10s, Save::existing));
  EXPECT_EQ(store->load("a"), "3");
  now += 10s - 1ns;
  EXPECT_EQ(store->load("a"), "3");
  now += 1ns;
  EXPECT_EQ(store->load("a"), std::nullopt);
  EXPECT_FALSE(store->save("a", "1", 10s, Save::existing));
  EXPECT_EQ(store->load("b"), "2");
  store->destroy("b");
  store->destroy("b");
  EXPECT_EQ(store->load("b"), std::nullopt);
}

TEST(MemorySessionStore, renames_what_is_there_at_one_stroke) {
  std::chrono::nanoseconds now = 1s;
  const auto store = memory_session_store({.clock = [&] { return now; }});
  EXPECT_FALSE(store->rename("a", "b", "1", 10s));
  EXPECT_EQ(store->load("b"), std::nullopt);
  EXPECT_TRUE(store->save("a", "1", 10s, SessionStore::Save::created));
  EXPECT_TRUE(store->rename("a", "b", "2", 20s));
  EXPECT_EQ(store->load("a"), std::nullopt);
  EXPECT_EQ(store->load("b"), "2");
  EXPECT_FALSE(store->rename("a", "c", "3", 20s));
  EXPECT_EQ(store->load("c"), std::nullopt);
  now += 10s;
  EXPECT_TRUE(store->rename("b", "b", "3", 5s));
  EXPECT_EQ(store->load("b"), "3");
  now += 5s;
  EXPECT_FALSE(store->rename("b", "c", "4", 5s));
}

TEST(MemorySessionStore, lets_one_of_several_rename) {
  const auto store = memory_session_store();
  constexpr int kSessions = 500;
  constexpr int kThreads = 4;
  const auto key_of = [](int number, int thread) {
    return std::to_string(number) + "-" + std::to_string(thread);
  };
  for (int i = 0; i < kSessions; ++i) {
    store->save(key_of(i, -1), "kept", 1h, SessionStore::Save::created);
  }
  std::atomic<int> renamed{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kSessions; ++i) {
        if (store->rename(key_of(i, -1), key_of(i, thread), "kept", 1h)) ++renamed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(renamed, kSessions);
  for (int i = 0; i < kSessions; ++i) {
    int found = store->load(key_of(i, -1)) ? 1 : 0;
    for (int thread = 0; thread < kThreads; ++thread) {
      if (store->load(key_of(i, thread))) ++found;
    }
    EXPECT_EQ(found, 1) << i;
  }
}

TEST(MemorySessionStore, gives_up_those_that_were_not_used_for_the_longest) {
  const auto store = memory_session_store({.sessions = 3, .bytes = 10});
  const auto save = [&](const char* key, std::string_view bytes) {
    store->save(key, bytes, 1h, SessionStore::Save::created);
  };
  save("a", "1");
  save("b", "2");
  save("c", "3");
  EXPECT_TRUE(store->load("a"));
  save("d", "4");
  EXPECT_FALSE(store->load("b"));
  EXPECT_TRUE(store->load("c"));
  EXPECT_TRUE(store->load("a"));
  // c and d go for its bytes, and a stays.
  save("e", std::string(9, 'e'));
  EXPECT_TRUE(store->load("a"));
  EXPECT_FALSE(store->load("c"));
  EXPECT_FALSE(store->load("d"));
  EXPECT_TRUE(store->load("e"));
}

TEST(SessionBytes, that_are_cut_off_or_of_another_format_are_refused) {
  app::SessionState state;
  state.id = "id";
  state.created_s = -5;
  state.used_s = 1'800'000'000;
  state.entries = {{"a", true}, {"b", std::int64_t{-1}}, {"c", 2.5}, {"d", std::string("text")}};
  const std::string bytes = app::encode_session(state, state.id);
  app::SessionState found;
  ASSERT_TRUE(app::decode_session(bytes, found));
  EXPECT_EQ(found.id, "id");
  EXPECT_EQ(found.created_s, -5);
  EXPECT_EQ(found.used_s, 1'800'000'000);
  ASSERT_EQ(found.entries.size(), 4U);
  EXPECT_EQ(found.entries[3].value, SessionValue(std::string("text")));
  // What was counted is at least what it takes.
  EXPECT_GE(app::SessionState::kFixedBytes + 2 + found.bytes, bytes.size());
  std::size_t whole = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (app::decode_session(bytes.substr(0, size), found)) ++whole;
  }
  EXPECT_EQ(whole, 4U);  // those that end behind an entry, or behind none
  EXPECT_FALSE(app::decode_session("\x02" + bytes.substr(1), found));
  EXPECT_FALSE(app::decode_session(bytes + std::string("\x01x\x09", 3), found));
}

}  // namespace weft
