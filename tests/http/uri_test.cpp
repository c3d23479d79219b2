#include "http/uri.hpp"

#include <gtest/gtest.h>

namespace weft::http {

TEST(PercentDecode, escapes_become_bytes) {
  EXPECT_EQ(percent_decode("a%20b%2Fc%2f", UriPart::path), "a b/c/");
  EXPECT_EQ(percent_decode("caf%C3%A9", UriPart::path), "caf\xc3\xa9");
  EXPECT_EQ(percent_decode("%00", UriPart::path), std::string(1, '\0'));
  EXPECT_EQ(percent_decode("%2541", UriPart::path), "%41");
  EXPECT_EQ(percent_decode("", UriPart::path), "");
}

TEST(PercentDecode, plus_is_a_space_in_queries_only) {
  EXPECT_EQ(percent_decode("a+b", UriPart::query), "a b");
  EXPECT_EQ(percent_decode("a+b", UriPart::path), "a+b");
  EXPECT_EQ(percent_decode("a%2Bb", UriPart::query), "a+b");
}

TEST(PercentDecode, broken_escapes_are_errors) {
  for (const std::string_view text : {"%", "%4", "a%", "%4g", "%g4", "%%41", "% 41", "%-1"}) {
    EXPECT_EQ(percent_decode(text, UriPart::query), std::nullopt) << text;
    EXPECT_FALSE(has_valid_escapes(text)) << text;
  }
  EXPECT_TRUE(has_valid_escapes("a%41%4a%4A"));
}

TEST(PercentDecode, decoding_in_place_is_allowed) {
  std::string text = "%41%42c";
  EXPECT_EQ(percent_decode(text, UriPart::path, text.data()), 3U);
  EXPECT_EQ(text.substr(0, 3), "ABc");
}

TEST(PercentDecode, plain_text_is_recognised) {
  EXPECT_TRUE(is_plain("a-b/c", UriPart::path));
  EXPECT_TRUE(is_plain("a+b", UriPart::path));
  EXPECT_FALSE(is_plain("a+b", UriPart::query));
  EXPECT_FALSE(is_plain("a%20", UriPart::path));
}

TEST(Authority, a_port_is_needed_only_where_it_is_asked_for) {
  EXPECT_TRUE(is_authority("example.com"));
  EXPECT_TRUE(is_authority(""));
  EXPECT_TRUE(is_authority_with_port("example.com:443"));
  EXPECT_FALSE(is_authority_with_port("example.com"));
  EXPECT_FALSE(is_authority_with_port(":443"));
  EXPECT_FALSE(is_authority_with_port(""));
}

}  // namespace weft::http
