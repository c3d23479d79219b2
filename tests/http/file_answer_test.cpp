// What a request makes of a file, as a table: conditions and ranges.

#include "http/file_answer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "http/content_type.hpp"

namespace weft::http::test {

namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kModified_ns = 784'111'777 * kSecond_ns + 5;  // Sun, 06 Nov 1994 08:49:37
const FileFacts kFacts{1'000, kModified_ns};
const FileValidators kOld(kFacts, kModified_ns + 60 * kSecond_ns);
const FileValidators kYoung(kFacts, kModified_ns + kSecond_ns);
const std::string kTag(kOld.tag());
const std::string kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string answer_of(const std::string& fields, const FileValidators& own = kOld,
                      const FileFacts& facts = kFacts, const std::string& method = "GET") {
  const Limits limits;
  HeadParser parser(limits);
  const std::string text = method + " / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  EXPECT_EQ(parser.advance(text), ParseState::complete) << text;
  const FileAnswer answer = answer_with_file(HeadView(parser.head(), text.data()), facts, own);
  std::string out = std::to_string(answer.status);
  if (answer.status == 200 || answer.status == 206) {
    out += " " + std::to_string(answer.offset) + "+" + std::to_string(answer.length);
  }
  return out;
}

}  // namespace

TEST(FileAnswer, of_a_plain_request_is_the_whole) {
  EXPECT_EQ(answer_of(""), "200 0+1000");
  EXPECT_EQ(answer_of("", kOld, {0, 0}), "200 0+0");
}

TEST(FileAnswer, tag_tells_the_time_and_the_size_and_is_weak_while_the_file_is_young) {
  EXPECT_EQ(kOld.last_modified(), kDate);
  EXPECT_EQ(FileValidators(kFacts, kModified_ns - 7 * kSecond_ns).last_modified(),
            "Sun, 06 Nov 1994 08:49:30 GMT")
      << "never in the future";
  EXPECT_FALSE(kOld.is_weak());
  EXPECT_TRUE(kYoung.is_weak());
  EXPECT_EQ(std::string(kYoung.tag()), "W/" + kTag);
  EXPECT_EQ(kTag.front(), '"');
  EXPECT_EQ(kTag.back(), '"');
  EXPECT_NE(kTag, FileValidators({1'001, kModified_ns}, INT64_MAX).tag());
  EXPECT_NE(kTag, FileValidators({1'000, kModified_ns + 1}, INT64_MAX).tag());
  EXPECT_EQ(FileValidators({UINT64_MAX, INT64_MIN + kSecond_ns}, 0).tag().size(), 35U);
}

TEST(FileAnswer, what_the_client_has_is_not_sent_again) {
  EXPECT_EQ(answer_of("If-None-Match: " + kTag + "\r\n"), "304");
  EXPECT_EQ(answer_of("If-None-Match: W/" + kTag + "\r\n"), "304");
  EXPECT_EQ(answer_of("If-None-Match: \"a\", " + kTag + " ,\"b\"\r\n"), "304");
  EXPECT_EQ(answer_of("If-None-Match: \"a\"\r\nIf-None-Match: " + kTag + "\r\n"), "304");
  EXPECT_EQ(answer_of("If-None-Match: *\r\n"), "304");
  EXPECT_EQ(answer_of("If-None-Match: " + kTag + "\r\n", kYoung), "304");
  EXPECT_EQ(answer_of("If-None-Match: \"a\", \"b\"\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("If-None-Match: \r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("If-Modified-Since: " + kDate + "\r\n"), "304");
  EXPECT_EQ(answer_of("If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT\r\n"), "304");
  EXPECT_EQ(answer_of("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("If-Modified-Since: yesterday\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("If-None-Match: \"a\"\r\nIf-Modified-Since: " + kDate + "\r\n"), "200 0+1000")
      << "the tag decides where there is one";
}

TEST(FileAnswer, what_the_client_expects_must_be_so) {
  EXPECT_EQ(answer_of("If-Match: " + kTag + "\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("If-Match: *\r\n", kYoung), "200 0+1000");
  EXPECT_EQ(answer_of("If-Match: \"a\"\r\n"), "412");
  EXPECT_EQ(answer_of("If-Match: W/" + kTag + "\r\n"), "412") << "weak tags never match strongly";
  EXPECT_EQ(answer_of("If-Match: W/" + kTag + "\r\n", kYoung), "412");
  EXPECT_EQ(answer_of("If-Unmodified-Since: " + kDate + "\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n"), "412");
}

TEST(FileAnswer, one_range_is_a_part_and_several_are_the_whole) {
  EXPECT_EQ(answer_of("Range: bytes=0-0\r\n"), "206 0+1");
  EXPECT_EQ(answer_of("Range: bytes=999-\r\n"), "206 999+1");
  EXPECT_EQ(answer_of("Range: bytes=-10\r\n"), "206 990+10");
  EXPECT_EQ(answer_of("Range: bytes=0-9999\r\n"), "206 0+1000");
  EXPECT_EQ(answer_of("Range: bytes=0-1,2-3\r\n"), "206 0+4") << "they touch";
  EXPECT_EQ(answer_of("Range: bytes=0-1,5-6\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("Range: bytes=1000-\r\n"), "416");
  EXPECT_EQ(answer_of("Range: bytes=0-0\r\n", kOld, {0, kModified_ns}), "416");
  EXPECT_EQ(answer_of("Range: lines=0-1\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of("Range: bytes=0-0\r\n", kOld, kFacts, "HEAD"), "200 0+1000");
  EXPECT_EQ(answer_of("Range: bytes=0-0\r\nIf-None-Match: *\r\n", kOld, kFacts, "POST"),
            "200 0+1000");
}

TEST(FileAnswer, part_of_something_else_is_not_sent) {
  const std::string range = "Range: bytes=5-9\r\nIf-Range: ";
  EXPECT_EQ(answer_of(range + kTag + "\r\n"), "206 5+5");
  EXPECT_EQ(answer_of(range + kDate + "\r\n"), "206 5+5");
  EXPECT_EQ(answer_of(range + "\"a\"\r\n"), "200 0+1000");
  EXPECT_EQ(answer_of(range + "W/" + kTag + "\r\n", kYoung), "200 0+1000");
  EXPECT_EQ(answer_of(range + kDate + "\r\n", kYoung), "200 0+1000");
  EXPECT_EQ(answer_of(range + "Sun, 06 Nov 1994 08:49:38 GMT\r\n"), "200 0+1000");
}

TEST(ContentType, goes_by_the_end_of_the_name_in_any_case) {
  EXPECT_EQ(content_type_of("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("a/b.c/PHOTO.JPG"), "image/jpeg");
  EXPECT_EQ(content_type_of("app.webmanifest"), "application/manifest+json");
  for (const char* unknown :
       {"", "html", "a.html/b", "archive.", ".", "a.abcdefghijklmnop", "a.b"}) {
    EXPECT_EQ(content_type_of(unknown), "application/octet-stream") << unknown;
  }
}

TEST(HttpDate, all_three_forms_are_read) {
  constexpr std::int64_t kSeconds = 784'111'777;
  EXPECT_EQ(parse_http_date(kDate), kSeconds);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), kSeconds);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), kSeconds);
  EXPECT_EQ(parse_http_date("Thu Jan  1 00:00:00 1970"), 0);
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:60 GMT"), 1'709'251'200);
}

TEST(HttpDate, what_is_written_can_be_read) {
  for (std::int64_t seconds = -62'167'219'200; seconds < 253'402'300'799; seconds += 98'765'433) {
    std::array<char, http_date_length> text{};
    format_http_date(static_cast<std::time_t>(seconds), text.data());
    EXPECT_EQ(parse_http_date({text.data(), text.size()}), seconds);
  }
}

TEST(HttpDate, what_is_no_date_is_none) {
  for (const char* text : {"", "0", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GM",
                           "Sun, 06 Abc 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08-49-37 GMT",
                           "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994 08:4x:37 GMT",
                           "Sun, 06 ovD 1994 08:49:37 GMT", "Sunday, 06-Nov-9x 08:49:37 GMT"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

}  // namespace weft::http::test
