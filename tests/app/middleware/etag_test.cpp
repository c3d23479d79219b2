// etag() over sockets: what is tagged, and how tags are compared.
#include <gtest/gtest.h>

#include <string>

#include "app/middleware/cache_test.hpp"
#include "app/middleware/unpack.hpp"
#include "http/entity_tag.hpp"

namespace weft {

namespace {

using http::test::Answer;
using RawClient = http::test::Client;

class Etag : public app::test::CacheTest {};
INSTANTIATE_TEST_SUITE_P(Backends, Etag, http::test::every_backend, http::test::backend_of);

}  // namespace

TEST_P(Etag, whole_answers_are_tagged_and_compared) {
  app.use(etag());
  app.get("/text", [](Context& c) { c.text("text"); });
  app.get("/other", [](Context& c) { c.text("other"); });
  app.get("/long", [](Context& c) {
    c.set_header("Cache-Control", "max-age=3");
    c.text(test::prose(100'000));
  });
  app.get("/own", [](Context& c) {
    c.set_header("ETag", "W/\"a,b\"");
    c.text("own");
  });
  app.get("/made", [](Context& c) { c.status(201).text("made"); });
  app.get("/stream", [](Context& c) { c.stream("text/plain", 1).write("a"); });
  app.post("/text", [](Context& c) { c.text("text"); });
  start();
  const std::string tag = ask("/text").field("etag");
  EXPECT_EQ(tag.size(), 34U);
  EXPECT_EQ(tag, ask("/text").field("etag"));
  EXPECT_EQ(tag, ask("/text", {}, "HEAD").field("etag"));
  EXPECT_NE(tag, ask("/other").field("etag"));
  const Answer whole = ask("/long");
  const Answer same = ask("/long", "If-None-Match: W/" + whole.field("etag") + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(same.field("cache-control"), "max-age=3");
  EXPECT_EQ(same.field("etag"), whole.field("etag"));
  EXPECT_EQ(ask("/long", "If-None-Match: *\r\n", "HEAD").status, 304);
  EXPECT_EQ(ask("/text", "If-None-Match: " + whole.field("etag") + "\r\n").status, 200);
  EXPECT_EQ(ask("/own", "If-None-Match: \"x\", \"a,b\"\r\n").status, 304);
  EXPECT_EQ(ask("/own", "If-None-Match: \"a\"\r\n").body, "own");
  EXPECT_EQ(ask("/text", "If-Match: " + tag + "\r\n").status, 200);
  EXPECT_EQ(ask("/text", "If-Match: *\r\n").status, 200);
  const Answer refused = ask("/text", "If-Match: W/" + tag + "\r\n");
  EXPECT_EQ(refused.status, 412);
  EXPECT_EQ(refused.body, "Precondition Failed\n");
  EXPECT_EQ(ask("/made").field("etag"), "");
  EXPECT_EQ(ask("/stream").field("etag"), "");
  EXPECT_EQ(ask("/stream").body, "a");
  RawClient client = connect();
  EXPECT_EQ(client.ask(http::test::post_request("/text", "")).field("etag"), "");
}

TEST_P(Etag, stands_outside_of_compress_and_tags_what_is_sent) {
  app.use(etag(), compress());
  app.get("/text", [](Context& c) { c.text(test::prose(4'000)); });
  start();
  const Answer packed = ask("/text", "Accept-Encoding: gzip\r\n");
  const Answer plain = ask("/text");
  EXPECT_EQ(packed.field("content-encoding"), "gzip");
  EXPECT_NE(packed.field("etag"), plain.field("etag"));
  const Answer same =
      ask("/text", "Accept-Encoding: gzip\r\nIf-None-Match: " + packed.field("etag") + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("vary"), "Accept-Encoding");
  EXPECT_EQ(same.field("content-encoding"), "");
}

TEST(EntityTags, are_taken_off_a_list_whatever_they_hold) {
  std::string_view list = " \"a,b\" , W/\"\",, \"c\"x";
  EXPECT_EQ(http::take_entity_tag(list), "\"a,b\"");
  EXPECT_EQ(http::take_entity_tag(list), "W/\"\"");
  EXPECT_EQ(http::take_entity_tag(list), "\"c\"");
  EXPECT_EQ(http::take_entity_tag(list), std::nullopt);
  for (std::string_view malformed : {"", "a", "\"a", "w/\"a\"", "W/a"}) {
    EXPECT_EQ(http::take_entity_tag(malformed), std::nullopt) << malformed;
  }
  EXPECT_TRUE(http::tags_match_weakly("W/\"a\"", "\"a\""));
  EXPECT_FALSE(http::tags_match_strongly("W/\"a\"", "W/\"a\""));
  EXPECT_TRUE(http::tags_match_strongly("\"a\"", "\"a\""));
}

}  // namespace weft
