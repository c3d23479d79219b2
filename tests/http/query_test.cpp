#include "http/query.hpp"

#include <gtest/gtest.h>

namespace weft::http {

namespace {

std::string list(std::string_view text) {
  std::string out;
  for (const QueryPair& pair : Query(text)) {
    out += "[" + std::string(pair.name) + "|" + std::string(pair.value) + "]";
  }
  return out;
}

}  // namespace

TEST(Query, pairs_come_in_order_and_encoded) {
  EXPECT_EQ(list("a=1&b=2&a=3"), "[a|1][b|2][a|3]");
  EXPECT_EQ(list("a%20b=c+d"), "[a%20b|c+d]");
  EXPECT_EQ(list("a=b=c"), "[a|b=c]");
}

TEST(Query, empty_pairs_are_skipped_and_missing_values_are_empty) {
  EXPECT_EQ(list(""), "");
  EXPECT_EQ(list("&&"), "");
  EXPECT_EQ(list("&a&&b=&=c&"), "[a|][b|][|c]");
}

TEST(Query, names_are_compared_decoded) {
  const Query query("na%6De=1&full+name=2&x=3");
  EXPECT_EQ(query.find_raw("name"), "1");
  EXPECT_EQ(query.find_raw("full name"), "2");
  EXPECT_EQ(query.find_raw("full+name"), std::nullopt);
  EXPECT_EQ(query.find_raw("nam"), std::nullopt);
  EXPECT_EQ(query.find_raw("names"), std::nullopt);
}

TEST(Query, values_are_decoded_when_asked_for) {
  const Query query("a=b+c%21&a=second&empty&broken=%4");
  EXPECT_EQ(query.find("a"), "b c!");
  EXPECT_EQ(query.find("empty"), "");
  EXPECT_EQ(query.find("missing"), std::nullopt);
  EXPECT_EQ(query.find("broken"), std::nullopt);
  EXPECT_EQ(query.find_raw("broken"), "%4");
}

TEST(Query, all_values_of_a_name_come_in_order) {
  std::string seen;
  Query("t=1&u=2&%74=3+4&t&T=5").for_each_raw("t", [&seen](std::string_view value) {
    seen += "[" + std::string(value) + "]";
  });
  EXPECT_EQ(seen, "[1][3+4][]");
}

TEST(Query, a_name_with_a_broken_escape_matches_nothing) {
  EXPECT_EQ(Query("%4=1").find_raw("%4"), std::nullopt);
  EXPECT_EQ(Query("%4=1").find_raw(""), std::nullopt);
}

}  // namespace weft::http
