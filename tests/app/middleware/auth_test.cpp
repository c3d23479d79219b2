// basic_auth, bearer_auth and key_auth over sockets, and the secrets that they compare.
#include <gtest/gtest.h>

#include <string>

#include "app/refusal.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

using app::test::refusal;
using http::test::Answer;

constexpr const char* kKey = "k-0123456789abcdef";

class Authentication : public http::test::ServerTest {
 protected:
  static void who(Context& c) {
    const Identity* const identity = c.get<Identity>();
    c.text(identity == nullptr ? "nobody" : identity->scheme + " " + identity->name);
  }
  static bool is_left_alone(Context& c) { return c.path() == "/open"; }
  Answer ask(std::string_view fields, std::string_view target = "/") {
    http::test::Client client = connect();
    return client.ask("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" +
                      std::string(fields) + "\r\n");
  }
};

struct Vector {
  const char* sent;  // the Authorization field's value
  int status;
  const char* challenge;
  const char* body;
};

}  // namespace

TEST_P(Authentication, basic_credentials_are_let_in_or_answered_as_rfc_7617_says) {
  app.get("/in",
          basic_auth({{"ada", "love:lace"}, {"zoë", "x"}},
                     {.realm = "the \"inner\" part", .credentials_bytes = 23}),
          &who);
  start();
  const char* const challenge = R"(Basic realm="the \"inner\" part", charset="UTF-8")";
  const Vector vectors[] = {
      {"Basic YWRhOmxvdmU6bGFjZQ==", 200, "", "basic ada"},
      {"bASIC   YWRhOmxvdmU6bGFjZQ==", 200, "", "basic ada"},
      {"Basic em/DqzpiYXI=", 401, challenge, "The name or the password is wrong\n"},
      {"Basic em/Dqzp4", 200, "", "basic zoë"},
      {"Basic em/Dq", 400, challenge, "The credentials are malformed\n"},
      {"Basic em/DqzpiYXI", 400, challenge, "The credentials are malformed\n"},  // no padding
      {"Basic YWRh", 400, challenge, "The credentials are malformed\n"},         // no colon
      {"Basic YWRhOmxvdmU6bGFj\tZQ==", 400, challenge, "The credentials are malformed\n"},
      {"Basic YWRhOmxvdmU6bGFjZQo=", 400, challenge, "The credentials are malformed\n"},  // \n
      {"Basic \xE4WRhOmxvdmU6bGFjZQ==", 400, challenge, "The credentials are malformed\n"},
      {"Basic", 400, challenge, "The credentials are malformed\n"},
      {"Basic OmxvdmU6bGFjZQ==", 401, challenge, "The name or the password is wrong\n"},
      {"Basic YWRhOg==", 401, challenge, "The name or the password is wrong\n"},
      {"Basicx YWRhOmxvdmU6bGFjZQ==", 401, challenge, "A name and a password are needed\n"},
      {"Bearer abc", 401, challenge, "A name and a password are needed\n"},
      // As many bytes as it may have, one more, and two.
      {"Basic YWRhOmFhYWFhYWFhYWFhYWFhYWFhYWE=", 401, challenge, nullptr},
      {"Basic YWRhOmFhYWFhYWFhYWFhYWFhYWFhYWFh", 400, challenge, "The credentials are malformed\n"},
      {"Basic YWRhOmFhYWFhYWFhYWFhYWFhYWFhYWFhYQ==", 400, challenge,
       "The credentials are too long\n"},
  };
  for (const Vector& vector : vectors) {
    const Answer answer = ask("Authorization: " + std::string(vector.sent) + "\r\n", "/in");
    EXPECT_EQ(answer.status, vector.status) << vector.sent;
    EXPECT_EQ(answer.field("www-authenticate"), vector.challenge) << vector.sent;
    if (vector.body != nullptr) {
      EXPECT_EQ(answer.body, vector.body) << vector.sent;
    }
  }
  EXPECT_EQ(ask("", "/in").status, 401);
  EXPECT_EQ(ask("", "/in").field("www-authenticate"), challenge);
  const Answer twice = ask(
      "Authorization: Basic YWRhOmxvdmU6bGFjZQ==\r\nAuthorization: Basic YWRhOmxvdmU6bGFjZQ==\r\n",
      "/in");
  EXPECT_EQ(twice.status, 400);
  EXPECT_EQ(twice.field("www-authenticate"), challenge);
}

TEST_P(Authentication, basic_passwords_may_be_kept_as_hashes) {
  const std::string hash = hash_password("lovelace");
  app.get("/in", basic_auth({{"ada", hash}}), &who);
  start();
  const std::string right = "Authorization: Basic YWRhOmxvdmVsYWNl\r\n";
  EXPECT_EQ(ask(right, "/in").body, "basic ada");
  EXPECT_EQ(ask("Authorization: Basic YWRhOmxvdmVsYWNm\r\n", "/in").status, 401);
  EXPECT_EQ(ask("Authorization: Basic YmRhOmxvdmVsYWNl\r\n", "/in").status, 401);  // bda
}

TEST_P(Authentication, a_basic_check_may_park_and_refuse_in_its_own_way) {
  app.use(basic_auth(
      [](Context&, std::string_view name, std::string_view) {
        weft::yield();
        if (name == "locked") Context::abort(423, "locked");
        return name == "ada";
      },
      {.skip = &is_left_alone}));
  app.get("/in", &who);
  app.get("/open", &who);
  start();
  EXPECT_EQ(ask("Authorization: Basic YWRhOg==\r\n", "/in").body, "basic ada");
  EXPECT_EQ(ask("Authorization: Basic bG9ja2VkOg==\r\n", "/in").status, 423);
  EXPECT_EQ(ask("", "/open").body, "nobody");
  // Where no route fits it is in front, too.
  EXPECT_EQ(ask("", "/nowhere").status, 401);
}

TEST_P(Authentication, bearer_tokens_are_let_in_or_answered_as_rfc_6750_says) {
  const auto check = [](Context&, std::string_view token) -> std::optional<Identity> {
    if (token == "reads==") return Identity{"ada", "", {"read"}};
    if (token == "writes") return Identity{"bob", "own", {"read", "write"}};
    return std::nullopt;
  };
  app.get("/in", bearer_auth(check, {.scope = "write", .token_bytes = 10}), &who);
  app.get("/any", bearer_auth(check, {.skip = [](Context& c) { return c.query("skip") == "1"; }}),
          &who);
  start();
  const char* const plain = R"(Bearer realm="restricted")";
  const char* const malformed = R"(Bearer realm="restricted", error="invalid_request")";
  const char* const bad = R"(Bearer realm="restricted", error="invalid_token")";
  const char* const scope =
      R"(Bearer realm="restricted", error="insufficient_scope", scope="write")";
  const Vector vectors[] = {
      {"Bearer writes", 200, "", "own bob"},
      {"bearer writes", 200, "", "own bob"},
      {"Bearer reads==", 403, scope, nullptr},
      {"Bearer other", 401, bad, nullptr},
      {"Bearer 1234567890", 401, bad, nullptr},
      {"Bearer 12345678901", 400, malformed, nullptr},
      {"Bearer two words", 400, malformed, nullptr},
      {"Bearer a=b", 400, malformed, nullptr},
      {"Bearer ===", 400, malformed, nullptr},
      {"Bearer", 400, malformed, nullptr},
      {"Basic YWRhOg==", 401, plain, nullptr},
  };
  for (const Vector& vector : vectors) {
    const Answer answer = ask("Authorization: " + std::string(vector.sent) + "\r\n", "/in");
    EXPECT_EQ(answer.status, vector.status) << vector.sent;
    EXPECT_EQ(answer.field("www-authenticate"), vector.challenge) << vector.sent;
    if (vector.body != nullptr) {
      EXPECT_EQ(answer.body, vector.body) << vector.sent;
    }
  }
  EXPECT_EQ(ask("", "/in").status, 401);
  EXPECT_EQ(ask("", "/in").field("www-authenticate"), plain);
  EXPECT_EQ(ask("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", "/in").status, 400);
  EXPECT_EQ(ask("Authorization: Bearer reads==\r\n", "/any").body, "bearer ada");
  EXPECT_EQ(ask("", "/any?skip=1").body, "nobody");
}

TEST_P(Authentication, keys_are_looked_for_in_their_places) {
  const auto check = [](Context&, std::string_view key) -> std::optional<Identity> {
    return key == "checked" ? std::optional(Identity{"somebody"}) : std::nullopt;
  };
  app.get("/in",
          key_auth({.keys = {{kKey, "billing"}},
                    .check = check,
                    .cookie = "key",
                    .query = "key",
                    .key_bytes = 20,
                    .skip = [](Context& c) { return c.query("skip") == "1"; }}),
          &who);
  start();
  const std::string key = kKey;
  const char* const challenge = R"(ApiKey realm="restricted")";
  EXPECT_EQ(ask("X-API-Key: " + key + "\r\n", "/in").body, "key billing");
  EXPECT_EQ(ask("X-API-Key: checked\r\n", "/in").body, "key somebody");
  EXPECT_EQ(ask("Cookie: a=b; key=" + key + "\r\n", "/in").body, "key billing");
  EXPECT_EQ(ask("", "/in?key=" + key).body, "key billing");
  EXPECT_EQ(ask("", "/in?skip=1").body, "nobody");
  for (const auto& [fields, status] : {std::pair<std::string, int>{"", 401},
                                       {"X-API-Key: \r\n", 401},
                                       {"X-API-Key: " + key + "0\r\n", 401},
                                       {"X-API-Key: " + key.substr(1) + "\r\n", 401},
                                       {"X-API-Key: 012345678901234567890\r\n", 400},
                                       {"X-API-Key: a\r\nX-API-Key: a\r\n", 400}}) {
    const Answer answer = ask(fields, "/in");
    EXPECT_EQ(answer.status, status) << fields;
    EXPECT_EQ(answer.field("www-authenticate"), challenge) << fields;
  }
}

TEST(AuthenticationOptions, that_make_no_sense_are_refused_with_what_to_do) {
  const auto yes = [](Context&, std::string_view, std::string_view) { return true; };
  const auto nobody = [](Context&, std::string_view) { return std::optional<Identity>(); };
  EXPECT_EQ(refusal([&] { (void)basic_auth(BasicCheck()); }),
            "basic_auth has no check: give it a function");
  EXPECT_EQ(refusal([&] { (void)basic_auth(yes, {.realm = "a\r\nb"}); }),
            "basic_auth has a realm with a control byte in it: take that out");
  EXPECT_EQ(refusal([&] { (void)basic_auth(std::map<std::string, std::string>{}); }),
            "basic_auth has no users: give it one at least");
  EXPECT_EQ(refusal([&] { (void)basic_auth({{"a:b", "x"}}); }),
            "basic_auth has a user with a colon in the name, which ends it");
  EXPECT_EQ(refusal([&] { (void)basic_auth({{"ada", ""}}); }),
            "basic_auth has a user without a password: ada");
  EXPECT_NE(refusal([&] { (void)bearer_auth(nobody, {.scope = "a b"}); }).find("one scope"),
            std::string::npos);
  EXPECT_EQ(refusal([&] { (void)bearer_auth(BearerCheck()); }),
            "bearer_auth has no check: give it a function");
  EXPECT_EQ(refusal([&] { (void)key_auth({}); }),
            "key_auth knows no key: give it .keys or a .check");
  EXPECT_EQ(
      refusal([&] { (void)key_auth({.keys = {{"short", "billing"}}}); }),
      "key_auth has a key of fewer than 16 bytes, of billing: make one by random_token() say");
  EXPECT_EQ(refusal([&] { (void)key_auth({.check = nobody, .header = ""}); }),
            "key_auth looks for keys nowhere: give it .header say");
  EXPECT_EQ(refusal([&] { (void)key_auth({.check = nobody, .header = "a b"}); }),
            "key_auth has a .header that is no name of one");
}

TEST(Secrets, are_compared_as_a_whole) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("same", "same"));
  EXPECT_FALSE(equal_in_constant_time("same", "sane"));
  EXPECT_FALSE(equal_in_constant_time("same", "samewise"));
  EXPECT_FALSE(equal_in_constant_time("same", ""));
  EXPECT_FALSE(equal_in_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

TEST(Secrets, random_tokens_differ_and_fit_everywhere) {
  const std::string token = random_token();
  EXPECT_EQ(token.size(), 43U);
  EXPECT_NE(token, random_token());
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789-_"),
            std::string::npos);
  EXPECT_EQ(random_token(16).size(), 22U);
  EXPECT_THROW((void)random_token(15), std::invalid_argument);
  EXPECT_THROW((void)random_token(4097), std::invalid_argument);
}

TEST(Secrets, passwords_match_their_hashes_alone) {
  const std::string hash = hash_password("correct horse");
  EXPECT_EQ(hash.substr(0, 10), "$argon2id$");
  EXPECT_NE(hash, hash_password("correct horse"));
  EXPECT_TRUE(password_matches(hash, "correct horse"));
  EXPECT_FALSE(password_matches(hash, "correct horsf"));
  EXPECT_FALSE(password_matches(hash, ""));
  EXPECT_FALSE(password_matches("", "correct horse"));
  EXPECT_FALSE(password_matches("correct horse", "correct horse"));
  EXPECT_FALSE(password_matches(hash.substr(0, hash.size() - 1), "correct horse"));
  EXPECT_FALSE(password_matches(hash + std::string(1000, 'a'), "correct horse"));
  EXPECT_FALSE(password_matches(hash, std::string(1025, 'a')));
  EXPECT_THROW((void)hash_password(std::string(1025, 'a')), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Backends, Authentication, http::test::every_backend,
                         http::test::backend_of);

}  // namespace weft
