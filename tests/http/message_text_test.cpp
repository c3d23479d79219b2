// The small texts of a response: dates, status lines, methods, checks of field text.

#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "http/date.hpp"
#include "http/header_text.hpp"
#include "http/method.hpp"
#include "http/status.hpp"

namespace weft::http {

namespace {

std::string date(std::time_t when) {
  std::string text(http_date_length, '?');
  format_http_date(when, text.data());
  return text;
}

std::string date_by_libc(std::time_t when) {
  std::tm parts{};
  gmtime_r(&when, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, length};
}

}  // namespace

TEST(HttpDate, the_example_of_the_specification_is_written_as_there) {
  EXPECT_EQ(date(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(HttpDate, dates_across_eight_centuries_agree_with_the_c_library) {
  // A stride that is prime, so that every day, month and time of day comes up.
  for (std::time_t when = -12'000'000'000; when < 13'000'000'000; when += 499'979) {
    if (date_by_libc(when).size() != http_date_length) continue;
    ASSERT_EQ(date(when), date_by_libc(when)) << when;
  }
  for (const std::time_t when : {951'782'399, 951'782'400, 951'868'800, 1'709'164'800}) {
    EXPECT_EQ(date(when), date_by_libc(when)) << when;
  }
}

TEST(HttpDate, years_that_do_not_fit_are_clamped) {
  EXPECT_EQ(date(253'402'300'799), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(date(253'402'300'800), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(date(-1'000'000'000'000), "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(Status, lines_and_phrases_agree) {
  EXPECT_EQ(status_line(200), "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  for (int status = 0; status < 1000; ++status) {
    if (status_line(status).empty()) {
      EXPECT_EQ(reason_phrase(status), "");
      continue;
    }
    EXPECT_EQ(status_line(status), "HTTP/1.1 " + std::to_string(status) + " " +
                                       std::string(reason_phrase(status)) + "\r\n");
  }
}

TEST(Status, codes_that_are_not_registered_have_no_text) {
  for (const int status : {-1, 0, 99, 299, 418, 499, 599, 600}) EXPECT_EQ(status_line(status), "");
}

TEST(Status, interim_and_empty_responses_have_no_body) {
  for (const int status : {100, 101, 103, 204, 205, 304})
    EXPECT_FALSE(allows_body(status)) << status;
  for (const int status : {200, 206, 301, 404, 500}) EXPECT_TRUE(allows_body(status)) << status;
}

TEST(Method, names_and_methods_are_each_others_inverse) {
  for (std::size_t i = 0; i < method_count; ++i) {
    const auto method = static_cast<Method>(i);
    EXPECT_EQ(method_from(name(method)), method);
  }
  EXPECT_EQ(method_from("get"), Method::unknown);
  EXPECT_EQ(method_from(""), Method::unknown);
  EXPECT_EQ(method_from("UNKNOWN"), Method::unknown);
}

TEST(MethodSet, the_text_lists_each_method_once) {
  MethodSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.allow_text(), "");
  set.add(Method::delete_);
  set.add(Method::get);
  set.add(Method::get);
  EXPECT_EQ(set.allow_text(), "GET, DELETE");
  EXPECT_TRUE(set.contains(Method::get));
  EXPECT_FALSE(set.contains(Method::unknown));
}

TEST(HeaderText, names_are_tokens) {
  EXPECT_TRUE(is_token("Content-Type"));
  EXPECT_TRUE(is_token("x_1!~"));
  for (const std::string_view text :
       {"", "a b", "a:", "a\r", "a\n", "\x7f", "caf\xc3\xa9", "a(b)"}) {
    EXPECT_FALSE(is_token(text)) << text;
  }
}

TEST(HeaderText, values_hold_no_line_break_and_no_control_byte) {
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("text/html; charset=utf-8\tcaf\xc3\xa9"));
  EXPECT_FALSE(is_field_value("a\r\nSet-Cookie: b"));
  EXPECT_FALSE(is_field_value("a\rb"));
  EXPECT_FALSE(is_field_value("a\nb"));
  EXPECT_FALSE(is_field_value(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_field_value("a\x7f"));
  EXPECT_FALSE(is_field_value("a long enough value for the vector path, then \x01"));
}

}  // namespace weft::http
