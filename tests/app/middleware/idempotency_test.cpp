// idempotency over sockets, and the store in memory.
#include <unistd.h>

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using app::test::refusal;
using http::test::Answer;
using namespace std::chrono_literals;

class IdempotencyTest : public http::test::ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    store = memory_idempotency_store({.keys = 1000, .bytes = 100'000, .clock = [this] {
                                        return std::chrono::nanoseconds(now_ns.load());
                                      }});
  }
  IdempotencyOptions with_store(IdempotencyOptions wanted = {}) {
    wanted.store = store;
    return wanted;
  }
  Answer send(const std::string& target, const std::string& fields, const std::string& body = "x",
              const std::string& method = "POST") {
    http::test::Client client = connect();
    return client.ask(message(target, fields, body, method));
  }
  Answer with_key(const std::string& target, const std::string& key,
                  const std::string& body = "x") {
    return send(target, "Idempotency-Key: " + key + "\r\n", body);
  }
  static std::string message(const std::string& target, const std::string& fields,
                             const std::string& body = "x", const std::string& method = "POST") {
    return method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  // Answers with how often it was called.
  Handler count() {
    return [this](Context& c) {
      const int call = ++calls;
      c.status(201).set_header("Location", "/orders/" + std::to_string(call));
      c.set_header("X-One", "1").add_header("X-One", "2");
      c.json({{"call", call}, {"body", c.body()}});
    };
  }
  static bool is_replayed(const Answer& answer) {
    return answer.field("idempotency-replayed") == "true";
  }

  std::atomic<int> calls{0};
  std::atomic<std::int64_t> now_ns{1};
  std::shared_ptr<IdempotencyStore> store;
};

INSTANTIATE_TEST_SUITE_P(Backends, IdempotencyTest, http::test::every_backend,
                         http::test::backend_of);

}  // namespace

TEST_P(IdempotencyTest, a_request_that_comes_again_gets_the_answer_that_was_given) {
  app.use([](Context& c, Next& next) {
    c.set_header("X-Outer", "outer");
    next();
  });
  app.use(idempotency(with_store()));
  app.post("/orders", count());
  start();
  const Answer first = with_key("/orders", "\"8e03978e\"");
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.body, R"({"call":1,"body":"x"})");
  EXPECT_FALSE(is_replayed(first));
  const Answer again = with_key("/orders", "\"8e03978e\"");
  EXPECT_TRUE(is_replayed(again));
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.field("location"), "/orders/1");
  EXPECT_EQ(again.field("content-type"), "application/json");
  EXPECT_NE(again.head.find("X-One: 1\r\nX-One: 2\r\n"), std::string::npos);
  // What is around it says its own, once.
  EXPECT_EQ(again.head.find("X-Outer: outer"), again.head.rfind("X-Outer: outer"));
  // Without quotes it is the same key; another one is not.
  EXPECT_TRUE(is_replayed(with_key("/orders", "8e03978e")));
  EXPECT_EQ(with_key("/orders", "8e03978f").field("location"), "/orders/2");
  // Without a key nothing is remembered.
  EXPECT_EQ(send("/orders", "").field("location"), "/orders/3");
  EXPECT_EQ(send("/orders", "").field("location"), "/orders/4");
}

TEST_P(IdempotencyTest, what_is_around_it_says_its_own_also_when_a_lasting_header_comes_behind_it) {
  std::atomic<int> asked{0};
  app.use([&asked](Context& c, Next& next) {
    c.answer().lasting_header("X-Try", std::to_string(++asked));
    c.set_header("X-Outer", std::to_string(asked));
    next();
  });
  app.use(idempotency(with_store()));
  app.use([](Context& c, Next& next) {
    c.answer().lasting_header("X-Inner", "inner");
    next();
  });
  app.post("/orders", count());
  start();
  EXPECT_EQ(with_key("/orders", "k").field("x-try"), "1");
  const Answer again = with_key("/orders", "k");
  EXPECT_TRUE(is_replayed(again));
  for (const char* line : {"X-Try: 2\r\n", "X-Outer: 2\r\n", "X-Inner: inner\r\n"}) {
    EXPECT_NE(again.head.find(line), std::string::npos) << again.head;
  }
  EXPECT_EQ(again.head.find("X-Try: 1"), std::string::npos) << again.head;
  EXPECT_EQ(again.head.find("X-Outer: 1"), std::string::npos) << again.head;
}

TEST_P(IdempotencyTest, what_was_set_in_place_of_what_is_around_it_is_so_again) {
  app.use([](Context& c, Next& next) {
    c.set_header("Cache-Control", "no-store").set_header("X-Frame-Options", "DENY");
    c.answer().lasting_header("Referrer-Policy", "same-origin");
    c.add_header("Link", "</outer>");
    next();
  });
  app.use(idempotency(with_store()));
  app.post("/orders", [](Context& c) {
    c.set_header("Cache-Control", "max-age=5").set_header("Referrer-Policy", "no-referrer");
    c.add_header("Link", "</inner>");
    c.answer().remove_header("X-Frame-Options");
    c.text("done");
  });
  start();
  const auto fields_of = [](const Answer& answer) {
    std::multiset<std::string> lines;
    std::istringstream head(answer.head);
    for (std::string line; std::getline(head, line);) {
      if (!line.starts_with("Date") && !line.starts_with("Idempotency-Replayed"))
        lines.insert(line);
    }
    return lines;
  };
  const Answer first = with_key("/orders", "k");
  const Answer again = with_key("/orders", "k");
  EXPECT_TRUE(is_replayed(again));
  EXPECT_EQ(fields_of(again), fields_of(first));
  EXPECT_EQ(again.head.find("no-store"), std::string::npos) << again.head;
  EXPECT_EQ(again.field("x-frame-options"), "");
}

TEST_P(IdempotencyTest, what_stayed_while_others_of_its_name_went_stays_again) {
  app.use([](Context& c, Next& next) {
    c.answer().lasting_header("Vary", "Origin");
    c.add_header("Vary", "Accept");
    next();
  });
  app.use(idempotency(with_store()));
  app.post("/orders", [](Context& c) {
    c.answer().clear();
    c.text("done");
  });
  start();
  const Answer first = with_key("/orders", "k");
  const Answer again = with_key("/orders", "k");
  EXPECT_TRUE(is_replayed(again));
  for (const Answer& answer : {first, again}) {
    EXPECT_EQ(answer.field("vary"), "Origin") << answer.head;
    EXPECT_EQ(answer.head.find("Accept"), std::string::npos) << answer.head;
  }
}

TEST_P(IdempotencyTest, one_that_is_asked_to_come_again_is_handled_then) {
  app.use(idempotency(with_store()));
  app.post("/busy", [this](Context& c) {
    if (++calls == 1) return c.status(429).text("too many");
    if (calls == 2) Context::abort(429, "too many, still");
    if (calls == 3) return c.status(425).text("too early");
    if (calls == 4) return c.status(408).text("too slow");
    c.text("done");
  });
  start();
  for (const int status : {429, 429, 425, 408, 200}) {
    const Answer answer = with_key("/busy", "k");
    EXPECT_EQ(answer.status, status);
    EXPECT_FALSE(is_replayed(answer));
  }
  EXPECT_TRUE(is_replayed(with_key("/busy", "k")));
}

TEST_P(IdempotencyTest, one_that_comes_while_it_runs_is_a_409) {
  app.post("/orders", idempotency(with_store()), [this](Context& c) {
    ++calls;
    gate.pass();
    c.text("done");
  });
  start();
  http::test::Client first = connect();
  first.send(message("/orders", "Idempotency-Key: k\r\n"));
  ASSERT_TRUE(http::test::eventually([this] { return gate.waiting() == 1; }));
  const Answer second = with_key("/orders", "k");
  EXPECT_EQ(second.status, 409);
  EXPECT_EQ(second.field("retry-after"), "1");
  EXPECT_EQ(with_key("/orders", "k", "another body").status, 422);
  gate.open();
  EXPECT_EQ(first.read_answer().body, "done");
  EXPECT_TRUE(is_replayed(with_key("/orders", "k")));
  EXPECT_EQ(calls, 1);
}

TEST_P(IdempotencyTest, of_many_at_the_same_time_one_is_handled) {
  options.workers = 2;
  app.post("/orders", idempotency(with_store()), [this](Context& c) {
    ++calls;
    weft::yield();
    c.text("done");
  });
  start();
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        const Answer answer = with_key("/orders", "k" + std::to_string(round));
        EXPECT_TRUE(answer.status == 200 || answer.status == 409) << answer.status;
        ++answered;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, 80);
  EXPECT_EQ(calls, 10);
}

TEST_P(IdempotencyTest, the_key_of_another_request_is_a_422) {
  app.use(idempotency(with_store()));
  app.post("/orders", count()).post("/payments", count()).patch("/orders", count());
  start();
  const std::string key = "Idempotency-Key: k\r\n";
  EXPECT_EQ(send("/orders", key).status, 201);
  EXPECT_EQ(send("/orders", key, "y").status, 422);
  EXPECT_EQ(send("/orders?a=1", key).status, 422);
  EXPECT_EQ(send("/payments", key).status, 422);
  EXPECT_EQ(send("/orders", key + "Content-Type: text/plain\r\n").status, 422);
  EXPECT_EQ(send("/orders", key, "x", "PATCH").status, 422);
  EXPECT_TRUE(is_replayed(send("/orders", key)));
  EXPECT_EQ(calls, 1);
}

TEST_P(IdempotencyTest, keys_of_other_clients_are_others) {
  app.post("/orders", idempotency(with_store()), count());
  app.post("/mine",
           idempotency(
               with_store({.scope = [](Context& c) { return std::string(c.header("x-tenant")); }})),
           count());
  app.post("/known", key_auth({.keys = {{"0123456789abcdef", "a"}, {"0123456789abcdeg", "b"}}}),
           idempotency(with_store()), count());
  app.post("/session", sessions({.keys = {std::string(32, 'k')}}), idempotency(with_store()),
           [this](Context& c) {
             session(c).set("call", ++calls);
             c.text(std::to_string(calls));
           });
  start();
  const std::string key = "Idempotency-Key: k\r\n";
  const auto call = [&](const std::string& target, const std::string& fields) {
    return send(target, key + fields).field("location");
  };
  EXPECT_EQ(call("/orders", "Authorization: Bearer a\r\n"), "/orders/1");
  EXPECT_EQ(call("/orders", "Authorization: Bearer b\r\n"), "/orders/2");
  EXPECT_EQ(call("/orders", "Authorization: Bearer a\r\n"), "/orders/1");
  EXPECT_EQ(call("/mine", "X-Tenant: a\r\n"), "/orders/3");
  EXPECT_EQ(call("/mine", "X-Tenant: b\r\n"), "/orders/4");
  EXPECT_EQ(call("/mine", "X-Tenant: b\r\n"), "/orders/4");
  EXPECT_EQ(call("/known", "X-Api-Key: 0123456789abcdef\r\n"), "/orders/5");
  EXPECT_EQ(call("/known", "X-Api-Key: 0123456789abcdeg\r\n"), "/orders/6");
  EXPECT_EQ(call("/known", "X-Api-Key: 0123456789abcdef\r\n"), "/orders/5");
  // Two sessions, that begin with what the first key does.
  const auto cookie = [](const Answer& answer) {
    const std::string text = answer.field("set-cookie");
    return "Cookie: " + text.substr(0, text.find(';')) + "\r\n";
  };
  const std::string one = cookie(send("/session", ""));
  const std::string two = cookie(send("/session", ""));
  EXPECT_EQ(send("/session", key + one).body, "9");
  EXPECT_EQ(send("/session", key + two).body, "10");
  EXPECT_EQ(send("/session", key + one).body, "9");
}

TEST_P(IdempotencyTest, malformed_and_missing_keys_are_a_400) {
  app.post("/orders", idempotency(with_store({.required = true, .key_bytes = 8})), count());
  app.put("/orders", idempotency(with_store({.required = true})), count());
  app.post("/skipped",
           idempotency(with_store({.required = true, .skip = [](Context&) { return true; }})),
           count());
  start();
  for (const char* key :
       {"12345678", "\"12345678\"", "\"a b\"", "\"a\\\"b\"", "\"a\\\\b\"", "a=b"}) {
    EXPECT_EQ(with_key("/orders", key).status, 201) << key;
  }
  for (const char* key :
       {"", "\"\"", "123456789", "\"123456789\"", "\"abc", "abc\"", "\"a\"b", "\"a\" ;p", "a b",
        "\"a\", \"b\"", "a,b", "\"a\\x\"", "\"a\\", "\"\xC3\xA9\"", "\xC3\xA9"}) {
    const Answer answer = with_key("/orders", key);
    EXPECT_EQ(answer.status, 400) << key;
    EXPECT_EQ(answer.body, "The Idempotency-Key is malformed or too long\n") << key;
  }
  EXPECT_EQ(send("/orders", "Idempotency-Key: a\r\nIdempotency-Key: a\r\n").status, 400);
  const Answer missing = send("/orders", "");
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(missing.body, "An Idempotency-Key is needed: make one up, a UUID say\n");
  // PUT is idempotent by itself.
  EXPECT_EQ(send("/orders", "", "x", "PUT").status, 201);
  EXPECT_EQ(send("/skipped", "").status, 201);
}

TEST_P(IdempotencyTest, failures_of_the_server_give_the_key_back_and_refusals_are_kept) {
  app.use(idempotency(with_store()));
  app.post("/fails", [this](Context& c) {
    if (++calls == 1) throw std::runtime_error("once");
    if (calls == 2) Context::abort(503, "twice");
    if (calls == 3) return c.status(500).text("three times");
    c.text("done");
  });
  app.post("/refuses", [this](Context&) {
    ++calls;
    Context::abort(422, "no such article");
  });
  start();
  EXPECT_EQ(with_key("/fails", "k").status, 500);
  EXPECT_EQ(with_key("/fails", "k").status, 503);
  EXPECT_EQ(with_key("/fails", "k").status, 500);
  EXPECT_EQ(with_key("/fails", "k").body, "done");
  EXPECT_TRUE(is_replayed(with_key("/fails", "k")));
  EXPECT_EQ(calls, 4);
  const Answer refused = with_key("/refuses", "r");
  const Answer again = with_key("/refuses", "r");
  EXPECT_EQ(again.status, 422);
  EXPECT_EQ(again.body, refused.body);
  EXPECT_EQ(again.field("content-type"), refused.field("content-type"));
  EXPECT_TRUE(is_replayed(again));
  EXPECT_EQ(calls, 5);
}

TEST_P(IdempotencyTest, streamed_and_large_answers_are_not_kept_and_nothing_is_done_twice) {
  app.use(idempotency(with_store({.answer_bytes = 100})));
  app.post("/streamed", [this](Context& c) {
    ++calls;
    c.stream("text/plain").write("a part");
  });
  app.post("/broken", [this](Context& c) {
    ++calls;
    c.stream("text/plain").write("a part").flush();
    throw std::runtime_error("amid it");
  });
  app.post("/large", [this](Context& c) {
    ++calls;
    c.text(std::string(c.query_as<std::size_t>("size", 0), 'a'));
  });
  start();
  for (const std::string target : {"/streamed", "/broken", "/large?size=101"}) {
    const int before = calls;
    http::test::Client client = connect();
    client.send(message(target, "Idempotency-Key: " + target.substr(1, 3) + "\r\n"));
    EXPECT_EQ(client.read_answer().status, 200);
    ASSERT_TRUE(http::test::eventually([&] {
      return with_key(target, target.substr(1, 3)).body.find("under way") == std::string::npos;
    }));
    const Answer again = with_key(target, target.substr(1, 3));
    EXPECT_EQ(again.status, 409) << target;
    EXPECT_EQ(again.body,
              "The request with this Idempotency-Key was answered; the answer was not kept\n");
    EXPECT_EQ(calls, before + 1);
  }
  with_key("/large?size=50", "fits");
  EXPECT_TRUE(is_replayed(with_key("/large?size=50", "fits")));
}

TEST_P(IdempotencyTest, keys_expire_and_a_full_store_takes_no_more) {
  store = memory_idempotency_store(
      {.keys = 2, .clock = [this] { return std::chrono::nanoseconds(now_ns.load()); }});
  app.post("/orders", idempotency(with_store({.lifetime = 10s})), count());
  start();
  EXPECT_EQ(with_key("/orders", "a").field("location"), "/orders/1");
  EXPECT_EQ(with_key("/orders", "b").field("location"), "/orders/2");
  const Answer full = with_key("/orders", "c");
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.field("retry-after"), "60");
  EXPECT_TRUE(is_replayed(with_key("/orders", "a")));
  now_ns += std::chrono::nanoseconds(10s).count() - 1;
  EXPECT_TRUE(is_replayed(with_key("/orders", "a")));
  now_ns += 1;
  EXPECT_EQ(with_key("/orders", "c").field("location"), "/orders/3");
  EXPECT_EQ(with_key("/orders", "a").field("location"), "/orders/4");
}

TEST_P(IdempotencyTest, one_owner_cannot_take_the_room_of_others) {
  store = memory_idempotency_store(
      {.keys_per_owner = 2, .clock = [this] { return std::chrono::nanoseconds(now_ns.load()); }});
  IdempotencyOptions named = with_store({.lifetime = 10s});
  named.owner = [](Context& c) { return std::string(c.header("x-who")); };
  app.post("/orders", idempotency(named), count());
  // Whoever makes up a name, or a session, is of the same address.
  app.post("/plain", idempotency(with_store({.lifetime = 10s})), count());
  start();
  const auto ask = [this](const std::string& who, const std::string& key) {
    return send("/orders", "X-Who: " + who + "\r\nIdempotency-Key: " + key + "\r\n");
  };
  EXPECT_EQ(ask("ada", "a").status, 201);
  EXPECT_EQ(ask("ada", "b").status, 201);
  const Answer full = ask("ada", "c");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.field("retry-after"), "60");
  EXPECT_TRUE(is_replayed(ask("ada", "a")));
  EXPECT_EQ(ask("bob", "c").status, 201);
  now_ns += std::chrono::nanoseconds(10s).count();
  EXPECT_EQ(ask("ada", "c").status, 201);
  for (const char* const token : {"1", "2"}) {
    EXPECT_EQ(
        send("/plain", "Authorization: Bearer " + std::string(token) + "\r\nIdempotency-Key: a\r\n")
            .status,
        201);
  }
  EXPECT_EQ(send("/plain", "Authorization: Bearer 3\r\nIdempotency-Key: a\r\n").status, 429);
}

TEST_P(IdempotencyTest, those_who_cannot_be_told_from_others_have_all_the_room) {
  store = memory_idempotency_store({.keys = 20, .keys_per_owner = 2});
  const std::string path = "/tmp/weft-idempotency-" + std::to_string(::getpid()) + ".sock";
  app.post("/orders", idempotency(with_store()), count());
  options.uds = path;
  start();
  ClientOptions over_socket;
  over_socket.unix_socket = path;
  Client client(over_socket);
  int kept = 0;
  for (int i = 0; i < 25; ++i) {
    ClientRequest request;
    request.method = "POST";
    request.url = "http://a/orders";
    request.headers = {{"Idempotency-Key", std::to_string(i)}};
    const auto answer = client.request(request);
    ASSERT_TRUE(answer) << answer.error().message();
    if (answer->status() == 201) ++kept;
    if (i >= 20) {
      EXPECT_EQ(answer->status(), 503) << i;
    }
  }
  EXPECT_EQ(kept, 20);
}

TEST_P(IdempotencyTest, the_body_is_there_for_the_handler_in_every_way) {
  app.use(idempotency(with_store()));
  app.post("/stream", [](Context& c) {
    std::string all;
    BodyReader body = c.body_stream();
    for (std::string_view part = body.read(); !part.empty(); part = body.read()) all += part;
    c.text(all);
  });
  app.post("/form", [](Context& c) { c.text(c.form("name")); });
  start();
  EXPECT_EQ(with_key("/stream", "a", std::string(5000, 'b')).body, std::string(5000, 'b'));
  EXPECT_EQ(
      send("/form", "Idempotency-Key: b\r\nContent-Type: application/x-www-form-urlencoded\r\n",
           "name=ada")
          .body,
      "ada");
}

TEST(MemoryIdempotencyStore, a_claim_that_nothing_is_heard_of_ends) {
  std::chrono::nanoseconds now = 1s;
  const auto store = memory_idempotency_store({.clock = [&] { return now; }});
  using Kind = IdempotencyStore::Claim::Kind;
  EXPECT_EQ(store->claim({"k", "f", "o", 10s}).kind, Kind::taken);
  EXPECT_EQ(store->claim({"k", "f", "o", 10s}).kind, Kind::in_progress);
  now += 10s;
  EXPECT_EQ(store->claim({"k", "g", "o", 10s}).kind, Kind::taken);
  EXPECT_EQ(store->claim({"k", "f", "o", 10s}).fingerprint, "g");
  store->release("k");
  store->release("k");
  EXPECT_EQ(store->claim({"k", "f", "o", 10s}).kind, Kind::taken);
  store->complete("k", {200, "text/plain", {{"A", "b"}}, "body"}, 5s);
  store->release("k");  // too late
  const IdempotencyStore::Claim done = store->claim({"k", "f", "o", 10s});
  EXPECT_EQ(done.kind, Kind::completed);
  EXPECT_EQ(done.answer.status, 200);
  EXPECT_EQ(done.answer.headers.at(0).second, "b");
  EXPECT_EQ(done.answer.body, "body");
  now += 5s;
  EXPECT_EQ(store->claim({"k", "f", "o", 10s}).kind, Kind::taken);
  store->complete("never claimed", {}, 5s);
  EXPECT_EQ(store->claim({"never claimed", "f", "o", 10s}).kind, Kind::taken);
}

TEST(MemoryIdempotencyStore, is_full_by_bytes_too) {
  std::chrono::nanoseconds now = 1s;
  const auto store = memory_idempotency_store({.bytes = 10, .clock = [&] { return now; }});
  using Kind = IdempotencyStore::Claim::Kind;
  EXPECT_EQ(store->claim({"a", "f", "o", 10s}).kind, Kind::taken);
  store->complete("a", {200, "", {}, "0123456789"}, 10s);
  EXPECT_EQ(store->claim({"b", "f", "o", 10s}).kind, Kind::full);
  EXPECT_EQ(store->claim({"a", "f", "o", 10s}).kind, Kind::completed);
  now += 10s;
  EXPECT_EQ(store->claim({"b", "f", "o", 10s}).kind, Kind::taken);
}

TEST(MemoryIdempotencyStore, an_owner_has_its_share_of_keys_and_of_bytes) {
  std::chrono::nanoseconds now = 1s;
  const auto store = memory_idempotency_store(
      {.keys_per_owner = 3, .bytes_per_owner = 10, .clock = [&] { return now; }});
  using Kind = IdempotencyStore::Claim::Kind;
  const auto claim = [&](const std::string& key, const std::string& owner) {
    return store->claim({key, "f", owner, 10s}).kind;
  };
  for (const char* const key : {"a", "b", "c"}) EXPECT_EQ(claim(key, "o"), Kind::taken);
  EXPECT_EQ(claim("d", "o"), Kind::owner_full);
  EXPECT_EQ(claim("a", "o"), Kind::in_progress);
  EXPECT_EQ(claim("d", "p"), Kind::taken);
  store->release("a");
  EXPECT_EQ(claim("e", "o"), Kind::taken);
  store->complete("b", {200, "", {}, "0123456789"}, 10s);
  store->release("c");
  EXPECT_EQ(claim("f", "o"), Kind::owner_full);
  EXPECT_EQ(claim("f", "p"), Kind::taken);
  // What has expired gives its room back, wherever it is kept.
  now += 10s;
  for (const char* const key : {"a", "b", "c"}) EXPECT_EQ(claim(key, "o"), Kind::taken);
  EXPECT_EQ(claim("d", "o"), Kind::owner_full);
}

TEST(IdempotencyOptions, that_make_no_sense_are_refused_with_what_to_do) {
  EXPECT_NE(refusal([] { (void)idempotency({.methods = {}}); }).find(".methods"),
            std::string::npos);
  EXPECT_NE(refusal([] { (void)idempotency({.methods = {"P ST"}}); }).find("P ST"),
            std::string::npos);
  EXPECT_NE(refusal([] { (void)idempotency({.lifetime = 0s}); }).find(".lifetime"),
            std::string::npos);
  EXPECT_NE(refusal([] { (void)idempotency({.lease = -1s}); }).find(".lease"), std::string::npos);
  EXPECT_NE(refusal([] { (void)idempotency({.key_bytes = 0}); }).find(".key_bytes"),
            std::string::npos);
  EXPECT_NE(refusal([] { (void)memory_idempotency_store({.keys = 0}); }).find(".keys"),
            std::string::npos);
  EXPECT_NE(refusal([] { (void)memory_idempotency_store({.bytes_per_owner = 0}); }).find("_owner"),
            std::string::npos);
}

}  // namespace weft
