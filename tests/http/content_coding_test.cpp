// What a client takes, against the table of RFC 9110 and a model that is written another way.
#include "http/content_coding.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "http/response_fields.hpp"

namespace weft::http {

namespace {

using enum ContentCoding;

AcceptedCodings from(std::string_view list) {
  AcceptedCodings accepted;
  accepted.add(list);
  return accepted;
}

const std::vector<ContentCoding> kAll{zstd, brotli, gzip};

// One element of a list as the test made it: what it says, and its text.
struct Element {
  std::string name;
  int weight;  // thousandths; -1: malformed
  std::string text;
};

Element random_element(std::mt19937_64& random) {
  const auto below = [&](int bound) { return static_cast<int>(random() % bound); };
  const std::vector<std::string> names{"gzip", "br", "zstd", "identity", "*", "deflate", "GZip"};
  Element made{names[random() % names.size()], 1000, {}};
  const std::vector<std::string> blanks{"", " ", "\t", "  "};
  const auto blank = [&] { return blanks[random() % blanks.size()]; };
  made.text = blank() + made.name + blank();
  std::transform(made.name.begin(), made.name.end(), made.name.begin(),
                 [](char c) { return static_cast<char>(std::tolower(c)); });
  if (below(3) == 0) return made;
  made.text += ";" + blank() + (below(2) == 0 ? "q=" : "Q=");
  switch (below(4)) {
    case 0: made.text += "1.0"; break;
    case 1: {
      made.weight = 0;
      made.text += below(2) == 0 ? "0" : "0.00";
      break;
    }
    case 2: {
      const std::vector<std::string> malformed{"", "2", "1.1", "0.1234", ".5", "-1", "0,5", "x"};
      made.weight = -1;
      std::string text = malformed[random() % malformed.size()];
      if (text == "0,5") text = "0.5.";
      made.text += text;
      break;
    }
    default: {
      made.weight = below(1000);
      std::string digits = std::to_string(made.weight);
      made.text += "0." + std::string(3 - digits.size(), '0') + digits;
    }
  }
  return made;
}

// By the words of RFC 9110 §12.5.3: what is offered is ranked, and the best one taken.
ContentCoding model(const std::vector<Element>& elements,
                    const std::vector<ContentCoding>& offered) {
  std::map<std::string, int> listed;
  for (const Element& element : elements) {
    if (element.weight < 0) continue;
    const auto [at, is_new] = listed.emplace(element.name, element.weight);
    if (!is_new) at->second = std::max(at->second, element.weight);
  }
  const auto weight = [&](const std::string& name) {
    if (listed.contains(name)) return listed[name];
    return listed.contains("*") ? listed["*"] : 0;
  };
  std::vector<std::pair<int, ContentCoding>> ranked;
  for (const ContentCoding coding : offered) {
    if (weight(std::string(name_of(coding))) > 0) {
      ranked.emplace_back(weight(std::string(name_of(coding))), coding);
    }
  }
  ranked.emplace_back(weight("identity"), identity);
  return std::max_element(
             ranked.begin(), ranked.end(),
             [](const auto& left, const auto& right) { return left.first < right.first; })
      ->second;
}

}  // namespace

TEST(ContentCoding, the_client_gets_what_it_likes_best) {
  const std::vector<std::pair<const char*, ContentCoding>> cases{
      {"", identity},
      {"gzip", gzip},
      {"gzip, deflate, br, zstd", zstd},
      {"gzip, br", brotli},
      {"x-gzip", gzip},
      {"GZIP;Q=0.5", gzip},
      {"gzip;q=1.0, br;q=0.5", gzip},
      {"gzip;q=0", identity},
      {"gzip;q=0.001", gzip},
      {"*", zstd},
      {"*;q=0", identity},
      {"zstd;q=0, *", brotli},
      {"identity", identity},
      {"identity;q=1, gzip;q=0.5", identity},
      {"identity;q=0.5, gzip;q=0.5", gzip},
      {"identity;q=0, gzip;q=0.1", gzip},
      {"deflate, compress", identity},
      {"gzip;q=2, br;q=x", identity},
      {"gzip;level=9", identity},
      {", ,gzip ,", gzip},
  };
  for (const auto& [list, expected] : cases) EXPECT_EQ(from(list).choose(kAll), expected) << list;
  EXPECT_EQ(AcceptedCodings().choose(kAll), identity);
  EXPECT_EQ(from("zstd").choose(std::vector{gzip}), identity);
}

TEST(ContentCoding, identity_is_taken_unless_it_is_ruled_out) {
  EXPECT_TRUE(AcceptedCodings().takes_identity());
  EXPECT_TRUE(from("gzip").takes_identity());
  EXPECT_FALSE(from("identity;q=0").takes_identity());
  EXPECT_FALSE(from("*;q=0").takes_identity());
  EXPECT_TRUE(from("*;q=0, identity").takes_identity());
}

TEST(ContentCoding, weights_are_those_of_the_grammar) {
  for (const auto& [text, weight] : {std::pair{"0", 0},
                                     {"1", 1000},
                                     {"0.", 0},
                                     {"1.", 1000},
                                     {"0.5", 500},
                                     {"0.123", 123},
                                     {"1.000", 1000},
                                     {"0.01", 10}}) {
    EXPECT_EQ(parse_weight(text), weight) << text;
  }
  for (const char* const text : {"", "2", "1.001", "0.1234", "00", "0.a", ".5", "1.0000", "-0"}) {
    EXPECT_EQ(parse_weight(text), std::nullopt) << text;
  }
}

TEST(ContentCoding, any_list_is_read_as_the_model_reads_it) {
  std::mt19937_64 random(20'261'130);
  for (int round = 0; round < 50'000; ++round) {
    std::vector<Element> elements(random() % 6);
    AcceptedCodings accepted;
    std::string list;
    for (Element& element : elements) {
      element = random_element(random);
      if (!list.empty()) list += ',';
      list += element.text;
      // The list goes on in another field.
      if (random() % 8 == 0) {
        accepted.add(list);
        list.clear();
      }
    }
    accepted.add(list);
    std::vector<ContentCoding> offered = kAll;
    std::shuffle(offered.begin(), offered.end(), random);
    offered.resize(random() % 4);
    ASSERT_EQ(accepted.choose(offered), model(elements, offered)) << list;
  }
}

TEST(ResponseFields, are_found_and_changed_in_any_case) {
  Response response;
  response.add_field("Cache-Control", "max-age=3, No-Transform");
  response.add_field("ETag", "\"a\"");
  response.add_field("vary", "Origin, X-a");
  EXPECT_TRUE(lists_element(response, "cache-control", "no-transform"));
  EXPECT_TRUE(lists_element(response, "cache-control", "max-age"));
  EXPECT_FALSE(lists_element(response, "cache-control", "max"));
  weaken_etag(response);
  weaken_etag(response);
  EXPECT_EQ(find_field(response, "etag"), "W/\"a\"");
  add_vary(response, "X-A", "x-a");
  add_vary(response, "Accept-Encoding", "accept-encoding");
  add_vary(response, "Accept-Encoding", "accept-encoding");
  EXPECT_EQ(response.fields.view(),
            "Cache-Control: max-age=3, No-Transform\r\nvary: Origin, X-a\r\nETag: W/\"a\"\r\n"
            "Vary: Accept-Encoding\r\n");
  remove_fields(response, "vary");
  EXPECT_EQ(find_field(response, "vary"), std::nullopt);
}

}  // namespace weft::http
