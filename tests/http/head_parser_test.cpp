#include "http/head_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace weft::http {

namespace {

constexpr std::string_view request =
    "GET /a HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\nX-Two: 2\r\n\r\n";

}  // namespace

TEST(HeadParser, a_head_is_small_and_moves_with_memcpy) {
  EXPECT_LE(sizeof(RequestHead), 2048U);
  EXPECT_TRUE(std::is_trivially_copyable_v<HeadParser>);
}

TEST(HeadParser, fields_are_listed_in_order_with_their_names_as_sent) {
  const Limits limits;
  HeadParser parser(limits);
  ASSERT_EQ(parser.advance(request), ParseState::complete);
  EXPECT_EQ(parser.consumed(), request.size());
  const HeadView view(parser.head(), request.data());
  ASSERT_EQ(view.header_count(), 3U);
  EXPECT_EQ(view.header(1).name, "X-One");
  EXPECT_EQ(view.header(2).value, "2");
  EXPECT_EQ(view.find("x-two"), "2");
  EXPECT_EQ(view.find("x-tw"), std::nullopt);
  EXPECT_EQ(view.find("x-three"), std::nullopt);
}

TEST(HeadParser, a_view_over_a_copy_of_the_bytes_reads_the_copy) {
  const Limits limits;
  HeadParser parser(limits);
  ASSERT_EQ(parser.advance(request), ParseState::complete);
  const std::string copy(request);
  const HeadView view(parser.head(), copy.data());
  EXPECT_EQ(view.path().data(), copy.data() + 4);
}

TEST(HeadParser, reset_starts_on_the_next_request) {
  const Limits limits;
  HeadParser parser(limits);
  ASSERT_EQ(parser.advance("POST /b HTTP/1.0\r\nContent-Length: 1\r\n\r\n"), ParseState::complete);
  parser.reset();
  ASSERT_EQ(parser.advance(request), ParseState::complete);
  EXPECT_EQ(parser.head().method, Method::get);
  EXPECT_EQ(parser.head().minor_version, 1);
  EXPECT_FALSE(parser.head().has_content_length);
  EXPECT_EQ(parser.head().header_count, 3);
}

TEST(HeadParser, an_error_stays_until_reset) {
  const Limits limits;
  HeadParser parser(limits);
  ASSERT_EQ(parser.advance("GET / HTTP/1.1\n"), ParseState::error);
  EXPECT_EQ(parser.advance(request), ParseState::error);
  EXPECT_EQ(parser.error_status(), 400);
  parser.reset();
  EXPECT_EQ(parser.advance(request), ParseState::complete);
}

TEST(HeadParser, pipelined_requests_are_taken_one_after_the_other) {
  const Limits limits;
  const std::string bytes = std::string(request) + std::string(request) + "GET /c";
  std::string_view rest = bytes;
  for (int i = 0; i < 2; ++i) {
    HeadParser parser(limits);
    ASSERT_EQ(parser.advance(rest), ParseState::complete);
    rest.remove_prefix(parser.consumed());
  }
  HeadParser parser(limits);
  EXPECT_EQ(parser.advance(rest), ParseState::incomplete);
}

TEST(HeadParser, limits_beyond_what_a_head_can_hold_are_cut_to_that) {
  Limits limits;
  limits.head_bytes = 1U << 20;
  limits.header_count = 1000;
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 1; i < RequestHead::header_capacity; ++i) bytes += "A: b\r\n";
  HeadParser fits(limits);
  EXPECT_EQ(fits.advance(bytes + "\r\n"), ParseState::complete);
  HeadParser too_many(limits);
  EXPECT_EQ(too_many.advance(bytes + "A: b\r\n\r\n"), ParseState::error);
  EXPECT_EQ(too_many.error_status(), 431);

  limits.header_field_bytes = 1U << 20;
  HeadParser too_long(limits);
  EXPECT_EQ(too_long.advance("GET / HTTP/1.1\r\nA: " + std::string(100'000, 'b')),
            ParseState::error);
  EXPECT_EQ(too_long.error_status(), 431);
}

}  // namespace weft::http
