#include "http/cookie.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weft::http {

namespace {

// What a client with these Cookie lines and that one is asking for is found as.
std::optional<std::string> find_in(std::string_view fields, std::string_view name) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
  const Limits limits;
  HeadParser parser(limits);
  EXPECT_EQ(parser.advance(bytes), ParseState::complete);
  const auto found = find_cookie(HeadView(parser.head(), bytes.data()), name);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

}  // namespace

TEST(Cookies, the_first_of_two_is_found) {
  EXPECT_EQ(Cookies("a=1; b=2; a=3").find("a"), "1");
  EXPECT_EQ(Cookies("a=1; b=2; a=3").find("b"), "2");
  EXPECT_EQ(Cookies("a=1").find("c"), std::nullopt);
  EXPECT_EQ(Cookies("").find(""), std::nullopt);
}

TEST(Cookies, names_have_case_and_are_compared_whole) {
  EXPECT_EQ(Cookies("sid=1").find("SID"), std::nullopt);
  EXPECT_EQ(Cookies("sid=1").find("si"), std::nullopt);
  EXPECT_EQ(Cookies("__Host-sid=1; sid=2").find("sid"), "2");
}

TEST(Cookies, values_point_into_the_text) {
  const std::string_view text = "a=1;  b = 2 ";
  EXPECT_EQ(Cookies(text).find("b")->data(), text.data() + 10);
}

TEST(Cookies, all_cookie_fields_of_a_head_are_looked_through) {
  EXPECT_EQ(find_in("Cookie: a=1\r\nX: b=9\r\ncookie: b=2; a=3\r\n", "b"), "2");
  EXPECT_EQ(find_in("Cookie: a=1\r\ncookie: b=2; a=3\r\n", "a"), "1");
  EXPECT_EQ(find_in("Cookies: a=1\r\nSet-Cookie: a=2\r\n", "a"), std::nullopt);
  EXPECT_EQ(find_in("", "a"), std::nullopt);
}

}  // namespace weft::http
